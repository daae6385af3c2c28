"""What a form consists of, told as its bytes pass by."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from reelflow.api.errors import ApiError

_CLOSE: Final = {"Connection": "close"}


@dataclass(frozen=True)
class PartHead:
    """What a part says of itself; ``file_name`` is None for a field."""

    name: str
    file_name: str | None
    content_type: str


class Mark(Enum):
    """The end of a part, and of the form."""

    PART_END = "part"
    FORM_END = "form"


Event: TypeAlias = PartHead | bytes | Mark


class _Heads:
    """Collects the headers of one part after the other."""

    def __init__(self, events: deque[Event]) -> None:
        self._events = events
        self._clear()

    def _clear(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""

    def begin(self) -> None:
        """Forget the part before."""
        self._clear()

    def add_name(self, data: bytes, start: int, end: int) -> None:
        """Take some of a header's name."""
        self._name += data[start:end]

    def add_value(self, data: bytes, start: int, end: int) -> None:
        """Take some of a header's value."""
        self._value += data[start:end]

    def end_header(self) -> None:
        """Keep a header that is whole."""
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def finish(self) -> None:
        """Say what the part is."""
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        if disposition != b"form-data" or not options.get(b"name"):
            raise invalid_form("a part of the form has no name")
        content_type, _ = parse_options_header(self._headers.get(b"content-type"))
        file_name = options.get(b"filename")
        self._events.append(
            PartHead(
                options[b"name"].decode("utf-8", "replace"),
                None if file_name is None else file_name.decode("utf-8", "replace"),
                content_type.decode("latin-1"),
            )
        )


def parser_of(content_type: str, events: deque[Event]) -> MultipartParser:
    """Return a parser that puts what it finds into ``events``; a file's bytes as they came.

    :raises ApiError: 415 ``unsupported_media_type``; its ``write`` raises 400 ``invalid_multipart``
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        message = "send a form: Content-Type multipart/form-data, with its boundary"
        raise ApiError(415, "unsupported_media_type", message, headers=_CLOSE)
    heads = _Heads(events)

    def add_data(data: bytes, start: int, end: int) -> None:
        events.append(data if end - start == len(data) else data[start:end])

    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": heads.begin,
                "on_header_field": heads.add_name,
                "on_header_value": heads.add_value,
                "on_header_end": heads.end_header,
                "on_headers_finished": heads.finish,
                "on_part_data": add_data,
                "on_part_end": lambda: events.append(Mark.PART_END),
                "on_end": lambda: events.append(Mark.FORM_END),
            },
        )
    except FormParserError:
        raise invalid_form("the form's boundary is too long") from None


def invalid_form(message: str) -> ApiError:
    """Return the error for a body that is no form."""
    return ApiError(400, "invalid_multipart", message, headers=_CLOSE)
