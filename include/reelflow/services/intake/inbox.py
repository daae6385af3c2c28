"""What waits in the inbox: what becomes posts, and what a person must see to first."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from sqlalchemy import select

from reelflow.domain.photos import MAX_PHOTOS
from reelflow.ledger import accounts
from reelflow.ledger.models import Media
from reelflow.services.workspace import Workspace
from reelflow.storage.local import InboxFile, InboxFolder

log = logging.getLogger(__name__)

#: A folder of more files was not meant as one post, and is left alone.
_FOLDER_MAX_FILES: Final = 10 * MAX_PHOTOS


def waiting_inbox(workspace: Workspace) -> list[InboxFile | InboxFolder]:
    """Return the quiet files and photo folders of known accounts that no row stands for yet."""
    with workspace.ledger.read() as session:
        names = accounts.names(session)
        unmoved = select(Media.inbox_path, Media.inbox_inode).where(Media.moved_at.is_(None))
        known = {(path, inode) for path, inode in session.execute(unmoved)}
    found: list[InboxFile | InboxFolder] = [
        *workspace.folders.quiet_files(names, **_window(workspace)),
        *(
            folder
            for folder in workspace.folders.quiet_folders(names, **_window(workspace))
            if folder_trouble(folder) is None
        ),
    ]
    return _in_turn(
        [
            item
            for item in found
            if not any((file.inbox_path, file.inode) in known for file in item.files)
        ]
    )


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


def report_waiting(workspace: Workspace) -> None:
    """Log what lies in the inbox and waits for a person."""
    unknown = unknown_folders(workspace)
    for name in workspace.folders.account_folders():
        if name in unknown:
            log.warning(
                "inbox/%s belongs to no account, so its files wait: `reelflow accounts connect` "
                "adds one",
                displayed(name),
            )
        elif workspace.folders.is_closed(name):
            log.warning(
                "inbox/%s may not be read and written by user %d, so its files wait: change its "
                "owner or mode",
                displayed(name),
                os.getuid(),
            )
        else:
            _report_lonely_sidecars(workspace, name)
            _report_folders(workspace, name)


def unknown_folders(workspace: Workspace) -> list[str]:
    """Return the inbox folders that belong to no account; their files wait."""
    with workspace.ledger.read() as session:
        names = frozenset(accounts.names(session))
    return [name for name in workspace.folders.account_folders() if name not in names]


def displayed(name: str) -> str:
    """Return a file name that can be stored and shown: no control characters, valid Unicode."""
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)[
        :255
    ]


def _report_lonely_sidecars(workspace: Workspace, account: str) -> None:
    """Say which sidecars wait, so that an old one is no surprise to a later file of its name."""
    for name in workspace.folders.lonely_sidecars(account, **_window(workspace)):
        log.warning(
            "inbox/%s/%s has no file or folder beside it and waits for one: delete it unless that "
            "is still to come",
            account,
            displayed(name),
        )


def _report_folders(workspace: Workspace, account: str) -> None:
    for folder in workspace.folders.quiet_folders([account], **_window(workspace)):
        trouble = folder_trouble(folder)
        if trouble is not None:
            name = displayed(folder.path.name)
            log.warning("inbox/%s/%s waits, because it %s", account, name, trouble)


def _window(workspace: Workspace) -> dict[str, float]:
    return {
        "now_s": workspace.ledger.now().timestamp(),
        "quiet_s": workspace.rules.inbox_quiet.total_seconds(),
    }


def _in_turn(items: Sequence[InboxFile | InboxFolder]) -> list[InboxFile | InboxFolder]:
    """Return what was found so that each account's first comes before any account's second."""
    by_account: dict[str, list[InboxFile | InboxFolder]] = {}
    for item in items:
        by_account.setdefault(item.account, []).append(item)
    rounds = zip_longest(*by_account.values())
    return [item for turn in rounds for item in turn if item is not None]
