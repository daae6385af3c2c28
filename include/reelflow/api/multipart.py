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
    :param content_type: as its sender calls it, in lower case without parameters; may be empty
    """

    def __init__(self, name: str, file_name: str, content_type: str, form: MultipartBody) -> None:
        self.name = name
        self.file_name = file_name
        self.content_type = content_type
        self._form = form

    def blocks(self) -> AsyncIterator[bytes]:
        """Give its bytes once, in blocks of about 1 MiB.

        :raises ApiError: as :meth:`MultipartBody.parts`; 413 ``file_too_large``
        """
        return self._form._blocks_of(self)
