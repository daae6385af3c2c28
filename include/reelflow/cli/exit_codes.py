"""With what every command ends that could not do what it was asked."""

from __future__ import annotations

from typing import Final

#: Nothing was done, and stderr says why.
EXIT_ERROR: Final = 2
#: Ctrl+C: what shells say of a process that SIGINT ended.
EXIT_INTERRUPTED: Final = 130
