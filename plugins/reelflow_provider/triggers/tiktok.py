"""The trigger that waits for the outcome of a publication; at TikTok it only reads."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from reelflow.exceptions import TerminalError
from reelflow.services.calls.waiting import Wait

#: Airflow 3.3.2 can fail a task whose trigger fires right after it deferred
#: (https://github.com/apache/airflow/issues/71580).
FIRST_POLL_S = 10.0


class TikTokPublishStatusTrigger(BaseTrigger):
    """Wait until the status is final, the deadline passes, or TikTok refuses to answer.

    It fires once, with ``{"outcome": "status" | "deadline" | "refused", "publish_id", ...}``: a
    status carries the fields of :class:`~reelflow.tiktok.models.PublishStatus`, a refusal its
    ``code`` and ``message``. An unknown status is pending. Tokens are read from the ledger in the
    triggerer, never passed; one poller asks for all triggers of the process, see
    :class:`~reelflow.services.calls.polling.StatusPoller`.

    :param post_id: the post in the ledger
    :param publish_id: the publication at TikTok
    :param tiktok_conn_id: connection whose host is asked
    :param poll_interval_s: shortest pause before each poll, the first one included
    :param ends_at_s: when the waiting ends, seconds since 1970
    :param link_timeout_s: how long to wait for the link of a published post; 0 for none
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
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's has no annotations
        self.post_id = post_id
        self.publish_id = publish_id
        self.tiktok_conn_id = tiktok_conn_id
        self.poll_interval_s = poll_interval_s
        self.ends_at_s = ends_at_s
        self.link_timeout_s = link_timeout_s

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
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        try:
            outcome = await self._outcome()
        except TerminalError as exc:
            outcome = {"outcome": "refused", "code": exc.code, "message": str(exc)}
        yield TriggerEvent({"publish_id": self.publish_id, **outcome})

    def wait_from(self, now_s: float) -> Wait:
        """Return what is waited for; a long interval ends with the waiting itself."""
        pause_s = min(self.poll_interval_s, max(self.ends_at_s - now_s, FIRST_POLL_S))
        return Wait(
            post_id=self.post_id,
            publish_id=self.publish_id,
            poll_interval_s=self.poll_interval_s,
            first_poll_at_s=now_s + pause_s,
            ends_at_s=self.ends_at_s,
            link_timeout_s=self.link_timeout_s,
        )

    async def _outcome(self) -> dict[str, Any]:
        # Imported where it runs: a worker that defers needs no HTTP client.
        from reelflow_provider.triggers.shared_poller import shared_poller

        poller = await shared_poller(self.tiktok_conn_id)
        outcome = await poller.outcome(self.wait_from(time.time()))
        if outcome.is_final and outcome.status is not None:
            return {"outcome": "status", **dataclasses.asdict(outcome.status)}
        said = outcome.status.status if outcome.status is not None else "none"
        return {"outcome": "deadline", "status": said}
