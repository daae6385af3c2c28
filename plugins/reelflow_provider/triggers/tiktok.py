"""The trigger that polls TikTok for the outcome of a publication; it only reads."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from reelflow.exceptions import TerminalError, TransientError
from reelflow.ledger import accounts, posts
from reelflow.settings import Settings
from reelflow.tiktok.models import PublishStatus
from reelflow_provider.hooks.tiktok import TikTokHook

log = logging.getLogger(__name__)

#: Airflow 3.3.2 can fail a task whose trigger fires right after it deferred
#: (https://github.com/apache/airflow/issues/71580).
FIRST_POLL_S = 10.0


class TikTokPublishStatusTrigger(BaseTrigger):
    """Poll until the status is final, the deadline passes, or TikTok refuses to answer.

    It fires once, with ``{"outcome": "status" | "deadline" | "refused", "publish_id", ...}``: a
    status carries the fields of :class:`~reelflow.tiktok.models.PublishStatus`, a refusal its
    ``code`` and ``message``. An unknown status is pending. Tokens are read from the ledger here,
    never passed.

    :param post_id: the post in the ledger
    :param publish_id: the publication at TikTok
    :param tiktok_conn_id: connection whose host is asked
    :param poll_interval_s: pause before each poll, the first one included
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
        """Poll, and fire once."""
        try:
            outcome = await self._outcome()
        except TerminalError as exc:
            outcome = {"outcome": "refused", "code": exc.code, "message": str(exc)}
        yield TriggerEvent({"publish_id": self.publish_id, **outcome})

    async def _outcome(self) -> dict[str, Any]:
        settings = await asyncio.to_thread(Settings.load)
        client = await TikTokHook(self.tiktok_conn_id).aget_conn()
        link_ends_at_s: float | None = None
        last: PublishStatus | None = None
        async with client:
            while True:
                await asyncio.sleep(self._pause_s())
                try:
                    token = await asyncio.to_thread(_access_token, settings, self.post_id)
                    last = await client.fetch_status(token, self.publish_id)
                except TransientError as exc:
                    log.warning("post %s: no status yet: %s", self.post_id, exc)
                    if exc.retry_after_s:
                        await asyncio.sleep(min(exc.retry_after_s, 60))
                now_s = time.time()
                if last is not None and last.status in FINAL_STATUSES:
                    link_ends_at_s = link_ends_at_s or now_s + self.link_timeout_s
                    if not awaits_link(last) or now_s >= min(link_ends_at_s, self.ends_at_s):
                        return {"outcome": "status", **dataclasses.asdict(last)}
                elif now_s >= self.ends_at_s:
                    return {"outcome": "deadline", "status": last.status if last else "none"}

    def _pause_s(self) -> float:
        """Return the pause before the next poll; a long one ends with the waiting itself."""
        return min(self.poll_interval_s, max(self.ends_at_s - time.time(), FIRST_POLL_S))


#: Statuses after which TikTok does nothing more by itself; every other one is pending
#: (content-posting-api-reference-get-video-status).
FINAL_STATUSES = frozenset({"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"})


def awaits_link(status: PublishStatus) -> bool:
    """Whether a published post's link may still come: after moderation, if it is public."""
    return status.status == "PUBLISH_COMPLETE" and not status.post_ids


def _access_token(settings: Settings, post_id: int) -> str:
    workspace = settings.open_workspace()
    with workspace.ledger.read() as session:
        account = posts.get(session, post_id).account
    return accounts.access_token(account, workspace.ledger.cipher)
