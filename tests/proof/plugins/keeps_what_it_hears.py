"""A plugin as somebody else may have it: keeps each task's lineage, and alerts as a notifier."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseNotifier
from airflow.sdk.lineage import HookLineageReader

#: Names the file that everything is kept in, one line each.
FILE: Final = "KEPT_FILE"


class Reader(HookLineageReader):
    """Airflow's own; that there is one makes its collector collect."""


class Listener:
    """Reads what a task told of its files when it has ended well."""

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        found = Reader().retrieve_hook_lineage()
        if found.inputs or found.outputs:
            keep(
                kind="lineage",
                task_id=task_instance.task_id,
                inputs=[one.asset.uri for one in found.inputs],
                outputs=[one.asset.uri for one in found.outputs],
            )


class Notifier(BaseNotifier):
    """Keeps a text, whose template is rendered before.

    :param text: may name what Reelflow says its alerts have
    """

    template_fields = ("text",)

    def __init__(self, *, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        """Keep the text."""
        keep(kind="alert", text=self.text)


class KeepsWhatItHears(AirflowPlugin):
    """What Airflow finds in its plugins folder."""

    name = "keeps_what_it_hears"
    hook_lineage_readers = [Reader]  # noqa: RUF012 - declared so by AirflowPlugin
    listeners = [Listener()]  # noqa: RUF012 - declared so by AirflowPlugin


def keep(**fields: Any) -> None:
    """Add a line in one write: many processes do."""
    with Path(os.environ[FILE]).open("a") as file:
        file.write(f"{json.dumps(fields)}\n")
