"""Tells people of posts that need them, when the tasks that learn of such posts have ended.

It happens after Airflow was told how the task ended, so nothing waits for it, and whatever goes
wrong with it is logged: what was not told is told by the next task that tells.
"""

from __future__ import annotations

import contextvars
import importlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from airflow.configuration import conf
from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk.exceptions import AirflowNotFoundException

from reelflow.exceptions import ConfigurationError, ReelflowError
from reelflow_provider.notifications.webhook import DEFAULT_CONNECTION, WebhookNotifier

if TYPE_CHECKING:
    from reelflow.services.alerting import Alert
    from reelflow.services.workspace import Workspace
    from reelflow.settings import Settings

log = logging.getLogger(__name__)

#: A notifier that hangs is left behind after this: Airflow kills a task that lives 20 s longer than
#: its success (``[core] task_success_overtime_threshold``).
LONGEST_S: Final = 12.0
#: After this no further message is begun; the next task sends it.
_BEGIN_NONE_AFTER_S: Final = 6.0
#: How often it is looked whether another process has told all it knew of.
_LOOK_EVERY_S: Final = 0.2
_DAG: Final = "publish_to_tiktok"


@dataclass(frozen=True)
class TaskAlert:
    """An alert as notifiers see it, under the name ``alert``: its fields, and where to look."""

    told: Alert

    def __getattr__(self, name: str) -> Any:
        return getattr(self.told, name)

    @property
    def run_url(self) -> str | None:
        """Where Airflow shows the run that took the post last."""
        run_id = self.told.run_id
        return run_id and _page(f"/dags/{_DAG}/runs/{quote(run_id, safe='')}")

    @property
    def post_url(self) -> str | None:
        """Where Airflow's server shows the post's story."""
        post_id = self.told.post_id
        return None if post_id is None else _page(f"/reelflow/api/v1/posts/{post_id}/page")

    @cached_property
    def message(self) -> dict[str, Any]:
        """The alert as JSON."""
        told = self.told
        return {
            "event": told.event,
            "key": told.key,
            # Chat programs show this; to some of them a word in angle brackets calls everybody.
            "text": told.text.replace("<", "\u2039").replace(">", "\u203a"),
            "post_id": told.post_id,
            "post_ids": list(told.post_ids),
            "account": told.account,
            "file_name": told.file_name,
            "state": told.state,
            "reason": told.reason,
            "reason_code": told.reason_code,
            "fix": told.fix,
            "since": told.since and told.since.isoformat(),
            "run_url": self.run_url,
            "post_url": self.post_url,
        }


@dataclass(frozen=True)
class Teller:
    """Whoever tells: a task after its end, or the alert of a run that takes long.

    :param untold: finds what is to be told
    :param actor: of the rows that remember it
    :param context: what templates of a notifier may use beside ``alert``
    """

    settings: Settings
    workspace: Workspace
    untold: Callable[[], list[Alert]]
    actor: str
    context: Mapping[str, Any]


def tell_alerts(teller: Teller) -> None:
    """Tell of every post that nobody was told of; never raises, and ends in time."""
    copied = contextvars.copy_context()
    thread = threading.Thread(
        target=lambda: copied.run(_tell_all, teller), name="reelflow-alerts", daemon=True
    )
    thread.start()
    thread.join(LONGEST_S)
    if thread.is_alive():
        log.warning(
            "the notifier did not end within %g s and is left behind; what it did not tell, the "
            "next run does", LONGEST_S
        )  # fmt: skip


def _tell_all(teller: Teller) -> None:
    try:
        _tell(teller)
    except ReelflowError as exc:
        log.warning("not all alerts were sent: %s", exc)
    except Exception as exc:  # noqa: BLE001 - a notifier of whoever raises whatever
        # What it says may name an address that is a secret.
        log.warning("not all alerts were sent: the notifier raised %s", type(exc).__name__)


def _tell(teller: Teller) -> None:
    from reelflow.services import alerting

    if not teller.untold():
        return
    if not _is_set_up(teller.settings):
        log.info("posts need a person, and no alert is sent: there is no connection %r, and no "
                 "REELFLOW_ALERT_NOTIFIER", DEFAULT_CONNECTION)  # fmt: skip
        return
    ends_at = time.monotonic() + _BEGIN_NONE_AFTER_S
    owner = uuid.uuid4().hex
    # Another process that tells just now may not know of what this one does: two tasks of a run
    # that end together each tell of other posts, and the next run may be an hour away.
    while not alerting.take_turn(teller.workspace, owner=owner):
        if time.monotonic() > ends_at:
            log.warning("another process is telling for long: the rest is told by the next run")
            return
        time.sleep(_LOOK_EVERY_S)
    try:
        _send_all(teller, ends_at)
    finally:
        alerting.end_turn(teller.workspace, owner=owner)


def _send_all(teller: Teller, ends_at: float) -> None:
    from reelflow.services import alerting

    for alert in teller.untold():
        if time.monotonic() > ends_at:
            log.warning("messages take long: the rest is told by the next run")
            return
        notifier = _notifier(teller.settings)
        notifier({**teller.context, "alert": TaskAlert(alert)})
        alerting.mark_told(teller.workspace, alert, actor=teller.actor)
        teller.workspace.meter.count("alerts", event=alert.event)
        log.info("told: %s", alert.text)


def _is_set_up(settings: Settings) -> bool:
    if settings.alert_notifier:
        return True
    try:
        BaseHook.get_connection(DEFAULT_CONNECTION)
    except AirflowNotFoundException:
        return False
    return True


def _notifier(settings: Settings) -> BaseNotifier:
    """Make the notifier anew: rendering a message changes it."""
    if not settings.alert_notifier:
        return WebhookNotifier()
    wanted = settings.parsed_alert_notifier
    try:
        return _kind(wanted["class"])(**wanted.get("kwargs", {}))
    except (ImportError, TypeError) as exc:
        raise ConfigurationError(
            f"the notifier of REELFLOW_ALERT_NOTIFIER cannot be made: {exc}", code="alert_notifier"
        ) from exc


def _kind(name: str) -> type[BaseNotifier]:
    module, _, attribute = name.rpartition(".")
    kind = getattr(importlib.import_module(module or name), attribute, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseNotifier)):
        raise ConfigurationError(
            f"REELFLOW_ALERT_NOTIFIER names {name}, which is no notifier of Airflow's",
            code="alert_notifier",
        )
    return kind


def _page(path: str) -> str | None:
    base_url: str = conf.get("api", "base_url", fallback="")
    return f"{base_url.rstrip('/')}{path}" if base_url else None
