"""The videos of a case: small, real, no two alike, and appearing in the inbox in one instant."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests import media_files


@dataclass(frozen=True)
class Video:
    """One file, and what TikTok has to get for it.

    :param account: the account whose inbox it is put into
    """

    account: str
    file_name: str
    size_bytes: int
    sha256: str


def unique_video_bytes() -> bytes:
    """Make a video of 1.5 s whose bytes no other has: a free box at its end holds a random id."""
    return media_files.h264_mp4().read_bytes() + b"\0\0\0\x18free" + uuid.uuid4().bytes


def drop_videos(
    inbox: Path,
    accounts: Sequence[str],
    count: int,
    *,
    sidecars: Sequence[Mapping[str, Any]] = (),
    broken: int = 0,
) -> list[Video]:
    """Put videos into the accounts' inboxes in turn, all within an instant.

    All are written under hidden names first, which nobody takes; so one look finds all of them.

    :param sidecars: of the first videos, in their order
    :param broken: so many of the last ones are texts that call themselves videos
    """
    videos, hidden = [], []
    for number in range(count):
        is_broken = number >= count - broken
        data = f"no video {uuid.uuid4()}".encode() if is_broken else unique_video_bytes()
        account = accounts[number % len(accounts)]
        name = f"{uuid.uuid4().hex[:10]}.mp4"
        if number < len(sidecars):
            hidden.append(_write(inbox / account / f".{name}.json", _json(sidecars[number])))
        hidden.append(_write(inbox / account / f".{name}", data))
        videos.append(Video(account, name, len(data), sha256(data).hexdigest()))
    _show(hidden)
    return videos


def remove_files(*folders: Path) -> None:
    """Empty folders of their files."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()


def _json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(fields)).encode()


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _show(hidden: Iterable[Path]) -> None:
    """Give files their names; a sidecar comes before its file."""
    for path in hidden:
        path.rename(path.with_name(path.name[1:]))
