"""The watcher that wakes ``approve_posts``: it fires while posts wait for a person to be asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk.exceptions import AirflowRuntimeError

from reelflow.settings import Settings
from reelflow_provider.triggers.work import WorkTrigger

if TYPE_CHECKING:
    from reelflow.services.approval.finding import Asked

log = logging.getLogger(__name__)

#: The task that asks.
ASKING_TASK: Final = "ask_for_approval"
#: So often Airflow is asked whether those that ask still wait for their answer.
STATES_EVERY_S: Final = 60.0
_ENDED: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})

#: What Airflow says of a DAG's tasks: states by their names, by the run.
States = Mapping[str, Mapping[str, str | None]]


class ApprovalsTrigger(WorkTrigger):
    """Fire while posts are HELD that a person can settle, and nobody is asked about.

    Posts that a run asks about are no work for as long as its task waits. Airflow is asked every
    minute whether it does: a run that was deleted, ended by hand or ran out of time tells nobody,
    and its posts are to be asked about again.
    """

    dag_id = "approve_posts"

    def __init__(self) -> None:
        super().__init__()
        self._checked_at_s: float | None = None

    async def look(self, settings: Settings) -> AsyncIterator[frozenset[str]]:
        """End the questions that nobody can answer any more, then look at the ledger."""
        now_s = time.monotonic()
        if self._checked_at_s is None or now_s - self._checked_at_s >= STATES_EVERY_S:
            await asyncio.to_thread(self._end_dead_questions, settings)
            self._checked_at_s = now_s
        yield await asyncio.to_thread(_waiting_approvals, settings)

    def task_states(self, run_ids: Collection[str]) -> States:
        """Ask Airflow for the states of the tasks that ask."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        return RuntimeTaskInstance.get_task_states(
            dag_id=self.dag_id, task_ids=[ASKING_TASK], run_ids=sorted(run_ids)
        )

    def _end_dead_questions(self, settings: Settings) -> None:
        from reelflow.services.approval.finding import asked_questions, lapse

        workspace = settings.open_workspace(keeps_connections=True)
        asked = asked_questions(workspace)
        if not asked:
            return
        try:
            states = self.task_states({one.run_id for one in asked})
        except AirflowRuntimeError as exc:
            log.warning("Airflow does not say which questions are still asked: %s", exc)
            return
        ended = lapse(workspace, [one for one in asked if _is_dead(one, states)])
        if ended:
            log.info("%d questions ended without an answer, and are asked again", ended)


def _is_dead(asked: Asked, states: States) -> bool:
    """Whether no task waits for a question's answer, or will."""
    of_run: Mapping[str, Any] = states.get(asked.run_id, {})
    # Until the list of posts is there, there is one task instance for all of them.
    name = f"{ASKING_TASK}_{asked.ordinal}"
    state = of_run.get(name if name in of_run else ASKING_TASK, "removed")
    return state in _ENDED


def _waiting_approvals(settings: Settings) -> frozenset[str]:
    from reelflow.services.approval.finding import waiting_approvals

    return waiting_approvals(settings.open_workspace(keeps_connections=True))
