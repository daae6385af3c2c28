"""Looking into uploaded files that no post publishes yet, so that their user sees what they are.

Nothing is decided: the post that a file is given to validates it as any other. Each file is looked
into once; what cannot be measured then is left to that post's own stages.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from reelflow.digest import sha256_of
from reelflow.domain.media import MediaFacts, publishing_violations
from reelflow.domain.photos import image_violations, is_picture
from reelflow.domain.violation import Violation
from reelflow.exceptions import (
    MediaRejectedError,
    MediaToolError,
    MediaUnreadableError,
    ObjectNotFoundError,
    SourceChangedError,
)
from reelflow.ledger import lone_media
from reelflow.ledger.models import Media
from reelflow.media.inspection import examine
from reelflow.media.repair_line import repair_line
from reelflow.services.intake.house_policy import policy_of
from reelflow.services.workspace import Workspace
from reelflow.source import Source

_log = logging.getLogger(__name__)

#: What queries and people find on the row itself.
_COLUMNS: Final = (
    "container",
    "duration_s",
    "display_width",
    "display_height",
    "video_codec",
    "average_frame_rate",
)
_GONE: Final = Violation(
    "gone", "a file that was deleted or changed", "the file as it came", "upload it again"
)


@dataclass(frozen=True)
class _Seen:
    """What was found out about a file.

    :param facts: None where it could not be measured
    :param sha256: None where it could not be read
    :param cover: a JPEG; None where none could be made
    """

    facts: MediaFacts | None = None
    sha256: str | None = None
    cover: bytes | None = None
    violations: tuple[Violation, ...] = ()


def waiting_lone_media(workspace: Workspace) -> list[str]:
    """Return the ids of the files that a run started now would look into."""
    with workspace.ledger.read() as session:
        return list(lone_media.unmeasured(session, limit=workspace.rules.batch_size))


def measure_lone_media(workspace: Workspace, media_id: str) -> bool:
    """Look into a file, and keep what was found out and a picture of it.

    :return: False if that was done before, or is not wanted any more: nothing was kept
    """
    with workspace.ledger.read() as session:
        media = lone_media.get_unmeasured(session, media_id)
    if media is None:
        return False
    seen = _see(workspace, media)
    kept = None
    if seen.cover is not None:
        kept = workspace.folders.put_thumbnail(media_id, seen.cover)
    with workspace.ledger.write() as session:
        row = lone_media.get_unmeasured(session, media_id, lock=True)
        if row is not None:
            _keep(row, seen, kept)
            row.extracted_at = workspace.ledger.now()
            return True
        left = session.get(Media, media_id)
    is_gone = left is None or left.deleted_at is not None
    if is_gone and kept is not None:
        workspace.folders.store.delete(kept)
    return False


def _see(workspace: Workspace, media: Media) -> _Seen:
    try:
        with workspace.folders.open(media.source_path, identity=media.source_identity) as source:
            sha256 = media.sha256 or sha256_of(source)
            try:
                return _measured(workspace, media, source, sha256)
            except MediaToolError as exc:
                _log.warning("%s is measured when it is published: %s", media.id, exc)
                return _Seen(sha256=sha256)
    except (MediaUnreadableError, SourceChangedError, ObjectNotFoundError) as exc:
        _log.warning("%s cannot be read: %s", media.id, exc)
        return _Seen(violations=(_GONE,))


def _measured(workspace: Workspace, media: Media, source: Source, sha256: str) -> _Seen:
    cover = None
    with examine(source, with_covers=True) as examination:
        facts = examination.facts
        broken = _broken_rules(workspace, media, facts)
        if not broken:
            try:
                cover = examination.cover().jpeg
            except MediaRejectedError as exc:
                broken = [Violation(**one) for one in exc.violations]
    return _Seen(facts, sha256, cover, tuple(broken))


def _broken_rules(workspace: Workspace, media: Media, facts: MediaFacts) -> list[Violation]:
    if is_picture(facts):
        return image_violations(facts, media.file_name)
    house = policy_of(media, workspace.rules.house)
    return publishing_violations(facts, media.file_name, repair_line, house)


def _keep(row: Media, seen: _Seen, thumbnail: str | None) -> None:
    row.sha256 = seen.sha256
    row.violations = [broken.as_dict() for broken in seen.violations] or None
    row.thumbnail_path = thumbnail
    if seen.facts is not None:
        row.facts = seen.facts.as_dict()
        for name in _COLUMNS:
            setattr(row, name, getattr(seen.facts, name))
