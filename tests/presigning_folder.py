"""A data folder that signs forms as a bucket does, for what needs no S3 to be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reelflow.services.workspace import Workspace
from reelflow.storage.base import ObjectInfo, PresignedPost
from reelflow.storage.folders import Folders
from reelflow.storage.local_reader import LocalReader
from reelflow.storage.local_store import LocalStore
from tests.data_folder import data_folder


class PresigningFolder(LocalStore):
    """A folder under which others may put objects, by forms that nobody checks.

    :ivar before_open: called once, before an object is opened the next time
    :ivar before_put: called once, before an object is stored the next time
    :ivar after_put: ... and after
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before_open: Callable[[], object] | None = None
        self.before_put: Callable[[], object] | None = None
        self.after_put: Callable[[], object] | None = None

    def object_name(self, key: str) -> str:
        return f"prefix/{key}"

    def presigned_get(self, key: str, *, lifetime_s: int, content_type: str | None = None) -> str:
        return f"https://bucket.example/prefix/{key}?for={lifetime_s}"

    def presigned_post(
        self, key: str, *, size_bytes: int, content_type: str, lifetime_s: int
    ) -> PresignedPost:
        fields = {"key": f"prefix/{key}", "Content-Type": content_type, "for": str(lifetime_s)}
        return PresignedPost("https://bucket.example", fields)

    @contextmanager
    def open(self, key: str, *, identity: str | None = None) -> Iterator[LocalReader]:
        self._happen("before_open")
        with super().open(key, identity=identity) as reader:
            yield reader

    def put(self, key: str, content: Any, **options: Any) -> ObjectInfo:
        self._happen("before_put")
        info = super().put(key, content, **options)
        self._happen("after_put")
        return info

    def _happen(self, when: str) -> None:
        happens: Callable[[], object] | None = getattr(self, when)
        setattr(self, when, None)
        if happens is not None:
            happens()


def with_presigning_folder(workspace: Workspace) -> tuple[Workspace, PresigningFolder]:
    """Return the same workspace on a folder that signs forms."""
    store = PresigningFolder(data_folder(workspace).root)
    return Workspace(workspace.ledger, Folders(lambda: store), workspace.rules), store
