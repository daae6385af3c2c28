"""Sends the demo's files through a running stack and waits until every one has its outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from demo.airflow_api import ENDED_STATES
from demo.cases import Original, drop
from demo.exceptions import StackError
from demo.stack import DAG_ID, Stack
from demo.waiting import wait_until
from reelflow.exceptions import ReelflowError

#: A safeguard, not a target: a loaded machine may need minutes for what takes one.
RUN_DEADLINE_S = 420.0
#: States that a post leaves by itself.
MOVING_STATES = frozenset({"READY", "UPLOADING", "COMMITTING", "PROCESSING"})


def send_through(stack: Stack, originals: list[Original], console: Console) -> list[dict[str, Any]]:
    """Drop the files, then wait for the run that they set off; nothing else starts one.

    :return: the ledger's posts
    :raises StackError: if a component dies, or the deadline passes
    """
    announced = {run["dag_run_id"] for run in stack.airflow.dag_runs(DAG_ID)}
    before = len(announced)
    drop(originals, stack.inbox)
    console.print(f"{len(originals)} files dropped; waiting for the watcher to start a run")
    posts: list[dict[str, Any]] = []

    def is_over() -> bool:
        runs = stack.airflow.dag_runs(DAG_ID)
        _announce(runs, announced, console)
        if len(runs) == before or any(run["state"] not in ENDED_STATES for run in runs):
            return False
        posts[:] = stack.posts()
        settled = [post for post in posts if post["state"] not in MOVING_STATES]
        return len(settled) == len(posts) >= len(originals)

    try:
        wait_until(
            is_over,
            deadline_s=RUN_DEADLINE_S,
            waiting_for="every file to have its outcome",
            check=stack.check_alive,
            interval_s=1.0,
        )
    except StackError as error:
        raise StackError(f"{error}\n{_where_it_stands(stack)}") from None
    return posts


def _announce(runs: list[dict[str, Any]], announced: set[str], console: Console) -> None:
    """Print the runs that were not there before."""
    for run in runs:
        if run["dag_run_id"] not in announced:
            announced.add(run["dag_run_id"])
            console.print(f"run {run['dag_run_id']} started", highlight=False)


def _where_it_stands(stack: Stack) -> str:
    """Say what became of runs and posts so far, for the error; it may itself fail."""
    try:
        lines = [
            f"  run {run['dag_run_id']}: {run['state']}" for run in stack.airflow.dag_runs(DAG_ID)
        ]
        lines += [f"  {one['file_name']}: {one['state']} {one['reason']}" for one in stack.posts()]
        lines += [f"  still in the inbox: {path.name}" for path in _files(stack.inbox)]
    except (StackError, ReelflowError, requests.RequestException) as error:
        lines = [f"  (cannot be told: {error})"]
    return "\n".join(lines or ["  no run, no post, an empty inbox"])


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
