"""The data folder of a workspace as files, which tests look at and change behind its back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reelflow.services.workspace import Workspace
from reelflow.storage.local_store import LocalStore


@dataclass(frozen=True)
class DataFolder:
    """A store's root and the folders in it."""

    root: Path

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def thumbnails(self) -> Path:
        return self.root / "thumbnails"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    def path(self, key: str) -> Path:
        """Return where an object lies whose name needs no encoding."""
        return self.root / key


def data_folder(workspace: Workspace) -> DataFolder:
    """Return the data folder of a workspace whose store is one."""
    store = workspace.folders.store
    assert isinstance(store, LocalStore)
    return DataFolder(store.root)
