"""What waits to be taken by a run, for the watcher that wakes the publishing DAG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reelflow.ledger import posts
from reelflow.services.backlog import held_back
from reelflow.services.intake.inbox import waiting_inbox
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class WaitingPosts:
    """What the ledger knows at one moment.

    :param names: of the posts that a run started now would take, at most a batch, so that its rest
        is new: when a run has claimed them, other names follow, or none
    :param held_back: the accounts whose next posts and files are to wait for those before them
    """

    names: frozenset[str]
    held_back: frozenset[str]

    def and_files(self, files: Mapping[str, str]) -> frozenset[str]:
        """Return the posts, and those files that are not held back.

        :param files: as :func:`waiting_files` returned them, now or a while ago
        """
        return self.names | {name for name, owner in files.items() if owner not in self.held_back}


def waiting_work(workspace: Workspace) -> frozenset[str]:
    """Name everything that wakes a run; empty when there is nothing to do."""
    return waiting_posts(workspace).and_files(waiting_files(workspace))


def waiting_posts(workspace: Workspace) -> WaitingPosts:
    """Name the posts that a run is to be woken for, and whose posts and files are to wait."""
    now, rules = workspace.ledger.now(), workspace.rules
    with workspace.ledger.read() as session:
        others = held_back(session, rules, now=now)
        waiting = posts.has_due(
            session,
            now=now,
            max_lateness=rules.max_lateness,
            limit=rules.batch_size,
            but_not_of=others,
        )
    return WaitingPosts(frozenset(f"post:{post_id}" for post_id in waiting), others)


def waiting_files(workspace: Workspace) -> dict[str, str]:
    """Name all files and photo folders that wait in the inbox, each with its account."""
    return {
        f"inbox:{item.inbox_path}:{item.identity}": item.account
        for item in waiting_inbox(workspace)
    }
