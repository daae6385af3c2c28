"""The cover picture of a video or image: a small JPEG without metadata."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

from reelflow.domain.media import MediaFacts, Violation
from reelflow.exceptions import MediaRejectedError, StorageFullError
from reelflow.media.commands import frame_command
from reelflow.media.runner import run_tool
from reelflow.media.source import open_source

MAX_SIDE_PX = 640

_COVER_POSITION = 0.3  # of the duration: past titles and fades
_LATEST_COVER_S = 60.0


def make_thumbnail(
    source: Path, target: Path, facts: MediaFacts, *, at_s: float | None = None
) -> tuple[int, int]:
    """Write a JPEG cover of at most `MAX_SIDE_PX` a side; a smaller picture is not enlarged.

    The target appears whole or not at all.

    :param facts: of `source`, from `inspect_media`
    :param at_s: show exactly this moment; without it, a keyframe near the first third, which costs
        a seventh of the work
    :return: width and height of the thumbnail
    :raises MediaRejectedError: no frame can be decoded
    :raises MediaUnreadableError: the source is missing, a link, or not a plain file
    :raises MediaToolError: ffmpeg is missing or ran out of time; trying again may work
    :raises StorageFullError: the disk of the target is full
    :raises OSError: the target cannot be written
    """
    with open_source(source) as source_fd:
        if facts.kind == "image":
            picture, size = _shrink_image(source_fd)
        else:
            picture, size = _grab_frame(source_fd, facts, at_s)
    _write_whole(target, picture)
    return size


def _shrink_image(source_fd: int) -> tuple[bytes, tuple[int, int]]:
    from reelflow.media.images import shrink_image

    with os.fdopen(os.dup(source_fd), "rb") as source:
        source.seek(0)
        return shrink_image(source, max_side_px=MAX_SIDE_PX)


def _grab_frame(
    source_fd: int, facts: MediaFacts, at_s: float | None
) -> tuple[bytes, tuple[int, int]]:
    """Try the wished moment, then plainly the first frame.

    ffmpeg's exit code says little (it fails after writing a good picture, and succeeds without
    one), so the picture itself is the judge.
    """
    from reelflow.media.images import jpeg_size

    moment_s = _cover_moment(facts.duration_s) if at_s is None else at_s
    errors = ""
    for attempt_s, keyframes_only in ((moment_s, at_s is None), (0.0, False)):
        picture, errors = _run_frame_command(source_fd, facts, attempt_s, keyframes_only)
        size = jpeg_size(picture)
        if size is not None and max(size) <= MAX_SIDE_PX:
            return picture, size
    raise _undecodable(errors)


def _run_frame_command(
    source_fd: int, facts: MediaFacts, at_s: float, keyframes_only: bool
) -> tuple[bytes, str]:
    """Let ffmpeg write one picture into memory, where no full disk can fail it."""
    with os.fdopen(os.memfd_create("frame"), "rb") as frame:
        command = frame_command(
            source_fd,
            frame.fileno(),
            at_s=at_s,
            max_side_px=MAX_SIDE_PX,
            keyframes_only=keyframes_only,
            hdr=facts.hdr_transfer is not None,
        )
        result = run_tool(command, pass_fds=[source_fd, frame.fileno()])
        return frame.read(), result.stopped_by_limit or result.stderr


def _cover_moment(duration_s: float | None) -> float:
    return min(_COVER_POSITION * (duration_s or 0), _LATEST_COVER_S)


def _undecodable(errors: str) -> MediaRejectedError:
    violation = Violation(
        "undecodable",
        "no frame of the video can be decoded",
        "a video ffmpeg can decode",
        "export the video again, as H.264 in MP4",
    )
    message = f"No thumbnail: {violation.value}; {violation.fix}."
    return MediaRejectedError(message, violations=[violation.as_dict()], ffmpeg=errors[-500:])


def _write_whole(target: Path, data: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as written:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
        part.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"No room is left on the disk of {str(target.parent)!r}; free some space."
            raise StorageFullError(message) from error
        raise
    finally:
        part.unlink(missing_ok=True)
