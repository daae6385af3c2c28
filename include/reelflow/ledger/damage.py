"""Rows that somebody changed by hand into what their columns cannot hold: found, and named.

Every query that loads such a row fails, also one for many rows: what works on many posts reads
their ids, and passes over the one that cannot be read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from sqlalchemy import ColumnElement, Dialect, Select, String, Table, select, type_coerce, union
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType, TypeEngine

from reelflow.exceptions import ConfigurationError
from reelflow.ledger.metrics_models import PostMetrics
from reelflow.ledger.models import Account, AuditEntry, Base, Media, PhotoImage, Post, Publication
from reelflow.ledger.stored_types import LEDGER_DAMAGED, ReadableType

log = logging.getLogger(__name__)

#: What loading a row ends with that holds something else than its columns say.
UNREADABLE: Final = (ConfigurationError, LookupError, ValueError, TypeError)

_VALUE_MAX_CHARS: Final = 40


def raise_named(session: Session, post_id: int, error: Exception) -> NoReturn:
    """Raise what is wrong with a post's rows; the error itself if they can be read.

    :param error: what loading them ended with, one of :data:`UNREADABLE`
    :raises ConfigurationError: code ``ledger_damaged``, naming each row and column
    """
    named = explained(session, post_id, error)
    if named is error:
        raise error
    raise named from error


def explained(session: Session, post_id: int, error: Exception) -> ConfigurationError:
    """Return the error that says what is wrong with a post's rows, naming each row and column.

    :param error: what working with them ended with, one of :data:`UNREADABLE`; returned itself
        where it tells of another row's damage, and raised where it tells of none
    """
    wrong = "; ".join(wrong_columns(session, post_id))
    if wrong:
        return ConfigurationError(
            f"post {post_id} cannot be read, because somebody changed the ledger by hand: {wrong}. "
            "Correct that, or put a backup of the ledger in its place",
            code=LEDGER_DAMAGED,
        )
    if isinstance(error, ConfigurationError) and error.code == LEDGER_DAMAGED:
        return error
    raise error


@contextmanager
def passing_over(session: Session, post_id: int) -> Iterator[None]:
    """Log what is wrong with a post that cannot be read, and let whoever takes many go on.

    What was done for it in this block is undone, and nothing else of the transaction.
    """
    try:
        with session.begin_nested():
            yield
    except UNREADABLE as exc:
        log.error("post %d is left as it is: %s", post_id, explained(session, post_id, exc))


def wrong_columns(session: Session, post_id: int) -> list[str]:
    """Name what of a post, its account, files, publications, story and counts cannot be read."""
    return [
        f"{table.name}.{column.name} of row {key} is {_short(raw)}, not {_expected(column.type)}"
        for table, where in _tables_of(post_id)
        for key, column, raw in _wrong_values(session, table, where)
    ]


def remains_of(session: Session, post_id: int) -> dict[str, str | int]:
    """Return what is always text of a post that cannot be read: enough to recognise it by."""
    known = (Account.name.label("account"), Media.file_name, Media.source_path)
    query = select(Post.id, type_coerce(Post.state, String()).label("state"), *known)
    query = query.join(Account, Account.id == Post.account_id)
    query = query.join(Media, Media.id == Post.media_id).where(Post.id == post_id)
    return dict(session.execute(query).mappings().one())


def _tables_of(post_id: int) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    post = Post.id == post_id
    files = union(
        select(Post.media_id).where(post),
        select(PhotoImage.media_id).where(PhotoImage.post_id == post_id),
    )
    yield _table(Post), post
    yield _table(Account), Account.id.in_(select(Post.account_id).where(post))
    yield _table(Media), Media.id.in_(files)
    yield _table(Publication), Publication.post_id == post_id
    yield _table(AuditEntry), AuditEntry.post_id == post_id
    yield _table(PostMetrics), PostMetrics.post_id == post_id


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


def _wrong_values(
    session: Session, table: Table, where: ColumnElement[bool]
) -> Iterator[tuple[object, Any, object]]:
    dialect = session.get_bind().dialect
    # Of counts, the one of a post's rows is known by its day.
    key = [column.name for column in table.primary_key][-1]
    for row in session.execute(_as_stored(table).where(where)).mappings().all():
        for column in table.columns:
            raw = row[column.name]
            if raw is not None and not _fits(column.type, raw, dialect):
                yield row[key], column, raw


def _as_stored(table: Table) -> Select[*tuple[Any, ...]]:
    """Select rows as the database gives them, which nothing can fail to read."""
    return select(*(type_coerce(column, NullType()).label(column.name) for column in table.columns))


def _fits(column_type: TypeEngine[Any], raw: object, dialect: Dialect) -> bool:
    if dialect.name != "sqlite" and not isinstance(column_type, ReadableType):
        return True  # other databases let nothing else in
    read = column_type.dialect_impl(dialect).result_processor(dialect, None)
    try:
        if read is not None:
            read(raw)
    except UNREADABLE:
        return False
    return isinstance(raw, int | float) or not issubclass(column_type.python_type, int | float)


def _expected(column_type: TypeEngine[Any]) -> str:
    return column_type.expected if isinstance(column_type, ReadableType) else str(column_type)


def _short(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= _VALUE_MAX_CHARS else f"{text[: _VALUE_MAX_CHARS - 1]}…"
