"""The trigger that waits for the outcome of a publication; at TikTok it only reads."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from reelflow.domain.post import DONE
from reelflow.exceptions import ReelflowError, TerminalError
from reelflow.services.calls.waiting import Wait

if TYPE_CHECKING:
    from reelflow.services.calls.polling import StatusPoller
    from reelflow.tiktok.models import PublishStatus

log = logging.getLogger(__name__)

#: Airflow 3.3.2 can fail a task whose trigger fires right after it deferred
#: (https://github.com/apache/airflow/issues/71580).
FIRST_POLL_S = 10.0
#: First polls come at such marks of the clock, so that tasks end together: Airflow's DAG processor
#: reads the DAG file once for all that ended meanwhile.
_MARK_S = 10.0


class TikTokPublishStatusTrigger(BaseTrigger):
    """Wait until the status is final, the deadline passes, or TikTok refuses to answer.

    A post that TikTok has is written down here and its task ended, without a worker. Of anything
    else a task tells: then it fires ``{"outcome": "status" | "deadline" | "refused", "publish_id",
    ...}``, where a status carries the fields of :class:`~reelflow.tiktok.models.PublishStatus`, a
    refusal its ``code`` and ``message``. It fires once; Airflow may run it twice, and writing a
    status down twice is harmless.

    An unknown status is pending. Tokens are read from the ledger in the triggerer, never passed;
    one poller asks for all triggers of the process, see
    :class:`~reelflow.services.calls.polling.StatusPoller`.

    :param post_id: the post in the ledger
    :param publish_id: the publication at TikTok
    :param tiktok_conn_id: connection whose host is asked
    :param poll_interval_s: shortest pause before each poll
    :param ends_at_s: when the waiting ends, seconds since 1970
    :param link_timeout_s: how long to wait for the link of a published post; 0 for none
    :param actor: who waits, in the audit trail
    :param ends_task: whether it may end the task; not one that has more to do then
    :param first_pause_s: pause before the first poll; None for that before each
    """

    def __init__(
        self,
        *,
        post_id: int,
        publish_id: str,
        tiktok_conn_id: str,
        poll_interval_s: float,
        ends_at_s: float,
        link_timeout_s: float,
        # A trigger lacks these that waits while Reelflow is upgraded.
        actor: str = "triggerer",
        ends_task: bool = False,
        first_pause_s: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's has no annotations
        self.post_id = post_id
        self.publish_id = publish_id
        self.tiktok_conn_id = tiktok_conn_id
        self.poll_interval_s = poll_interval_s
        self.ends_at_s = ends_at_s
        self.link_timeout_s = link_timeout_s
        self.actor = actor
        self.ends_task = ends_task
        self.first_pause_s = first_pause_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger."""
        return (
            "reelflow_provider.triggers.tiktok.TikTokPublishStatusTrigger",
            {
                "post_id": self.post_id,
                "publish_id": self.publish_id,
                "tiktok_conn_id": self.tiktok_conn_id,
                "poll_interval_s": self.poll_interval_s,
                "ends_at_s": self.ends_at_s,
                "link_timeout_s": self.link_timeout_s,
                "actor": self.actor,
                "ends_task": self.ends_task,
                "first_pause_s": self.first_pause_s,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        try:
            yield await self._event()
        except TerminalError as exc:
            yield self._told({"outcome": "refused", "code": exc.code, "message": str(exc)})

    def wait_from(self, now_s: float) -> Wait:
        """Return what is waited for; a long interval ends with the waiting itself."""
        pause_s = self.poll_interval_s if self.first_pause_s is None else self.first_pause_s
        first_s = now_s + min(pause_s, max(self.ends_at_s - now_s, FIRST_POLL_S))
        mark_s = min(_MARK_S, self.poll_interval_s)
        return Wait(
            post_id=self.post_id,
            publish_id=self.publish_id,
            poll_interval_s=self.poll_interval_s,
            first_poll_at_s=math.ceil(first_s / mark_s) * mark_s,
            ends_at_s=self.ends_at_s,
            link_timeout_s=self.link_timeout_s,
        )

    async def _event(self) -> TriggerEvent:
        # Imported where it runs: a worker that defers needs no HTTP client.
        from reelflow_provider.triggers.shared_poller import shared_poller

        poller = await shared_poller(self.tiktok_conn_id)
        outcome = await poller.outcome(self.wait_from(time.time()))
        status = outcome.status
        if status is None or not outcome.is_final:
            said = status.status if status is not None else "none"
            return self._told({"outcome": "deadline", "status": said})
        ended = await self._ended(poller, status) if self.ends_task else None
        return ended or self._told({"outcome": "status", **dataclasses.asdict(status)})

    async def _ended(self, poller: StatusPoller, status: PublishStatus) -> TriggerEvent | None:
        """Write a final status down; return what ends the task, or None if that takes a worker."""
        try:
            state = await poller.write_down(self.post_id, self.publish_id, status, actor=self.actor)
        except ReelflowError as exc:
            log.warning("post %s: the task writes its status down: %s", self.post_id, exc)
            return None
        except (
            Exception
        ):  # a mistake of ours: a worker makes it again, and its task says why it failed
            log.exception("post %s: the task writes its status down", self.post_id)
            return None
        if state not in DONE:
            return None
        log.info("post %s is %s", self.post_id, state)
        return TaskSuccessEvent()

    def _told(self, outcome: dict[str, Any]) -> TriggerEvent:
        """Return what a worker is told, which goes on with the task."""
        return TriggerEvent({"publish_id": self.publish_id, **outcome})
