"""Who sits at the command line, for the audit trail."""

from __future__ import annotations

import getpass


def person() -> str:
    """Return who the audit trail names."""
    try:
        return f"person:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "person:unknown"
