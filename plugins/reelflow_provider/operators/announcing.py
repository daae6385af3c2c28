"""What the operators have in common that announce published posts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reelflow_provider.assets import PUBLISHED, PUBLISHED_POSTS
from reelflow_provider.operators.base import ReelflowOperator
from reelflow_provider.operators.reporting import Callbacks, followed_by

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.services.cleanup import Announcement


class AnnouncingOperator(ReelflowOperator):
    """Base of the operators that announce published posts, one asset event each.

    ``announced_at`` is written when Airflow has the task's success, and with it the events: a crash
    in between announces again, never not at all.
    """

    def __init__(self, *, on_success_callback: Callbacks = None, **kwargs: Any) -> None:
        super().__init__(
            outlets=[PUBLISHED_POSTS],
            on_success_callback=followed_by(_remember_announced, on_success_callback),
            **kwargs,
        )
        self.announced_ids: list[int] = []

    def announce(self, context: Context, news: Announcement) -> None:
        """Add the event of one post to what this task emits when it succeeds."""
        context["outlet_events"][PUBLISHED_POSTS].add(PUBLISHED, extra=asdict(news))
        self.announced_ids.append(news.post_id)


def _remember_announced(context: Context) -> None:
    from reelflow.services.cleanup import mark_announced

    task = context["task"]
    assert isinstance(task, AnnouncingOperator)
    if task.announced_ids and _is_success(context):
        mark_announced(task.workspace, task.announced_ids)
        task.workspace.meter.count("posts.announced", len(task.announced_ids))


def _is_success(context: Context) -> bool:
    """Ask Airflow whether it took the task's success.

    It may refuse it, and the events with it, and calls success callbacks all the same: somebody
    marked the task as failed meanwhile, or its run timed out.
    """
    ti = context["ti"]
    states = ti.get_task_states(
        dag_id=ti.dag_id, map_index=ti.map_index, task_ids=[ti.task_id], run_ids=[ti.run_id]
    )
    return "success" in states.get(ti.run_id, {}).values()
