"""The operator that tells of late posts, also of those that no run has taken."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from reelflow.exceptions import TerminalError
from reelflow_provider.operators.base import actor_of
from reelflow_provider.operators.reporting import ReportingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.services.alerting import Alert

log = logging.getLogger(__name__)


class TellLatePostsOperator(ReportingOperator):
    """Tell of each post that is late; fail the run for those that nothing known holds up.

    A deadline alert tells of the posts of a run that takes long. This one looks at the ledger
    alone, so it also finds posts of which no run knows.
    """

    TASK_DOC: ClassVar[str] = """\
**What.** Names each post that is not on its way although its time is long over, with what it waits
for: its budget, an outage, a person, a run, a worker. It looks at the ledger alone.

**Safe to clear.** At any time: it changes nothing of a post. It fails again for what it failed for,
unless that is done.

**When it is red.** Nothing that is known holds these posts up: no run has taken them, or no worker
has begun them. Is `publish_to_tiktok` unpaused, do scheduler, triggerer and workers run, have the
pools free slots? `reelflow doctor` looks. A post is named by one run only, each time that it
is due: if it waits for something then and is due later, and nobody begins it again, another run
names it.
"""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many posts are late, and of which was told now."""
        from reelflow.services.late_posts_told import newly_late

        ti = context["ti"]
        found = newly_late(
            self.workspace,
            late_after=self.late_after,
            run=f"{ti.dag_id}/{ti.run_id}/",
            actor=actor_of(context),
        )
        log.info("late posts: %d, told of before: %d", found.total, found.total - len(found.new))
        for post in found.new:
            log.error("%s", post.line)
        stalled = [post.line for post in found.new if post.is_stalled]
        if stalled:
            raise TerminalError(
                f"late posts that nothing known holds up: {len(stalled)}\n" + "\n".join(stalled),
                code="posts_late",
            )
        return {"late": found.total, "told": [post.post_id for post in found.new]}

    def untold(self) -> list[Alert]:
        """Return what is to be told after any task, and the late posts."""
        from reelflow.services.late_posts_told import untold_late

        return [*super().untold(), *untold_late(self.workspace, late_after=self.late_after)]
