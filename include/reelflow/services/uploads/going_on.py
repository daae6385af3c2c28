"""Sweeping one thing after the other: what stands in the way of one stops none of the rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from reelflow.exceptions import ReelflowError

log = logging.getLogger(__name__)


@contextmanager
def going_on(undone: str) -> Iterator[None]:
    """Log what the block raises and go on: the next sweep tries again.

    :param undone: what is not done then
    """
    try:
        yield
    except ReelflowError as exc:
        log.warning("%s: %s", undone, exc)
    except Exception:  # a bug of ours, or a row that was changed by hand; not the others' trouble
        log.exception("%s", undone)
