"""Webhooks: what is sent, how it is signed, and when it is sent again (D-WH)."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.lifecycle import FAILED, NO_LONGER_AVAILABLE, PUBLICLY_AVAILABLE
from tiktok_simulator.publication import Publication

AUTHORIZATION_REMOVED = "authorization.removed"
SIGNATURE_HEADER = "TikTok-Signature"
RETRIES_END_S = 72 * 3600  # D-WH: retried for up to 72 hours
REORDER_HOLD_S = 0.5


@dataclass
class WebhookSettings:
    """The app's one callback, and how badly its deliveries behave.

    :param url: the callback URL; None: no webhooks.
    :param duplicates: how often a delivery that got its 200 is sent again (D-WH: at least once).
    :param is_reordered: whether what happened last is sent first, after half a second's wait.
    :param retry_s: seconds before the first retry; doubled at each (D-WH: exponential backoff).
    """

    url: str | None = None
    duplicates: int = 0
    is_reordered: bool = False
    retry_s: float = 1.0


@dataclass(eq=False)  # one is itself, however alike another may be
class Delivery:
    """One event on its way to the callback.

    :param body: the exact bytes, the same at each attempt.
    :param created_at: Unix seconds, as are the others.
    :param copies_left: how many more 200s it needs.
    :param last_status: HTTP status of the last answer; None: there was no answer.
    :param last_error: why there was none.
    """

    event: str
    open_id: str
    content: dict[str, Any]
    body: bytes
    created_at: float
    due_at: float
    copies_left: int
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    is_given_up: bool = False

    @property
    def state(self) -> Literal["pending", "delivered", "given_up"]:
        """How far the delivery came."""
        if self.is_given_up:
            return "given_up"
        return "pending" if self.copies_left > 0 else "delivered"


@dataclass
class Webhooks:
    """Everything announced since the last reset, oldest first.

    :param now: the world's clock, Unix seconds.
    """

    app: AppSettings
    now: Callable[[], float]
    settings: WebhookSettings = field(default_factory=WebhookSettings)
    deliveries: list[Delivery] = field(default_factory=list)
    _pending: list[Delivery] = field(default_factory=list)

    def announce_change(self, publication: Publication, event: str) -> None:
        """Announce a change of a publication; a listener of the world's."""
        content: dict[str, Any] = {"publish_id": publication.publish_id}
        if event == FAILED:
            content["reason"] = publication.fail_reason
        if event in (PUBLICLY_AVAILABLE, NO_LONGER_AVAILABLE):
            content["post_id"] = str(publication.post_id)  # a string here, as seen in real traffic
        is_direct = publication.kind == "direct"
        content["publish_type"] = "DIRECT_PUBLISH" if is_direct else "INBOX_SHARE"
        self._announce(event, publication.open_id, content)

    def announce_removal(self, open_id: str, reason: int) -> None:
        """Announce that a creator's authorization ended."""
        self._announce(AUTHORIZATION_REMOVED, open_id, {"reason": reason})

    def due(self) -> list[Delivery]:
        """Return what is to be sent now, in the order of sending."""
        self._pending = [one for one in self._pending if one.state == "pending"]
        due = [one for one in self._pending if one.due_at <= self.now()]
        if due and self.settings.is_reordered:
            return [one for one in reversed(self._pending) if one in due or one.attempts == 0]
        return due

    def is_pending(self, delivery: Delivery) -> bool:
        """Whether a delivery is still to be sent: not switched off or forgotten meanwhile."""
        return self.settings.url is not None and delivery in self._pending

    def sign(self, body: bytes) -> str:
        """Return the signature header of a body sent now."""
        second = str(int(self.now()))
        key = self.app.client_secret.encode()
        digest = hmac.new(key, second.encode() + b"." + body, hashlib.sha256)
        return f"t={second},s={digest.hexdigest()}"

    def note_answer(self, delivery: Delivery, status: int | None, error: str | None = None) -> None:
        """Note the answer to one attempt; anything but 200 is retried (D-WH).

        :param status: None when there was no answer; ``error`` says why.
        """
        delivery.attempts += 1
        delivery.last_status, delivery.last_error = status, error
        if status == 200:
            delivery.copies_left -= 1
            delivery.due_at = self.now()
            return
        delivery.due_at = self.now() + self.settings.retry_s * 2 ** (delivery.attempts - 1)
        delivery.is_given_up = delivery.due_at > delivery.created_at + RETRIES_END_S

    def reset(self, settings: WebhookSettings) -> None:
        """Forget every delivery and go back to earlier settings."""
        self.deliveries.clear()
        self._pending.clear()
        vars(self.settings).update(vars(settings))

    def _announce(self, event: str, open_id: str, content: dict[str, Any]) -> None:
        if self.settings.url is None:
            return
        now_s = self.now()
        envelope = {
            "client_key": self.app.client_key,
            "event": event,
            "create_time": int(now_s),
            "user_openid": open_id,
            "content": json.dumps(content, separators=(",", ":")),
        }
        delivery = Delivery(
            event=event,
            open_id=open_id,
            content=content,
            body=json.dumps(envelope, separators=(",", ":")).encode(),
            created_at=now_s,
            due_at=now_s + (REORDER_HOLD_S if self.settings.is_reordered else 0),
            copies_left=1 + self.settings.duplicates,
        )
        self.deliveries.append(delivery)
        self._pending.append(delivery)
