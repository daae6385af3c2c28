"""Forms with files: received to their end, each file in a spool, before anything is done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request

from reelflow.api.chunk_body import held_in_threads, write_blocks
from reelflow.api.errors import ApiError
from reelflow.api.limits import lift_body_limit
from reelflow.api.multipart import FormField, FormFile, FormLimits, MultipartBody
from reelflow.domain.content_types import MediaType
from reelflow.domain.printable import printable
from reelflow.exceptions import StorageFullError
from reelflow.json_text import read_json_object
from reelflow.services.uploads.chunked.finalize import PostWanted
from reelflow.services.uploads.whole.files import WholeFile
from reelflow.services.uploads.whole.spool import open_spool

#: What a form may say beside its files, and what it takes.
FORM_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "post_id": {"type": "integer", "minimum": 1, "description": "the post that waits for it"},
    "post": {"type": "string", "description": "the post to make of it: its fields, as JSON"},
}
#: Ids of posts are numbers of the database.
_POST_ID_MAX: Final = 2**31 - 1
_SHOWN_CHARS: Final = 60


def form_body(files: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the schema says of a form, for ``openapi_extra``.

    :param files: the schema of the field that carries files, by its name
    :param fields: the schemas of the others, by their names
    """
    schema = {
        "type": "object",
        "required": list(files),
        "properties": {**files, **fields},
        "additionalProperties": False,
    }
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


@dataclass(frozen=True)
class ReceivedForm:
    """A form that was received to its end.

    :param files: in their order; closed when the form is left
    """

    fields: Mapping[str, str]
    files: Sequence[WholeFile]

    @property
    def media_type(self) -> MediaType | None:
        """What the file must be; None where the form does not say.

        :raises ApiError: 422 ``invalid_request``
        """
        text = self.fields.get("media_type")
        if text is None:
            return None
        try:
            return MediaType(text)
        except ValueError:
            raise invalid("media_type", text, f"use {' or '.join(MediaType)}") from None

    @property
    def post_wanted(self) -> PostWanted:
        """The post that the files are for.

        :raises ApiError: 422 ``invalid_request``
        """
        post_id, post = self.fields.get("post_id"), self.fields.get("post")
        if post_id is not None and post is not None:
            raise invalid("post", post, "give either post_id or the fields of a new post")
        return PostWanted(
            None if post_id is None else _post_id(post_id), None if post is None else _wish(post)
        )


@dataclass
class _Receiving:
    """What came of a form so far.

    :param refusal: why the form is refused once it was received: who is still sending may not hear
        of it before
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: list[WholeFile] = field(default_factory=list)
    refusal: Exception | None = None


@asynccontextmanager
async def received_form(
    request: Request, limits: FormLimits, *, file_field: str, fields: Sequence[str]
) -> AsyncIterator[ReceivedForm]:
    """Receive a form, and hold its files until the block ends.

    :param file_field: the name of the field, or fields, that carry files
    :param fields: the names of other fields that it may have
    :raises ApiError: as of :class:`~reelflow.api.multipart.MultipartBody`; 422 ``invalid_request``:
        a field is unknown or missing, or there twice
    :raises StorageFullError: no room is left on this machine
    """
    lift_body_limit(request)
    form = MultipartBody(request, limits)
    received = _Receiving()
    async with AsyncExitStack() as held:
        async for part in form.parts():
            if received.refusal is not None:
                continue
            try:
                if isinstance(part, FormField):
                    _keep_field(received, part, file_field, fields)
                else:
                    received.files.append(await _file(part, file_field, held))
            except StorageFullError as exc:
                received.refusal = exc
            except _Unwanted as exc:
                received.refusal = exc.refusal
        if received.refusal is not None:
            raise received.refusal
        if not received.files:
            raise invalid(file_field, None, "send at least one file in this field, with its name")
        yield ReceivedForm(received.fields, received.files)


class _Unwanted(Exception):
    """A part that the form must not have."""

    def __init__(self, refusal: ApiError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def _keep_field(
    received: _Receiving, part: FormField, file_field: str, known: Sequence[str]
) -> None:
    if part.name == file_field:
        raise _Unwanted(invalid(part.name, part.value, "send it as a file, with a file name"))
    if part.name not in known:
        raise _Unwanted(_unknown(part.name, [file_field, *known]))
    if part.name in received.fields:
        raise _Unwanted(invalid(part.name, part.value, "give it once"))
    received.fields[part.name] = part.value


async def _file(part: FormFile, file_field: str, held: AsyncExitStack) -> WholeFile:
    if part.name != file_field:
        raise _Unwanted(_unknown(part.name, [file_field]))
    spool = await held.enter_async_context(held_in_threads(open_spool()))
    await write_blocks(part.blocks(), spool.write)
    return WholeFile(part.file_name, part.content_type, spool)


def _unknown(name: str, known: Sequence[str]) -> ApiError:
    return invalid(name, None, f"no such field is known here, but {', '.join(known)}")


def invalid(name: str, value: str | None, takes: str) -> ApiError:
    """Return the error for a field of a form, in the shape of those of JSON bodies."""
    shown_name = printable(name, _SHOWN_CHARS)
    shown = "missing" if value is None else printable(repr(value), _SHOWN_CHARS)
    wrong = {"field": shown_name, "value": shown, "takes": takes}
    message = f"the request is wrong: {shown_name} is {shown}: {takes}"
    return ApiError(422, "invalid_request", message, details={"fields": [wrong]})


def _post_id(text: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text[:20]) <= _POST_ID_MAX:
        return int(text)
    raise invalid("post_id", text, "give the id of a post, a number")


def _wish(text: str) -> dict[str, Any]:
    wish = read_json_object(text)
    if wish is None:
        raise invalid("post", text, "give the fields of a post as a JSON object")
    return wish
