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
from typing import Final

from python_multipart.exceptions import FormParserError
from starlette.requests import Request

from reelflow.api.chunk_body import PACE, Pace, body_blocks
from reelflow.api.errors import ApiError
from reelflow.api.form_parser import Event, Mark, PartHead, invalid_form, parser_of

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
        """Give its bytes once, in blocks as they come.

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
        self._events: deque[Event] = deque()
        self._parser = parser_of(request.headers.get("content-type", ""), self._events)
        self._blocks = body_blocks(request, max_bytes=limits.max_body_bytes, pace=pace)

    async def parts(self) -> AsyncIterator[FormField | FormFile]:
        """Give the form's parts in their order; the body is read to its end before this ends.

        :raises ApiError: 400 ``invalid_multipart``, or ``body_cut`` when it ends early; 408
            ``body_too_slow``; 413 ``body_too_large`` or ``field_too_large``; 422
            ``too_many_parts``
        """
        files = fields = 0
        while (event := await self._next()) is not Mark.FORM_END:
            if not isinstance(event, PartHead):  # a file that was not taken, or not to its end
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

    async def _next(self) -> Event:
        while not self._events:
            block = await anext(self._blocks, None)
            if block is None:
                raise ApiError(400, "body_cut", "the form ends before its last boundary")
            try:
                self._parser.write(block)
            except FormParserError:
                raise invalid_form("the body is no form as its Content-Type announces") from None
        return self._events.popleft()

    async def _value(self, name: str) -> str:
        value = bytearray()
        while isinstance(event := await self._next(), bytes):
            value += event
            if len(value) > self._limits.max_field_bytes:
                raise _too_large("field", name, self._limits.max_field_bytes)
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise invalid_form(f"the field {_shown(name)} is no UTF-8") from None

    async def _file_blocks(self, name: str) -> AsyncIterator[bytes]:
        size_bytes = 0
        while isinstance(event := await self._next(), bytes):
            size_bytes += len(event)
            if size_bytes > self._limits.max_file_bytes:
                raise _too_large("file", name, self._limits.max_file_bytes)
            yield event


def _check_count(count: int, most: int, what: str) -> None:
    if count > most:
        message = f"the form has more than {most} {what}"
        raise ApiError(422, "too_many_parts", message, headers=_CLOSE)


def _too_large(what: str, name: str, max_bytes: int) -> ApiError:
    message = f"the {what} {_shown(name)} has more than {max_bytes} bytes"
    return ApiError(413, f"{what}_too_large", message, headers=_CLOSE)


def _shown(name: str) -> str:
    return repr(name[:64])
