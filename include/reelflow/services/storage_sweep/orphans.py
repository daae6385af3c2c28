"""Orphans: objects in our folders that no row of the ledger names.

An object is named by the id that it has in its key, of a file or an upload, or of a post in the
quarantine. A row is written before the first byte, and no id is given twice: what has no row after
two days never gets one. What has another name than ours is left alone, and so is the inbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reelflow.domain.ids import ID_PATTERN
from reelflow.ledger import photo_images
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Media, Post
from reelflow.services.storage_sweep.found import Found, Reason
from reelflow.services.uploads.media import ALLOW_DELETION
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import DASHBOARD, MEDIA, PREPARED, PROBES, QUARANTINE, THUMBNAILS

#: Older than all that may be under way: uploads end within hours, and a write within its own.
SAFE_AGE: Final = timedelta(days=2)
#: Keys that are looked up at once.
_AT_ONCE: Final = 500
_AFTER_ID: Final = r"(?![0-9a-zA-Z])[^/]*"
_BY_ID: Final = re.compile(rf"(?:{DASHBOARD}/)?[^/]+/(?P<id>{ID_PATTERN}){_AFTER_ID}")
#: A post's file and why it was rejected; of photos a folder, and what lies beside it.
_BY_POST: Final = re.compile(
    rf"{QUARANTINE}/[^/]+/(?P<post>[1-9][0-9]{{0,17}}){_AFTER_ID}(?:/[^/]+)?"
)


def find_orphans(workspace: Workspace) -> Iterator[Found]:
    """Give the objects that no row names, and that are old.

    What is older than all that the ledger knows was not made under it: it may be of another one.
    What is a link was put there by somebody.
    """
    with workspace.ledger.read() as session:
        first = session.scalar(select(func.min(Media.created_at)))
    if first is None:
        return
    before = workspace.ledger.now() - SAFE_AGE
    for folder, orphans_among in _ORPHANS_AMONG.items():
        plain = (info for info in workspace.folders.store.list(folder) if info.is_plain)
        old = (info for info in plain if first <= info.modified_at < before)
        while some := list(islice(old, _AT_ONCE)):
            with workspace.ledger.read() as session:
                orphans = orphans_among(session, [info.key for info in some])
            for info in some:
                if info.key in orphans:
                    yield Found(info.key, info.size_bytes, Reason.ORPHAN, info.modified_at)


def delete_orphan(workspace: Workspace, found: Found) -> bool:
    """Delete an orphan; False if it is none any more, or gone."""
    store, orphans_among = workspace.folders.store, _ORPHANS_AMONG[found.key.partition("/")[0]]
    with workspace.ledger.read() as session:
        if found.key not in orphans_among(session, [found.key]):
            return False
    info = store.stat(found.key)
    if info is None or info.modified_at != found.since:
        return False
    store.delete(found.key)
    return True


def _unknown_ids(session: Session, keys: Sequence[str]) -> set[str]:
    """Return the keys whose id no file and no upload has, or a file that has been deleted."""
    ids = {key: found["id"] for key, found in _parsed(_BY_ID, keys)}
    wanted = set(ids.values())
    begun = set(session.scalars(select(UploadSession.id).where(UploadSession.id.in_(wanted))))
    files = {one.id: one for one in session.scalars(select(Media).where(Media.id.in_(wanted)))}
    return {
        key
        for key, media_id in ids.items()
        if media_id not in begun and not _is_named(session, files.get(media_id), key)
    }


def _is_named(session: Session, media: Media | None, key: str) -> bool:
    """Whether a file's row stands for an object.

    A picture is put before its row tells of it, so all that has the id of a file is the file's,
    until it is deleted; then what is left of it are the pictures that its row still names. Its
    source is left where somebody moved it just then.
    """
    if media is None:
        return False
    candidates = [str(one["key"]) for one in media.candidates or ()]
    named = {media.prepared_path, media.thumbnail_path, *candidates}
    return key in named or _is_needed(session, media)


def _is_needed(session: Session, media: Media) -> bool:
    """Whether a file may be used: it is not deleted to the end, or a post of it is not final."""
    if media.deleted_at is None or media.deleting_since is not None:
        return True
    return not ALLOW_DELETION.issuperset(photo_images.states_with(session, media.id).values())


def _unknown_posts(session: Session, keys: Sequence[str]) -> set[str]:
    """Return the keys whose post there is not, or has no file any more.

    While a post has its files, they may be on their way into the quarantine, or out of it.
    """
    ids = {key: int(found["post"]) for key, found in _parsed(_BY_POST, keys)}
    query = select(Post).where(Post.id.in_(set(ids.values())))
    needed = {
        post.id
        for post in session.scalars(query)
        if any(_is_needed(session, media) for media in photo_images.media_of(session, post))
    }
    named = set(session.scalars(select(Media.source_path).where(Media.source_path.in_(list(ids)))))
    return {key for key, post_id in ids.items() if post_id not in needed and key not in named}


def _probes(_: Session, keys: Iterable[str]) -> set[str]:
    """Return the keys of what `reelflow doctor` tried out: no row ever names it."""
    return {key for key, _ in _parsed(_BY_ID, keys)}


def _parsed(pattern: re.Pattern[str], keys: Iterable[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """Give the keys that are named as ours."""
    for key in keys:
        found = pattern.fullmatch(key)
        if found:
            yield key, found


#: How the orphans are told among keys, by folder. Objects of forms have a sweep of their own, which
#: is sooner (:mod:`reelflow.services.uploads.sweep.strays`).
_ORPHANS_AMONG: Final[Mapping[str, Callable[[Session, Sequence[str]], set[str]]]] = {
    MEDIA: _unknown_ids,
    PREPARED: _unknown_ids,
    THUMBNAILS: _unknown_ids,
    DASHBOARD: _unknown_ids,
    QUARANTINE: _unknown_posts,
    PROBES: _probes,
}
