"""The sweep of the store: finds what may go, and deletes it, the oldest first."""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reelflow.exceptions import ReelflowError
from reelflow.services.storage_sweep.ended_posts import delete_ended, find_ended
from reelflow.services.storage_sweep.found import Found, Reason
from reelflow.services.storage_sweep.orphans import delete_orphan, find_orphans
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

#: Most files and objects of one sweep: minutes of work on a bucket; the next goes on where it ended
AT_ONCE: Final = 1000


@dataclass
class StorageSweep:
    """What a sweep of the store found, and what it did.

    :ivar found: what may go, the oldest first
    :ivar deleted: those of it that are gone now; none in a dry run
    :ivar troubles: why some of it could not be deleted, by key
    """

    found: Sequence[Found]
    deleted: list[Found] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)

    @property
    def found_bytes(self) -> int:
        """How much room what was found takes."""
        return sum(one.size_bytes for one in self.found)

    @property
    def deleted_bytes(self) -> int:
        """How much room there is again."""
        return sum(one.size_bytes for one in self.deleted)

    def as_dict(self) -> dict[str, Any]:
        """Return how much was found and deleted."""
        counts = Counter(one.reason for one in self.found)
        return {
            "found": {str(reason): counts[reason] for reason in Reason},
            "found_bytes": self.found_bytes,
            "deleted": len(self.deleted),
            "deleted_bytes": self.deleted_bytes,
        }


def sweep_storage(
    workspace: Workspace, *, actor: str, dry_run: bool = False, at_once: int = AT_ONCE
) -> StorageSweep:
    """Delete old orphans, and files of ended posts past their retention time.

    What stands in the way of one stops none of the rest. Each is looked at once more right before
    it is deleted: somebody may need it by then.

    :param actor: who deletes, for the audit trail of the posts
    :param dry_run: find what would be deleted, and leave it
    :param at_once: most that are deleted
    """
    sweep = StorageSweep(find(workspace, at_once=at_once))
    for one in sweep.found:
        where = workspace.folders.store.shown(one.key)
        told = f"{where} ({one.size_bytes} bytes, {one.reason} since {one.since:%Y-%m-%d})"
        if dry_run:
            log.info("would delete %s", told)
            continue
        try:
            if _delete(workspace, one, actor=actor):
                sweep.deleted.append(one)
                log.info("deleted %s", told)
            else:
                log.info("left %s: it is needed again, or gone", told)
        except ReelflowError as exc:
            sweep.troubles[one.key] = str(exc)
            log.warning("%s was not deleted, or not all that belongs to it: %s", told, exc)
        except Exception as exc:  # a bug of ours, or a row that was changed by hand
            sweep.troubles[one.key] = type(exc).__name__
            log.exception("%s was not deleted, or not all that belongs to it", told)
    return sweep


def find(workspace: Workspace, *, at_once: int = AT_ONCE) -> list[Found]:
    """Return what may go, the oldest first."""
    found = [*find_ended(workspace, limit=at_once)]
    found += heapq.nsmallest(at_once, find_orphans(workspace), key=_age)
    return heapq.nsmallest(at_once, found, key=_age)


def _age(found: Found) -> tuple[float, str]:
    return found.since.timestamp(), found.key


def _delete(workspace: Workspace, found: Found, *, actor: str) -> bool:
    if found.reason is Reason.ORPHAN:
        return delete_orphan(workspace, found)
    return delete_ended(workspace, found, actor=actor)
