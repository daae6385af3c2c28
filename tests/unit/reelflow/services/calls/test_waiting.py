"""One wait: what ends it, and when it is asked about next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from reelflow.services.calls.waiting import Outcome, Wait, Watch
from reelflow.tiktok.models import PublishStatus
from tests.unit.reelflow.services.calls.scripted_tiktok import COMPLETE, DONE, LINKED, PENDING

NOW_S = 1_795_000_000.0
DRAFTED = PublishStatus("SEND_TO_USER_INBOX")


def judged(
    *answers: PublishStatus, ends_in_s: float = 100, link_timeout_s: float = 0, every_s: float = 10
) -> tuple[Outcome | None, float]:
    """Return how a wait ended, if it did, and how long after the last answer it is due again."""

    async def judge() -> tuple[Outcome | None, float]:
        wait = Wait(
            post_id=1,
            publish_id="pub-1",
            poll_interval_s=every_s,
            first_poll_at_s=NOW_S,
            ends_at_s=NOW_S + ends_in_s,
            link_timeout_s=link_timeout_s,
        )
        watch, now_s = Watch(wait), NOW_S
        for now_s, watch.last in zip(range(int(NOW_S), 2**31, int(every_s)), answers, strict=False):
            watch.judge(now_s)
        return watch.ended.result() if watch.ended.done() else None, watch.due_at_s - now_s

    return asyncio.run(judge())


@pytest.mark.parametrize("status", [LINKED, COMPLETE, DRAFTED, DONE])
def test_a_final_status_ends_it(status: PublishStatus) -> None:
    assert judged(status)[0] == Outcome(status, is_final=True)


@pytest.mark.parametrize("word", ["PROCESSING_UPLOAD", "PROCESSING_DOWNLOAD", "SOMETHING_NEW"])
def test_any_other_word_is_pending(word: str) -> None:
    assert judged(PublishStatus(word)) == (None, 10)


def test_its_time_ends_it_with_the_last_status() -> None:
    assert judged(PENDING, PENDING, ends_in_s=10)[0] == Outcome(PENDING, is_final=False)


def test_its_last_poll_comes_when_its_time_is_over() -> None:
    assert judged(PENDING, ends_in_s=7) == (None, 7)


def test_a_public_post_is_waited_for_until_its_link_comes() -> None:
    assert judged(COMPLETE, COMPLETE, link_timeout_s=60)[0] is None
    assert judged(COMPLETE, COMPLETE, LINKED, link_timeout_s=60)[0] == Outcome(LINKED, True)


@pytest.mark.parametrize(
    "limits", [{"link_timeout_s": 20}, {"link_timeout_s": 60, "ends_in_s": 20}]
)
def test_a_link_that_does_not_come_in_time_is_done_without(limits: dict[str, float]) -> None:
    judge: Callable[..., tuple[Outcome | None, float]] = judged
    assert judge(COMPLETE, COMPLETE, **limits)[0] is None
    assert judge(COMPLETE, COMPLETE, COMPLETE, **limits)[0] == Outcome(COMPLETE, is_final=True)
