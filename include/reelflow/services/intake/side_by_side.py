"""Asking a store many short questions at once: a bucket answers each after some milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

#: As many as a client of S3 keeps connections for (botocore, max_pool_connections).
_AT_ONCE: Final = 10

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


def side_by_side(ask: Callable[[_Asked], _Answer], asked: Sequence[_Asked]) -> list[_Answer]:
    """Return the answers in the order of what was asked, or raise the first error among them."""
    if len(asked) < 2:
        return [ask(one) for one in asked]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="side-by-side") as threads:
        return list(threads.map(ask, asked))
