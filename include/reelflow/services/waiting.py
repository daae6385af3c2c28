"""What waits to be taken by a run, for the watcher that wakes the publishing DAG."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from reelflow.ledger import claims, posts
from reelflow.services.intake.inbox import waiting_inbox
from reelflow.services.workspace import Workspace

#: With fewer posts in hand, workers would be idle by the time that the next run has begun.
_FEWEST_IN_HAND: Final = 50


def waiting_work(workspace: Workspace) -> frozenset[str]:
    """Name everything that wakes a run; empty when there is nothing to do."""
    return waiting_posts(workspace) | waiting_files(workspace)


def waiting_posts(workspace: Workspace) -> frozenset[str]:
    """Name the posts that a run is to be woken for: at most a batch, so that its rest is new.

    When a run has claimed them, other names follow, or none.
    """
    now, rules = workspace.ledger.now(), workspace.rules
    with workspace.ledger.read() as session:
        waiting = posts.has_due(
            session,
            now=now,
            max_lateness=rules.max_lateness,
            limit=rules.batch_size,
            but_not_of=_held_back(workspace, session),
        )
    return frozenset(f"post:{post_id}" for post_id in waiting)


def waiting_files(workspace: Workspace) -> frozenset[str]:
    """Name the files and photo folders in the inbox that a run is to be woken for."""
    waiting = waiting_inbox(workspace)
    with workspace.ledger.read() as session:
        held_back = _held_back(workspace, session)
    return frozenset(
        f"inbox:{item.inbox_path}:{item.identity}"
        for item in waiting
        if item.account not in held_back
    )


def _held_back(workspace: Workspace, session: Session) -> frozenset[str]:
    """Name the accounts that wake no run until more of what runs have in hand is sent.

    Airflow's scheduler goes through every task that waits, in each of its loops: with some hundred
    posts in hand it publishes fewer a minute, not more. An account's next posts would wait behind
    its first ones all the same; an account that has nothing in hand waits for no other's.
    """
    in_hand = claims.in_hand(session, now=workspace.ledger.now())
    plenty = max(workspace.rules.batch_size // 2, _FEWEST_IN_HAND)
    return frozenset(in_hand) if sum(in_hand.values()) >= plenty else frozenset()
