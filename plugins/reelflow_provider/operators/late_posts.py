"""The operator that tells of late posts, also of those that no run has taken."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from reelflow.exceptions import TerminalError
from reelflow_provider.late_alert import late_posts
from reelflow_provider.operators.base import ReelflowOperator, actor_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class TellLatePostsOperator(ReelflowOperator):
    """Tell of each post that is late, once; fail the run for those that nothing known holds up.

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
pools free slots? `reelflow doctor` looks. Each post is named by one run only.
"""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many posts are late, and of which was told now."""
        from reelflow.services.late_posts import TOLD_BY_RUN, newly_late

        ti = context["ti"]
        found = newly_late(
            self.workspace,
            late_after=timedelta(minutes=self.settings.late_after_min),
            told_as=TOLD_BY_RUN,
            run=f"{ti.dag_id}/{ti.run_id}/",
            actor=actor_of(context),
        )
        self.log.info(
            "late posts: %d, told of before: %d", found.total, found.total - len(found.new)
        )
        late_posts(found.new)
        stalled = [post.line for post in found.new if post.is_stalled]
        if stalled:
            raise TerminalError(
                f"late posts that nothing known holds up: {len(stalled)}\n" + "\n".join(stalled),
                code="posts_late",
            )
        return {"late": found.total, "told": [post.post_id for post in found.new]}
