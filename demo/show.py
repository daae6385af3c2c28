"""Sends the demo's files through a running stack and waits until every one has its outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from demo.cases import Original, drop
from demo.exceptions import StackError
from demo.stack import DAG_ID, Stack
from demo.waiting import wait_until

RUN_DEADLINE_S = 210.0
#: States in which nothing more happens to a post of the demo.
FINAL_STATES = frozenset(
    {"PUBLISHED", "PUBLISHED_NO_LINK", "IN_INBOX", "REJECTED", "FAILED", "CANCELLED", "UNKNOWN"}
)
ENDED_RUN_STATES = frozenset({"success", "failed"})


def send_through(stack: Stack, originals: list[Original], console: Console) -> list[dict[str, Any]]:
    """Drop the files, then wait for the run that they set off; nothing else starts one.

    :return: the ledger's posts
    :raises StackError: if a component dies, or the deadline passes
    """
    for original in originals:
        drop(original, stack.inbox)
    console.print(f"{len(originals)} files dropped; waiting for the watcher to start a run")
    seen: list[str] = []

    def runs_ended() -> bool:
        runs = stack.airflow.dag_runs(DAG_ID)
        for run in runs:
            if run["dag_run_id"] not in seen:
                seen.append(run["dag_run_id"])
                console.print(f"run {run['dag_run_id']} started ({run['run_type']})")
        return bool(runs) and all(run["state"] in ENDED_RUN_STATES for run in runs)

    posts: list[dict[str, Any]] = []

    def all_final() -> bool:
        if not runs_ended():
            return False
        posts[:] = stack.posts()
        done = [post for post in posts if post["state"] in FINAL_STATES]
        return len(done) >= len(originals)

    try:
        wait_until(
            all_final,
            deadline_s=RUN_DEADLINE_S,
            waiting_for="every file to have its outcome",
            check=stack.check_alive,
            interval_s=1.0,
        )
    except StackError as error:
        raise StackError(f"{error}\n{_where_it_stands(stack)}") from None
    return posts


def _where_it_stands(stack: Stack) -> str:
    """Say what became of runs and posts so far, for the error; it may itself fail."""
    try:
        lines = [
            f"  run {run['dag_run_id']}: {run['state']}" for run in stack.airflow.dag_runs(DAG_ID)
        ]
        lines += [f"  {one['file_name']}: {one['state']} {one['reason']}" for one in stack.posts()]
        lines += [f"  still in the inbox: {path.name}" for path in _files(stack.inbox)]
    except (StackError, requests.RequestException) as error:
        lines = [f"  (cannot be told: {error})"]
    return "\n".join(lines or ["  no run, no post, an empty inbox"])


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
