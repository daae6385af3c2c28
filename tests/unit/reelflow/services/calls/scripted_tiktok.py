"""A TikTok that answers status calls as told, in a time of its own that passes between polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from reelflow.services.calls.polling import POLL
from reelflow.tiktok.models import PublishStatus
from tests.factories import Clock

PENDING = PublishStatus("PROCESSING_UPLOAD")
DONE = PublishStatus("FAILED", fail_reason="internal")
COMPLETE = PublishStatus("PUBLISH_COMPLETE")
LINKED = PublishStatus("PUBLISH_COMPLETE", post_ids=("7300000000000000001",))

Answer = PublishStatus | Exception


@dataclass(frozen=True)
class Asked:
    """One call as it came."""

    at_s: float
    access_token: str
    publish_id: str


class ScriptedTikTok:
    """Answers each publication with the next of its answers, and the last one ever after.

    :param clock: the ledger's; it is put forward when the poller pauses and every poll has ended
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.answers: dict[str, list[Answer]] = {}
        self.default: Callable[[Asked], Answer] = lambda _: PENDING
        self.asked: list[Asked] = []
        self.closed = 0

    def now(self) -> float:
        return self._clock().timestamp()

    async def pause(self, seconds: float) -> None:
        polls = [task for task in asyncio.all_tasks() if task.get_name() == POLL]
        if polls:
            await asyncio.wait(polls)
        await asyncio.sleep(0)
        self._clock.advance(timedelta(seconds=seconds))

    async def fetch_status(self, access_token: str, publish_id: str) -> PublishStatus:
        asked = Asked(self.now(), access_token, publish_id)
        self.asked.append(asked)
        answers = self.answers.get(publish_id)
        if not answers:
            answer = self.default(asked)
        else:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed += 1

    def times_s(self, publish_id: str | None = None) -> list[float]:
        """Return when a publication, or any, was asked about."""
        return [one.at_s for one in self.asked if publish_id in (None, one.publish_id)]
