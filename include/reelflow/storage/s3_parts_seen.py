"""Which parts of uploads are in a bucket, as far as this process knows."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

#: How long others' parts may go unseen.
_LISTED_EVERY_S: Final = 10.0
_MOST_UPLOADS: Final = 1000
_NEVER: Final = float("-inf")


class PartsSeen:
    """Counts the parts of uploads without listing all of them again after each.

    S3 lists a thousand parts at a time, so an upload of 10,000 would ask for 50,000 lists. What
    this process stored it knows; what others did, it sees by a list now and then.
    """

    def __init__(self) -> None:
        #: By upload: when it was listed last, and a number that has the bit of each part set.
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, upload_id: str, numbers: Iterable[int], *, listed_at: float = _NEVER) -> int:
        """Remember parts that are stored whole; return how many are by now."""
        bits = sum(1 << number for number in set(numbers))
        with self._lock:
            known_at, known = self._seen.pop(upload_id, (_NEVER, 0))
            self._seen[upload_id] = max(known_at, listed_at), known | bits
            if len(self._seen) > _MOST_UPLOADS:
                self._seen.popitem(last=False)
            return (known | bits).bit_count()

    def count(self, upload_id: str, list_parts: Callable[[], Iterable[int]]) -> int:
        """Return how many parts of an upload are stored whole.

        :param list_parts: asks S3 for their numbers
        """
        now = time.monotonic()
        with self._lock:
            known_at, known = self._seen.get(upload_id, (_NEVER, 0))
        if now - known_at < _LISTED_EVERY_S:
            return known.bit_count()
        return self.add(upload_id, list_parts(), listed_at=now)
