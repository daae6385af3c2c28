"""Loads the tracer into Airflow's processes, and tells it which task a process runs."""

from __future__ import annotations

import os
from typing import Any

import crash_tracer
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

_IS_ON = crash_tracer.SOCKET_VARIABLE in os.environ


class Listener:
    """Hears of the task that begins in this process."""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        """Airflow calls it in the task's own process."""
        crash_tracer.tracer.began(task_instance)


class CrashTracerPlugin(AirflowPlugin):
    """Airflow has two managers of plugins, and each loads this file for itself."""

    name = "crash_tracer"
    listeners = [Listener()] if _IS_ON else []

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Airflow calls it when it has loaded the plugin."""
        if _IS_ON:
            crash_tracer.install()
