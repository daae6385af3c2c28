"""The workspace that commands work with, opened from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reelflow.services.workspace import Workspace


def open_workspace() -> Workspace:
    """Open ledger and folders as ``REELFLOW_*`` say.

    :raises ReelflowError: a setting or the key is wrong, or the ledger is not migrated
    """
    from reelflow.settings import Settings  # here, so that `reelflow --help` is fast

    return Settings.load().open_workspace()
