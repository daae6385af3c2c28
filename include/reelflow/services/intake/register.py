"""Registering: makes a post of each new file or photo folder in the inbox, and empties that.

The rows of a post are committed at once and first, then its files are moved; a crash in between
is finished by the next run.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import LedgerLockedError, ReelflowError
from reelflow.ledger import batches, claims
from reelflow.ledger.models import Post
from reelflow.services.backlog import share_of_backlog
from reelflow.services.intake.inbox import (
    displayed,
    is_registered,
    registered_files,
    report_waiting,
    waiting_inbox,
)
from reelflow.services.intake.inbox_posts import write_posts
from reelflow.services.intake.inbox_wish import read_wish
from reelflow.services.intake.moves import Waiting, take_out
from reelflow.services.intake.side_by_side import side_by_side
from reelflow.services.workspace import PublishingRules, Workspace
from reelflow.storage.inbox import InboxFile, InboxFolder

log = logging.getLogger(__name__)

#: So many files are registered in one transaction: others wait for it.
_AT_ONCE: Final = 20
#: What a hostile file may bring about.
_TROUBLE: Final = (ReelflowError, OSError, ValueError, OverflowError, SQLAlchemyError)


def register_inbox(workspace: Workspace, *, run: NormalRun, actor: str) -> list[int]:
    """Make posts of what waits in the inbox, at most a batch of them, and move their files out.

    What is left is work still, which wakes the next run: no run is long before its first upload.

    :return: the ids of the new posts
    """
    listing = workspace.folders.read_inbox()
    report_waiting(workspace, listing)
    waiting = waiting_inbox(workspace, listing)[: workspace.rules.batch_size]
    registered: list[int] = []
    for first in range(0, len(waiting), _AT_ONCE):
        some = waiting[first : first + _AT_ONCE]
        registered += _register_some(workspace, some, run=run, actor=actor)
    return registered


def _register_some(
    workspace: Workspace, found: Sequence[InboxFile | InboxFolder], *, run: NormalRun, actor: str
) -> list[int]:
    """Register some in one transaction, which costs a fraction of one for each."""
    try:
        new = _register(workspace, found, run=run, actor=actor)
    except LedgerLockedError:
        raise  # no matter of these files: every other would wait as long
    except _TROUBLE:
        # Nothing was written: each on its own, so that one that nobody foresaw stops no other.
        alone = (_try_register(workspace, one, run=run, actor=actor) for one in found)
        new = [one for registered in alone for one in registered]
    take_out(workspace, new, actor=actor)
    return [one.post.id for one in new]


def _try_register(
    workspace: Workspace, found: InboxFile | InboxFolder, *, run: NormalRun, actor: str
) -> list[Waiting]:
    try:
        return _register(workspace, [found], run=run, actor=actor)
    except LedgerLockedError:
        raise
    except _TROUBLE as exc:
        # What a disk says of a file is hostile: a value the ledger refuses is this file's alone.
        if isinstance(exc, IntegrityError) and _is_another_runs(workspace, found):
            return []
        log.exception(
            "%s cannot be registered and stays in the inbox (%s): put it in again under a plain "
            "name, with `touch`ed times",
            displayed(f"inbox/{found.account}/{found.name}"),
            type(exc).__name__,
        )
        return []


def _is_another_runs(workspace: Workspace, found: InboxFile | InboxFolder) -> bool:
    """Whether another run was faster: PostgreSQL lets two look at once, and one write."""
    with workspace.ledger.read() as session:
        registered = _registered_among(session, [found])
    return is_registered(found, registered) or not workspace.folders.holds(found)


def _register(
    workspace: Workspace, found: Sequence[InboxFile | InboxFolder], *, run: NormalRun, actor: str
) -> list[Waiting]:
    """Write the rows of some; of one that another run took, or somebody writes to, there are none.

    :return: the new posts, whose files lie in the inbox still
    """
    wishes = side_by_side(partial(read_wish, workspace.folders), found)
    with workspace.ledger.write() as session:
        # The ledger first: what another run took is registered there until it is gone from here.
        registered = _registered_among(session, found)
        held = side_by_side(workspace.folders.holds, found)
        wanted = [
            (one, wish)
            for one, wish, is_held in zip(found, wishes, held, strict=True)
            if is_held and wish is not None and not is_registered(one, registered)
        ]
        new = write_posts(session, wanted, now=workspace.ledger.now(), actor=actor)
        _join_batch(workspace, session, [one.post for one in new], run=run)
    return [
        Waiting(one.post, one.files, may_have_sidecar=source.sidecar_identity is not None)
        for (source, _), one in zip(wanted, new, strict=True)
    ]


def _registered_among(
    session: Session, found: Sequence[InboxFile | InboxFolder]
) -> set[tuple[str, str]]:
    return registered_files(session, at={file.inbox_path for one in found for file in one.files})


def _join_batch(
    workspace: Workspace, session: Session, new: Sequence[Post], *, run: NormalRun
) -> None:
    """Let posts that are to go out now join the run that registers them, while it has room.

    In a backlog none do of accounts that are to wait: a later run takes them.
    """
    now, rules = workspace.ledger.now(), workspace.rules
    room = rules.batch_size - len(batches.post_ids(session, run.run_id))
    going = [post for post in new if post.state is not PostState.HELD and post.publish_at is None]
    lets = _share(session, rules, run, now=now)
    joining = [post.id for post in going if lets(post.account.name)][: max(room, 0)]
    batches.append(session, run.run_id, joining, now=now)
    claims.claim(session, joining, run_id=run.run_id, now=now, claim=rules.claim)


def _share(
    session: Session, rules: PublishingRules, run: NormalRun, *, now: datetime
) -> Callable[[str], bool]:
    """Return what counts the posts that join, and says whether one more of an account may."""
    size, run_id = rules.batch_size, run.run_id
    share = share_of_backlog(session, batch_size=size, now=now, run_id=run_id)
    if share is None:
        return lambda _: True
    own = Counter(claims.in_hand(session, now=now, only_of=run_id))

    def lets(account: str) -> bool:
        own[account] += 1
        return share.has_room_for(account) and own[account] <= share.most_each

    return lets
