"""Airflow's cluster policy on the stack of the crash matrix: retries come soon, and one is all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any


def task_policy(task: Any) -> None:
    """Airflow calls it for each task of each DAG it parses."""
    task.retries = 1
    task.retry_delay = timedelta(seconds=1)
    task.retry_exponential_backoff = 0
