"""Notifiers as somebody may have them, named by ``REELFLOW_ALERT_NOTIFIER``."""

from __future__ import annotations

import json
import threading
from typing import Any, Final

from airflow.sdk import BaseNotifier


class KeptNotifier(BaseNotifier):
    """Renders a template, keeps what it got."""

    template_fields = ("text",)
    kept: Final[list[str]] = []

    def __init__(self, *, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.kept.append(self.text)


class HangingNotifier(BaseNotifier):
    """Never ends by itself."""

    released: Final = threading.Event()

    def notify(self, context: Any) -> None:
        self.released.wait(60)


class TalkativeNotifier(BaseNotifier):
    """Names in its error the address that it was given."""

    def notify(self, context: Any) -> None:
        raise OSError("404 for https://hooks.example.com/T0-secret")


def setting(notifier: type[BaseNotifier], **kwargs: Any) -> str:
    """Return the value of ``REELFLOW_ALERT_NOTIFIER`` that names a notifier of this module."""
    return json.dumps({"class": f"{__name__}.{notifier.__name__}", "kwargs": kwargs})
