"""Operators between the publishing runs: settle what is open at TikTok, tell what a person must."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reelflow.exceptions import TerminalError
from reelflow_provider.operators.base import actor_of
from reelflow_provider.operators.posts import ExpireSessionsOperator
from reelflow_provider.operators.reporting import ReportingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class SettlePublicationsOperator(ExpireSessionsOperator):
    """Settle what nobody works on any more, beside the publishing runs.

    It leaves alone what any run has claimed. Claims name runs by their id alone, and scheduled runs
    of two DAGs at the same minute have the same.

    :param tiktok_conn_id: connection of type ``tiktok``
    """

    TASK_DOC = """\
**What.** Asks TikTok about every post of which it may know more than the ledger, and writes down
what it says; deletes and announces what is done.

**Safe to clear.** TikTok is only asked; nothing is posted from here.

**When it is red.** The connection `tiktok_app` or the ledger cannot be used: the error says what
to set. The next hour settles what is open.
"""

    def claimant(self, context: Context) -> str | None:
        """Return None: every claim is somebody else's."""
        return None


class TellUnsettledPostsOperator(ReportingOperator):
    """Fail the run for posts that settling does not help, each in one run only.

    A post is UNKNOWN until a person has looked. Were every hour red until then, the red of the next
    post would not be seen: those that a person was told of before are logged. The ledger keeps who
    was told, so nothing is left out when no run takes place for a while, or when another process
    made the post UNKNOWN. Cleared, a run fails again for what it failed for, unless that is done.

    A task of its own: the announcements of a failed task are lost.
    """

    TASK_DOC = """\
**What.** Names the posts that settling does not help: UNKNOWN, at TikTok for more than a day, or
failed by TikTok after their run had ended.

**Safe to clear.** It is green once what it named is done.

**When it is red.** The error names each post and the fix: look for it in the TikTok app, then
`reelflow posts resolve ID --published` or `--not-published`. A post makes one run red, not each
hour.
"""

    def execute(self, context: Context) -> list[int]:
        """Return the posts that a person was told of before and that still wait."""
        from reelflow.services.settling.for_a_person import posts_for_a_person

        ti = context["ti"]
        found = posts_for_a_person(
            self.workspace, run=f"{ti.dag_id}/{ti.run_id}/", actor=actor_of(context)
        )
        for post in found:
            if not post.is_new:
                self.log.warning("still: %s", post.line)
        new = [post.line for post in found if post.is_new]
        if new:
            raise TerminalError(
                f"posts that need a person: {len(new)}, and {len(found) - len(new)} told of "
                "before:\n" + "\n".join(new),
                code="posts_need_a_person",
            )
        return [post.post_id for post in found]
