"""The operator that keeps the store from filling up: it sweeps what nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reelflow.exceptions import TransientError
from reelflow_provider.operators.base import ReelflowOperator, actor_of

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Troubles that the error names; the log has all.
_NAMED = 10


class SweepStorageOperator(ReelflowOperator):
    """Delete old objects that no row of the ledger names, and files of ended posts after a while.

    The run's param ``dry_run`` finds the same and deletes nothing. What is found stands in the log,
    each with its size and its reason.
    """

    TASK_DOC = """\
**What.** Deletes files of posts that ended long ago, and objects that no row of the ledger names.
With the param `dry_run` it only says what it would delete. The log has each with size and reason.

**Safe to clear.** What is gone is not found again.

**When it is red.** Something could not be deleted: the error names it and why, most often a
permission. The rest is deleted, and no post waits for this.
"""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how much was found and deleted, in files and bytes.

        :raises TransientError: something could not be deleted; all the rest was
        """
        from reelflow.services.storage_sweep.sweep import sweep_storage

        dry_run = bool(context["params"].get("dry_run", False))
        sweep = sweep_storage(self.workspace, actor=actor_of(context), dry_run=dry_run)
        if sweep.troubles:
            named = [f"{key}: {why}" for key, why in list(sweep.troubles.items())[:_NAMED]]
            raise TransientError(
                f"{len(sweep.troubles)} of {len(sweep.found)} could not be deleted, and are tried "
                "again; check that Reelflow may delete in its store:\n" + "\n".join(named),
                code="storage_not_swept",
            )
        return sweep.as_dict() | {"dry_run": dry_run}
