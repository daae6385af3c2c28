"""What a sweep of the store finds: something to delete, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why something may go."""

    #: No row of the ledger names it.
    ORPHAN = "orphan"
    #: It lies in the quarantine, and its retention time is over.
    QUARANTINE = "quarantine"
    #: Its posts failed or were cancelled, and its retention time is over.
    RETENTION = "retention"


@dataclass(frozen=True)
class Found:
    """A file or an object that may go.

    :param size_bytes: of the file itself; its pictures and its sidecar, which go with it, are small
    :param since: UTC; from then on nobody needed it
    :param media_id: of the file; None of an orphan
    :param post_ids: the posts that it belongs to
    """

    key: str
    size_bytes: int
    reason: Reason
    since: datetime
    media_id: str | None = None
    post_ids: Sequence[int] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "key": self.key,
            "size_bytes": self.size_bytes,
            "reason": str(self.reason),
            "since": self.since.isoformat(),
            "media_id": self.media_id,
            "post_ids": list(self.post_ids),
        }
