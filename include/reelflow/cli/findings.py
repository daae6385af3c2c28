"""What a check of ``reelflow doctor`` found, and running checks so that none stops another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from reelflow.exceptions import ReelflowError


class Status(StrEnum):
    """How bad it is; only a problem stops posts."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's answer.

    :param check: what was looked at, in a word or two
    :param message: what was found, with values and without secrets
    :param fix: what to do; None when the message says it, or nothing is to be done
    """

    check: str
    status: Status
    message: str
    fix: str | None = None


#: Yields what it finds and changes nothing; what it raises becomes a problem.
Check = Callable[[], Iterator[Finding]]


def run_check(name: str, check: Check) -> list[Finding]:
    """Return what a check finds, its own failure included."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except ReelflowError as error:
        found.append(Finding(name, Status.PROBLEM, str(error)))
    except Exception as error:  # noqa: BLE001 - a broken check must not hide the others' answers
        sentence = f"could not be checked ({type(error).__name__}: {error})"
        found.append(Finding(name, Status.PROBLEM, sentence))
    return found
