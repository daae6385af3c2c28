"""Makes videos and photos that no two posts share, without writing their padding."""

from __future__ import annotations

import hashlib
import io
import uuid
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from reelflow.media.prepared_photo import prepare_photo
from reelflow.source import BytesSource
from tests import media_files

_GPS = 0x8825  # the EXIF tag of where a photo was taken


@dataclass(frozen=True)
class Dropped:
    """What was put into the inbox.

    :param size_bytes: of what TikTok gets of it
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
    """Make a folder of two small real JPEGs in an inbox folder.

    The second one says where it was taken, so TikTok gets a copy of it.
    """
    hidden = folder / f".{name}"
    hidden.mkdir()
    size_bytes, lines = 0, ""
    for number, is_placed in enumerate((False, True), 1):
        data = _photo(is_placed=is_placed)
        (hidden / f"{number}.jpg").write_bytes(data)
        sent = _copy_of(data) if is_placed else data
        size_bytes += len(sent)
        lines += f"{hashlib.sha256(sent).hexdigest()}\n"
    hidden.rename(folder / name)
    return Dropped(size_bytes, hashlib.sha256(lines.encode()).hexdigest())


def _photo(*, is_placed: bool) -> bytes:
    """Give a picture whose 16 squares are of shades that no other has."""
    squares = Image.frombytes("L", (4, 4), uuid.uuid4().bytes)
    exif = Image.Exif()
    exif.get_ifd(_GPS)[1] = "N"
    metadata = {"exif": exif} if is_placed else {}
    written = io.BytesIO()
    squares.resize((640, 480), Image.Resampling.NEAREST).save(written, "JPEG", **metadata)
    return written.getvalue()


def _copy_of(data: bytes) -> bytes:
    written = io.BytesIO()
    prepare_photo(BytesSource(data), written)
    return written.getvalue()
