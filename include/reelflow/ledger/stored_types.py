"""How times, enumerations and JSON are stored; what is none of them is told, not guessed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy import JSON, DateTime, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from reelflow.exceptions import ConfigurationError

#: Why something cannot be done with rows that were changed by hand.
LEDGER_DAMAGED: Final = "ledger_damaged"

_T = TypeVar("_T")


class ReadableType(TypeDecorator[_T]):
    """A type that says what it expected where a row holds something else.

    Loading such a row raises :class:`ConfigurationError`, code ``ledger_damaged``;
    :mod:`reelflow.ledger.damage` names the row.

    :ivar expected: what a column of this type holds, for people
    """

    expected: str

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], _T | None]:
        """Return what reads a value as the database gives it."""
        read = super().result_processor(dialect, coltype)
        assert read is not None  # it has process_result_value

        def read_or_tell(raw: Any) -> _T | None:
            try:
                return read(raw)
            except (ValueError, TypeError):
                raise ConfigurationError(
                    f"the ledger holds {str(raw)[:40]!r} where {self.expected} belongs: somebody "
                    "changed it by hand, and `reelflow posts list` names its row",
                    code=LEDGER_DAMAGED,
                ) from None

        return read_or_tell


class UtcDateTime(ReadableType[datetime]):
    """An aware UTC time; SQLite has no time zones, so they are dropped and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True
    expected = "a time"

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return aware UTC times."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StoredByValue(ReadableType[StrEnum]):
    """An enumeration as its plain value, so that a person can read the table.

    :param values: the enumeration
    :param length: of the column
    """

    impl = String
    cache_ok = True

    def __init__(self, values: type[StrEnum], length: int) -> None:
        super().__init__(length)
        self.values = values
        self.expected = f"one of {', '.join(values)}"

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse what is no value."""
        return None if value is None else self.values(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """Return the member."""
        return None if value is None else self.values(value)


class StoredJson(ReadableType[_T]):
    """JSON, of which the outermost value is an object or an array.

    :param kind: ``dict`` or ``list``
    """

    impl = JSON
    cache_ok = True

    def __init__(self, kind: type[_T]) -> None:
        super().__init__(none_as_null=True)
        self.kind = kind
        self.expected = "a JSON object" if issubclass(kind, dict) else "a JSON array"

    def process_result_value(self, value: object, dialect: Dialect) -> _T | None:
        """Return the object or array; ``null`` is none."""
        if value is None or isinstance(value, self.kind):
            return value
        raise TypeError(f"{value!r} is not {self.expected}")
