"""What waits to be taken by a run, for the watcher that wakes the publishing DAG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reelflow.ledger import posts
from reelflow.ledger.fair_batch import Share
from reelflow.services.backlog import share_of_backlog
from reelflow.services.intake.inbox import waiting_inbox
from reelflow.services.workspace import Workspace


@dataclass(frozen=True)
class WaitingPosts:
    """What the ledger knows at one moment.

    :param names: of the posts that a run started now would take, at most a batch, so that its rest
        is new: when a run has claimed them, other names follow, or none. Each with the moment it
        is due, so that one that was put off is new when it comes back
    :param share: what such a run may take of each account; None when that is all
    """

    names: frozenset[str]
    share: Share | None

    def and_files(self, files: Mapping[str, str]) -> frozenset[str]:
        """Return the posts, and the files of accounts of which a run may take something.

        :param files: as :func:`waiting_files` returned them, now or a while ago
        """
        share = self.share or Share()
        return self.names | {name for name, owner in files.items() if share.has_room_for(owner)}


def waiting_posts(workspace: Workspace) -> WaitingPosts:
    """Name the posts that a run is to be woken for, and say whose files it is to be."""
    now, rules = workspace.ledger.now(), workspace.rules
    with workspace.ledger.read() as session:
        share = share_of_backlog(session, batch_size=rules.batch_size, now=now)
        waiting = posts.has_due(
            session,
            now=now,
            max_lateness=rules.max_lateness,
            limit=rules.batch_size,
            share=share,
        )
        due_at = posts.due_times(session, waiting)
    names = (f"post:{post_id}@{due_at[post_id]:%Y-%m-%dT%H:%M:%S.%f}" for post_id in waiting)
    return WaitingPosts(frozenset(names), share)


def waiting_files(workspace: Workspace) -> dict[str, str]:
    """Name all files and photo folders that wait in the inbox, each with its account."""
    return {
        f"inbox:{item.inbox_path}:{item.identity}": item.account
        for item in waiting_inbox(workspace)
    }
