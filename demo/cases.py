"""The files of the demo, what each is dropped with, and what must become of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo import media

PUBLISHED = "PUBLISHED"
REJECTED = "REJECTED"

# Two of the simulator's creators.
FIRST_ACCOUNT = "aurora.kitchen"
SECOND_ACCOUNT = "north.trail"
ACCOUNTS = (FIRST_ACCOUNT, SECOND_ACCOUNT)


@dataclass(frozen=True)
class Case:
    """One file and its expected outcome.

    :param file: its name in the inbox
    :param state: the state in which its post must end
    :param rule: the rule that must reject it; ``None`` if it is to be published
    :param sidecar: what lies beside it as ``<file>.json``; ``None`` for no sidecar
    :param several_chunks: whether it must go out in more than one chunk
    """

    file: str
    account: str
    make: Callable[[Path], None]
    state: str = PUBLISHED
    rule: str | None = None
    sidecar: dict[str, Any] | None = field(default=None, hash=False)
    several_chunks: bool = False


CASES = (
    Case(
        "landscape.mp4",
        FIRST_ACCOUNT,
        media.landscape_mp4,
        sidecar={"caption": "From dawn to dusk at the stove #reelflow", "disable_duet": True},
    ),
    Case("large.mp4", SECOND_ACCOUNT, media.large_mp4, several_chunks=True),
    Case(
        "portrait.mov",
        FIRST_ACCOUNT,
        media.portrait_mov,
        sidecar={
            "caption": "Upright, as the phone held it",
            "privacy_level": "PUBLIC_TO_EVERYONE",  # only public posts get a link
            "cover_timestamp_ms": 1500,
        },
    ),
    Case("screen.webm", SECOND_ACCOUNT, media.webm),
    Case("truncated.mp4", FIRST_ACCOUNT, media.truncated_mp4, REJECTED, "truncated"),
    Case("script.mp4", SECOND_ACCOUNT, media.text_called_mp4, REJECTED, "type"),
    Case("blink.mp4", FIRST_ACCOUNT, media.short_clip, REJECTED, "duration"),
)


@dataclass(frozen=True)
class Original:
    """A case's file as it was made.

    :param path: the copy that stays with the demo
    """

    case: Case
    path: Path
    size_bytes: int
    sha256: str


def make_originals(cases: Iterable[Case], folder: Path) -> list[Original]:
    """Make the files of all cases with ffmpeg."""
    originals = []
    for case in cases:
        path = media.make(case.make, folder / case.account / case.file)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        originals.append(Original(case, path, path.stat().st_size, sha256))
    return originals


def drop(originals: Iterable[Original], inbox: Path) -> None:
    """Put files and sidecars into their accounts' inbox folders, all within an instant.

    Each appears whole under its name: it is written under a hidden one, which nobody takes, then
    renamed; a sidecar before its file. All copies are made before the first is renamed, so that
    one look at the inbox finds all of them and one run takes them.
    """
    written = []
    for original in originals:
        folder = inbox / original.case.account
        if original.case.sidecar is not None:
            sidecar = folder / f".{original.case.file}.json"
            sidecar.write_text(json.dumps(original.case.sidecar, indent=2))
            written.append(sidecar)
        copied = folder / f".{original.case.file}"
        shutil.copyfile(original.path, copied)
        written.append(copied)
    for path in written:
        path.replace(path.with_name(path.name[1:]))
