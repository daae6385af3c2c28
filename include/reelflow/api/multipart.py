"""``multipart/form-data`` as it comes: fields and files in their order, no file held or spooled.

::

    form = MultipartBody(request, FormLimits(max_files=1, max_file_bytes=50_000_000))
    async for part in form.parts():
        if isinstance(part, FormField):
            fields[part.name] = part.value
        else:  # a FormFile: written before the next part is asked for, else it is skipped
            async with held_in_threads(service_that_writes(...)) as file:
                await write_blocks(part.blocks(), file.write)

A file's bytes are gone when they were given, so a field that says where they belong must come
before the file; what only matters afterwards may come after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from reelflow.api.chunk_body import PACE, Pace, body_blocks
from reelflow.api.errors import ApiError

_CLOSE: Final = {"Connection": "close"}
#: Boundaries and headers of one part, at the most.
_PART_OVERHEAD_BYTES: Final = 16 * 1024


@dataclass(frozen=True)
class FormLimits:
    """How much a form may bring.

    :param max_files: most files
    :param max_file_bytes: most bytes of one file
    :param max_fields: most fields that are no files
    :param max_field_bytes: most bytes of one field
    """

    max_files: int
    max_file_bytes: int
    max_fields: int = 32
    max_field_bytes: int = 64 * 1024

    @property
    def max_body_bytes(self) -> int:
        """Most bytes of a whole body."""
        files = self.max_files * (self.max_file_bytes + _PART_OVERHEAD_BYTES)
        return files + self.max_fields * (self.max_field_bytes + _PART_OVERHEAD_BYTES)


@dataclass(frozen=True)
class FormField:
    """A field that is no file."""

    name: str
    value: str


class FormFile:
    """A file of a form.

    :param name: of its field
    :param file_name: as its sender calls it: data, never a path; may be empty
    :param content_type: as its sender calls it, in lower case and without parameters; may be empty
    """

    def __init__(
        self, name: str, file_name: str, content_type: str, blocks: AsyncIterator[bytes]
    ) -> None:
        self.name = name
        self.file_name = file_name
        self.content_type = content_type
        self._blocks = blocks

    def blocks(self) -> AsyncIterator[bytes]:
        """Give its bytes once, in blocks of about 1 MiB.

        :raises ApiError: as :meth:`MultipartBody.parts`; 413 ``file_too_large``
        """
        return self._blocks


class MultipartBody:
    """The body of a request, taken for a form.

    :param pace: how slow it may come
    :raises ApiError: 415 ``unsupported_media_type``: it does not say that it is one
    """

    def __init__(self, request: Request, limits: FormLimits, *, pace: Pace = PACE) -> None:
        self._limits = limits
        self._events: deque[_Event] = deque()
        self._parser = _parser_of(request.headers.get("content-type", ""), self._events)
        self._blocks = body_blocks(request, max_bytes=limits.max_body_bytes, pace=pace)

    async def parts(self) -> AsyncIterator[FormField | FormFile]:
        """Give the form's parts in their order; the body is read to its end before this ends.

        :raises ApiError: 400 ``invalid_multipart``, or ``body_cut`` when it ends early; 408
            ``body_too_slow``; 413 ``body_too_large`` or ``field_too_large``; 422
            ``too_many_parts``
        """
        files = fields = 0
        while (event := await self._next()) is not _Mark.FORM_END:
            if not isinstance(event, _PartHead):  # a file that was not taken, or not to its end
                continue
            if event.file_name is None:
                fields += 1
                _check_count(fields, self._limits.max_fields, "fields")
                yield FormField(event.name, await self._value(event.name))
            else:
                files += 1
                _check_count(files, self._limits.max_files, "files")
                blocks = self._file_blocks(event.name)
                yield FormFile(event.name, event.file_name, event.content_type, blocks)
        async for _ in self._blocks:  # what follows the form means nothing (RFC 2046, 5.1.1)
            pass

    async def _next(self) -> _Event:
        while not self._events:
            block = await anext(self._blocks, None)
            if block is None:
                raise ApiError(400, "body_cut", "the form ends before its last boundary")
            try:
                self._parser.write(block)
            except FormParserError:
                raise _invalid("the body is not the form that its Content-Type announces") from None
        return self._events.popleft()

    async def _value(self, name: str) -> str:
        value = bytearray()
        while isinstance(event := await self._next(), bytes):
            value += event
            if len(value) > self._limits.max_field_bytes:
                message = f"the field {_shown(name)} has more than {self._limits.max_field_bytes} bytes"
                raise ApiError(413, "field_too_large", message, headers=_CLOSE)
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise _invalid(f"the field {_shown(name)} is no UTF-8") from None

    async def _file_blocks(self, name: str) -> AsyncIterator[bytes]:
        size_bytes = 0
        while isinstance(event := await self._next(), bytes):
            size_bytes += len(event)
            if size_bytes > self._limits.max_file_bytes:
                message = f"the file {_shown(name)} has more than {self._limits.max_file_bytes} bytes"
                raise ApiError(413, "file_too_large", message, headers=_CLOSE)
            yield event


@dataclass(frozen=True)
class _PartHead:
    """What a part says of itself; ``file_name`` is None for a field."""

    name: str
    file_name: str | None
    content_type: str


class _Mark(Enum):
    PART_END = "part"
    FORM_END = "form"


_Event: TypeAlias = _PartHead | bytes | _Mark


class _Heads:
    """Collects the headers of one part after the other."""

    def __init__(self, events: deque[_Event]) -> None:
        self._events = events
        self._clear()

    def _clear(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""

    def begin(self) -> None:
        self._clear()

    def add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def finish(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        if disposition != b"form-data" or not options.get(b"name"):
            raise _invalid("a part of the form has no name")
        content_type, _ = parse_options_header(self._headers.get(b"content-type"))
        file_name = options.get(b"filename")
        self._events.append(
            _PartHead(
                options[b"name"].decode("utf-8", "replace"),
                None if file_name is None else file_name.decode("utf-8", "replace"),
                content_type.decode("latin-1"),
            )
        )


def _parser_of(content_type: str, events: deque[_Event]) -> MultipartParser:
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
                "on_part_end": lambda: events.append(_Mark.PART_END),
                "on_end": lambda: events.append(_Mark.FORM_END),
            },
        )
    except FormParserError:
        raise _invalid("the form's boundary is too long") from None


def _check_count(count: int, most: int, what: str) -> None:
    if count > most:
        message = f"the form has more than {most} {what}"
        raise ApiError(422, "too_many_parts", message, headers=_CLOSE)


def _invalid(message: str) -> ApiError:
    return ApiError(400, "invalid_multipart", message, headers=_CLOSE)


def _shown(name: str) -> str:
    return repr(name[:64])
