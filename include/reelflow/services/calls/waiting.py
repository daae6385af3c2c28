"""One wait for TikTok: what is waited for, when it is asked about next, and when it is over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from reelflow.domain.publication import FINAL_STATUSES
from reelflow.tiktok.models import PublishStatus

#: How long a wait may last beyond its end for the sake of a last answer.
GRACE_S: Final = 60.0


@dataclass(frozen=True)
class Wait:
    """What is waited for.

    :param post_id: the post in the ledger
    :param publish_id: the publication at TikTok
    :param poll_interval_s: shortest pause between two polls
    :param first_poll_at_s: no poll before this, seconds since 1970
    :param ends_at_s: when the waiting ends, seconds since 1970
    :param link_timeout_s: how long to wait for the link of a published post; 0 for none
    """

    post_id: int
    publish_id: str
    poll_interval_s: float
    first_poll_at_s: float
    ends_at_s: float
    link_timeout_s: float


@dataclass(frozen=True)
class Outcome:
    """How a wait ended.

    :param status: the last one that TikTok gave; None if it never answered
    :param is_final: whether TikTok is done, or else the time was over
    """

    status: PublishStatus | None
    is_final: bool


class Watch:
    """A wait under way. To be made within a running event loop.

    :ivar account_id: whose post it is; None until the ledger was asked
    :ivar due_at_s: no poll before this
    :ivar is_asking: a poll is under way
    :ivar last: the last status that TikTok gave
    :ivar ended: the outcome, or the error that the wait ends with
    """

    def __init__(self, wait: Wait) -> None:
        self.wait = wait
        self.account_id: int | None = None
        self.due_at_s = wait.first_poll_at_s
        self.is_asking = False
        self.last: PublishStatus | None = None
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._link_ends_at_s: float | None = None

    def is_free(self) -> bool:
        """Whether nothing is under way for it, and it still goes on."""
        return not (self.is_asking or self.ended.done())

    def is_overdue(self, now_s: float) -> bool:
        """Whether it waited for a last answer for too long, in the queue of its account."""
        return self.is_free() and now_s >= self.wait.ends_at_s + GRACE_S

    def fail(self, exc: BaseException) -> None:
        """End the wait with an error, unless it has ended."""
        if not self.ended.done():
            self.ended.set_exception(exc)

    def judge(self, now_s: float) -> None:
        """End the wait if there is nothing more to come, or set the time of its next poll."""
        ends_at_s = self.wait.ends_at_s
        if self.ended.done():
            return
        if self.last is not None and self.last.status in FINAL_STATUSES:
            if self._link_ends_at_s is None:
                self._link_ends_at_s = now_s + self.wait.link_timeout_s
            if not _awaits_link(self.last) or now_s >= min(self._link_ends_at_s, ends_at_s):
                self.ended.set_result(Outcome(self.last, is_final=True))
        elif now_s >= ends_at_s:
            self.ended.set_result(Outcome(self.last, is_final=False))
        # The last poll comes when the time is over, however long the interval is.
        self.due_at_s = now_s + min(self.wait.poll_interval_s, max(ends_at_s - now_s, 0.0))


def _awaits_link(status: PublishStatus) -> bool:
    """Whether a published post's link may still come: after moderation, if it is public."""
    return status.status == "PUBLISH_COMPLETE" and not status.post_ids
