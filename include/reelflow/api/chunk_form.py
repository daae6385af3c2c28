"""One chunk as the file of a form, for clients that send nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from reelflow.api.chunk_body import held_in_threads, write_blocks
from reelflow.api.form_files import form_body, invalid
from reelflow.api.multipart import FormFile, FormLimits, MultipartBody
from reelflow.domain.upload_session import CHUNK_MAX_BYTES
from reelflow.domain.user import User
from reelflow.services.uploads.chunked.chunks import IncomingChunk, ReceivedChunk, receive_chunk
from reelflow.services.workspace import Workspace

_FILE: Final = "file"
_FIELDS: Final[Mapping[str, Any]] = {
    "upload_id": {"type": "string"},
    "chunk_index": {"type": "integer", "minimum": 0},
    "sha256": {
        "type": "string",
        "description": "of the chunk, in hex; another is refused",
    },
}
#: What the schema says of it.
CHUNK_FORM: Final = form_body({_FILE: {"type": "string", "format": "binary"}}, _FIELDS)

_LIMITS: Final = FormLimits(
    max_files=1, max_file_bytes=CHUNK_MAX_BYTES, max_fields=len(_FIELDS), max_field_bytes=256
)
_INDEX: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


async def receive_form(workspace: Workspace, user: User, request: Request) -> ReceivedChunk:
    """Take the chunk of a form; its fields come before its file, whose bytes are not kept back.

    It counts once the whole form was read: one that is refused leaves the chunk missing.

    :raises ApiError: as :class:`~reelflow.api.multipart.MultipartBody`; 422 ``invalid_request``
    :raises ReelflowError: as :func:`~reelflow.services.uploads.chunked.chunks.receive_chunk`
    """
    form = MultipartBody(request, _LIMITS)
    fields: dict[str, str] = {}
    incoming = None
    async with AsyncExitStack() as held:
        async for part in form.parts():
            if isinstance(part, FormFile):
                chunk = held_in_threads(_chunk_of(workspace, user, fields, part))
                incoming = await held.enter_async_context(chunk)
                await write_blocks(part.blocks(), incoming.write)
                continue
            if part.name not in _FIELDS:
                raise invalid(part.name, None, f"leave it out; known are {', '.join(_FIELDS)}")
            if incoming is not None:
                raise invalid(part.name, part.value, f"send it before {_FILE}")
            fields[part.name] = part.value
        if incoming is None:
            raise invalid(_FILE, None, "send the chunk as a file")
        return await run_in_threadpool(incoming.commit)


def _chunk_of(
    workspace: Workspace, user: User, fields: Mapping[str, str], file: FormFile
) -> AbstractContextManager[IncomingChunk]:
    """Return the chunk that a form's fields say its file is."""
    if file.name != _FILE:
        raise invalid(file.name, None, f"send the chunk as {_FILE}")
    upload_id = fields.get("upload_id")
    if upload_id is None:
        raise invalid("upload_id", None, f"send it before {_FILE}")
    index = fields.get("chunk_index")
    if index is None or not _INDEX.fullmatch(index):
        raise invalid("chunk_index", index, f"send a whole number from 0, before {_FILE}")
    sha256 = fields.get("sha256")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise invalid("sha256", sha256, "send 64 hex digits, or leave it out")
    return receive_chunk(
        workspace, user, upload_id, int(index), sha256=None if sha256 is None else sha256.lower()
    )
