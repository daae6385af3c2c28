"""What waits in the inbox: what becomes posts, and what a person must see to first."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Sequence, Set
from datetime import datetime
from itertools import zip_longest
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelflow.domain.photos import MAX_PHOTOS
from reelflow.ledger import accounts, claims
from reelflow.ledger.models import Media
from reelflow.services.workspace import Workspace
from reelflow.storage.inbox import InboxFile, InboxFolder, InboxListing

log = logging.getLogger(__name__)

#: A folder of more files was not meant as one post, and is left alone.
_FOLDER_MAX_FILES: Final = 10 * MAX_PHOTOS


def waiting_inbox(
    workspace: Workspace, listing: InboxListing | None = None
) -> list[InboxFile | InboxFolder]:
    """Return the quiet files and photo folders of known accounts that no row stands for yet.

    Each account's first comes before any account's second, and in each such turn the accounts come
    first of which no run has a post in hand.

    :param listing: of the inbox; it is read anew without one
    """
    # First: what another run takes from now on is among the rows, or not held any more.
    listing = listing or workspace.folders.read_inbox()
    with workspace.ledger.read() as session:
        busy = claims.in_hand(session, now=workspace.ledger.now())
        names = sorted(accounts.names(session), key=busy.__contains__)
        known = registered_files(session)
    return _in_turn(
        [
            item
            for name in names
            if not listing.is_closed(name)
            for item in _quiet(listing, name, quiet_since(workspace))
            if not is_registered(item, known)
        ]
    )


def registered_files(
    session: Session, *, at: Collection[str] | None = None
) -> set[tuple[str, str]]:
    """Return inbox path and identity of each file that a row stands for and that was not taken yet.

    :param at: the paths that matter; None for all
    """
    unmoved = select(Media.inbox_path, Media.inbox_identity).where(Media.moved_at.is_(None))
    query = unmoved if at is None else unmoved.where(Media.inbox_path.in_(at))
    return {(path, identity) for path, identity in session.execute(query)}


def is_registered(found: InboxFile | InboxFolder, registered: Set[tuple[str, str]]) -> bool:
    """Whether a row stands for one of the very files, as :func:`registered_files` returned them."""
    return any((file.inbox_path, file.identity) in registered for file in found.files)


def _quiet(
    listing: InboxListing, account: str, since: datetime
) -> Iterator[InboxFile | InboxFolder]:
    yield from listing.quiet_files(account, since)
    for folder in listing.quiet_folders(account, since):
        if folder_trouble(folder) is None:
            yield folder


def folder_trouble(folder: InboxFolder) -> str | None:
    """Say why a folder cannot become a photo post and waits, if so."""
    if folder.is_closed:
        return f"may not be read and written by user {os.getuid()}: change its owner or mode"
    if folder.inner_folders:
        inner = displayed(folder.inner_folders[0])
        return f"holds the folder {inner}: put the images of one post side by side"
    if not folder.files:
        return "holds no image: put the images of one post into it, or delete it"
    if len(folder.files) > _FOLDER_MAX_FILES:
        return (
            f"holds {len(folder.files)} files: make folders of at most {MAX_PHOTOS} images, one "
            "a post"
        )
    return None


def report_waiting(workspace: Workspace, listing: InboxListing) -> None:
    """Log what lies in the inbox and waits for a person."""
    with workspace.ledger.read() as session:
        unknown = set(listing.account_folders).difference(accounts.names(session))
    for name in listing.stray_files:
        log.warning(
            "inbox/%s lies in no account's folder, so it waits: move it into one", displayed(name)
        )
    for name in listing.account_folders:
        if name in unknown:
            log.warning(
                "inbox/%s belongs to no account, so its files wait: `reelflow accounts connect` "
                "adds one",
                displayed(name),
            )
        elif listing.is_closed(name):
            log.warning(
                "inbox/%s may not be read and written by user %d, so its files wait: change its "
                "owner or mode",
                displayed(name),
                os.getuid(),
            )
        else:
            _report_lonely_sidecars(listing, name, quiet_since(workspace))
            _report_folders(listing, name, quiet_since(workspace))


def displayed(name: str) -> str:
    """Return a file name that can be stored and shown: no control characters, valid Unicode."""
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)[
        :255
    ]


def _report_lonely_sidecars(listing: InboxListing, account: str, since: datetime) -> None:
    """Say which sidecars wait, so that an old one is no surprise to a later file of its name."""
    for name in listing.lonely_sidecars(account, since):
        log.warning(
            "inbox/%s/%s has no file or folder beside it and waits for one: delete it unless that "
            "is still to come",
            account,
            displayed(name),
        )


def _report_folders(listing: InboxListing, account: str, since: datetime) -> None:
    for folder in listing.quiet_folders(account, since):
        trouble = folder_trouble(folder)
        if trouble is not None:
            name = displayed(folder.name)
            log.warning("inbox/%s/%s waits, because it %s", account, name, trouble)


def quiet_since(workspace: Workspace) -> datetime:
    """Return since when file and sidecar must both have been left alone."""
    return workspace.ledger.now() - workspace.rules.inbox_quiet


def _in_turn(items: Sequence[InboxFile | InboxFolder]) -> list[InboxFile | InboxFolder]:
    """Return what was found so that each account's first comes before any account's second."""
    by_account: dict[str, list[InboxFile | InboxFolder]] = {}
    for item in items:
        by_account.setdefault(item.account, []).append(item)
    rounds = zip_longest(*by_account.values())
    return [item for turn in rounds for item in turn if item is not None]
