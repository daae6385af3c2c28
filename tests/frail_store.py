"""A local store that fails, or dies with its process, where a test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from reelflow.services.workspace import Workspace
from reelflow.storage.base import BegunUpload, MultipartUpload, ObjectInfo
from reelflow.storage.folders import Folders
from reelflow.storage.local_store import LocalStore
from tests.data_folder import data_folder


class Died(BaseException):
    """The process is gone: nothing of it handles this."""


class FrailStore(LocalStore):
    """Something happens once, before or after the next call of one method does its work.

    It does not wait for the disk: no test of it loses power.

    :ivar aborts: False: as in S3, an upload that is just being put together is not known to
        ``abort`` any more
    """

    aborts = True

    def __init__(self, root: Path) -> None:
        super().__init__(root, durable=False)
        self._at: str | None = None
        self._happens: Callable[[], None] = lambda: None

    def fail(self, at: str, error: BaseException | None = None) -> None:
        """Let a call fail, or its process die.

        :param at: such as ``before complete`` or ``after begin``
        """

        def fail() -> None:
            raise error or Died()

        self.meanwhile(at, fail)

    def meanwhile(self, at: str, happens: Callable[[], None]) -> None:
        """Let something happen at a call."""
        self._at, self._happens = at, happens

    def _pass(self, point: str) -> None:
        if point == self._at:
            self._at = None
            self._happens()

    def begin(self, key: str, **options: Any) -> MultipartUpload:
        self._pass("before begin")
        upload = super().begin(key, **options)
        self._pass("after begin")
        return upload

    def complete(self, upload: MultipartUpload, **options: Any) -> ObjectInfo:
        self._pass("before complete")
        info = super().complete(upload, **options)
        self._pass("after complete")
        return info

    def abort(self, upload: MultipartUpload | BegunUpload) -> None:
        self._pass("before abort")
        if self.aborts:
            super().abort(upload)

    def delete(self, key: str) -> None:
        self._pass("before delete")
        super().delete(key)


def with_frail_store(workspace: Workspace) -> tuple[Workspace, FrailStore]:
    """Return the same workspace on a store that can fail."""
    store = FrailStore(data_folder(workspace).root)
    return Workspace(workspace.ledger, Folders(lambda: store), workspace.rules), store
