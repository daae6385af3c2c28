"""Runs actions at the same moment, each in a process of its own, as Airflow's tasks are."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy.exc import IntegrityError

from reelflow.exceptions import ReelflowError

DEADLINE_S = 60.0


def race(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return what each action returned; where it was refused, the error's class."""
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(len(actions))
    runners = []
    for action in actions:
        ours, theirs = fork.Pipe(duplex=False)
        process = fork.Process(target=_run, args=(start, action, theirs))
        process.start()
        theirs.close()
        runners.append((process, ours))
    try:
        answers = []
        for _, ours in runners:
            assert ours.poll(DEADLINE_S), "a racing process said nothing"
            answers.append(ours.recv())
        return answers
    finally:
        for process, ours in runners:
            ours.close()
            process.join(timeout=DEADLINE_S)
            if process.is_alive():
                process.kill()
                process.join()


def _run(start: Barrier, action: Callable[[], Any], answer: Connection) -> None:
    start.wait(timeout=DEADLINE_S)
    try:
        answer.send(action())
    except (ReelflowError, IntegrityError) as exc:
        answer.send(type(exc))
