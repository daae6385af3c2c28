"""Compiles each SQL statement once for all the databases that the tests of one process open.

SQLAlchemy keeps what it compiled with the engine and looks it up by the engine's dialect. A test
opens a database of its own, and so an engine: compiling every statement anew was half of the time
of the tests that have a ledger.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, util
from sqlalchemy.engine.default import DefaultDialect

_COMPILED: util.LRUCache[Any, Any] = util.LRUCache(5000)


def share_compiled_statements() -> None:
    """Let engines of one kind of database share what was compiled for any of them."""
    DefaultDialect.__hash__ = lambda dialect: hash(type(dialect))  # type: ignore[method-assign]
    DefaultDialect.__eq__ = lambda a, b: type(a) is type(b)  # type: ignore[method-assign]
    Engine._compiled_cache = property(lambda _: _COMPILED, lambda _, _own: None)  # type: ignore[assignment]
