"""What is told above a table while nothing new is begun at TikTok."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reelflow.cli.screen import console, plain

if TYPE_CHECKING:
    from reelflow.services.workspace import Workspace


def tell_outage(workspace: Workspace) -> None:
    """Say that the breaker is open, why and until when; nothing while it is closed.

    On stderr, so that what reads the table reads the table alone.
    """
    from reelflow.services.calls.breaker import outage

    told = outage(workspace)
    if told is not None:
        console(sys.stderr).print(plain(told, style="yellow"), soft_wrap=True)
