"""Makes videos and photos that no two posts share, without writing their padding."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests import media_files, photo_files


@dataclass(frozen=True)
class Dropped:
    """What was put into the inbox.

    :param sha256: as the simulator has it; for photos of the lines that their hashes make
    """

    size_bytes: int
    sha256: str


def drop_video(folder: Path, file_name: str, *, size_bytes: int = 0) -> Dropped:
    """Make a small real MP4 in an inbox folder, padded to a size by a free box.

    It appears whole: it is written under a hidden name first.
    """
    data = media_files.h264_mp4().read_bytes()
    filler = max(size_bytes - len(data) - 8, 16)
    hidden = folder / f".{file_name}"
    with hidden.open("w+b") as file:
        file.write(data + (filler + 8).to_bytes(4, "big") + b"free" + uuid.uuid4().bytes)
        file.truncate(len(data) + 8 + filler)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    hidden.rename(folder / file_name)
    return Dropped(len(data) + 8 + filler, sha256)


def drop_photos(folder: Path, name: str) -> Dropped:
    """Make a folder of two small real JPEGs in an inbox folder."""
    hidden = folder / f".{name}"
    hidden.mkdir()
    size_bytes, lines = 0, ""
    for number in (1, 2):
        data = photo_files.image(size=(640, 480), shade=100 * number) + uuid.uuid4().bytes
        (hidden / f"{number}.jpg").write_bytes(data)
        size_bytes += len(data)
        lines += f"{hashlib.sha256(data).hexdigest()}\n"
    hidden.rename(folder / name)
    return Dropped(size_bytes, hashlib.sha256(lines.encode()).hexdigest())
