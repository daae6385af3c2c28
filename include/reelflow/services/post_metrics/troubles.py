"""Accounts whose counts a person must make possible: each trouble fails one run, and is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reelflow.ledger import post_metrics
from reelflow.services.post_metrics.collect import Refusal
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class ToldTrouble:
    """Why an account's counts are missing until a person acts.

    :param is_new: whether no other run told of it before
    """

    why: str
    since: datetime
    is_new: bool


def tell_troubles(
    workspace: Workspace, refused: Mapping[int, Refusal], *, run: str
) -> list[ToldTrouble]:
    """Remember why accounts cannot be asked, and return which of it is new to this run.

    A trouble ends when the account's counts are collected again; another one, by its code, is new.

    :param run: who tells; it is new to the same run again, however often that is cleared
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        return [
            ToldTrouble(refusal.why, known.since, known.told_by == run)
            for account_id, refusal in sorted(refused.items())
            for known in [
                post_metrics.tell_trouble(
                    session, account_id, code=refusal.code, why=refusal.why, run=run, now=now
                )
            ]
        ]
