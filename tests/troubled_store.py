"""A store that fails when it is told to: a full disk, a refusal, a process that dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from reelflow.services.workspace import Workspace
from reelflow.storage.base import ObjectInfo
from reelflow.storage.folders import Folders
from reelflow.storage.local_store import LocalStore
from tests.data_folder import data_folder


class TroubledStore(LocalStore):
    """A folder, before which something happens.

    :ivar before_put: called with the number of each put, from 1, before it is done
    :ivar after_put: likewise, once it was done
    :ivar before_delete: called before anything is deleted
    :ivar after_stat: called with the key that was looked at
    """

    puts = 0
    before_put: Callable[[int], None] | None = None
    after_put: Callable[[int], None] | None = None
    before_delete: Callable[[], None] | None = None
    after_stat: Callable[[str], None] | None = None

    def put(self, *args: Any, **options: Any) -> ObjectInfo:
        self.puts += 1
        if self.before_put is not None:
            self.before_put(self.puts)
        info = super().put(*args, **options)
        if self.after_put is not None:
            self.after_put(self.puts)
        return info

    def stat(self, key: str) -> ObjectInfo | None:
        info = super().stat(key)
        if self.after_stat is not None:
            self.after_stat(key)
        return info

    def delete(self, key: str) -> None:
        if self.before_delete is not None:
            self.before_delete()
        super().delete(key)


def with_troubled_store(workspace: Workspace) -> tuple[Workspace, TroubledStore]:
    """Return the same workspace on a store that can fail, over the same folder."""
    store = TroubledStore(data_folder(workspace).root)
    return replace(workspace, folders=Folders(lambda: store)), store
