"""What the disk was told to keep, in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def log_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the log: what is synced below a store's root, and what is named from now on."""
    told: list[str] = []
    rename = os.rename

    def keep(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink().relative_to(root)
        told.append(f"{path.parent.name}/*{path.suffix}" if path.suffix else str(path))

    def note(old: str, new: str, **folders: int) -> None:
        rename(old, new, **folders)
        told.append(f"named {new}")

    monkeypatch.setattr(os, "fsync", keep)
    monkeypatch.setattr(os, "fdatasync", keep)
    monkeypatch.setattr(os, "rename", note)
    return told
