"""What a post that is made through the API wishes: its account, and the fields of a sidecar."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reelflow.domain.content_types import MediaType
from reelflow.domain.post import PostKind, PostMode, PrivacyLevel
from reelflow.domain.sidecar import PhotoFields, PostFields, VideoFields, read_fields
from reelflow.exceptions import TerminalError

#: Code of what cannot be a post.
INVALID_POST: Final = "invalid_post"

_FIELDS: Final[Mapping[PostKind, type[PostFields]]] = {
    PostKind.VIDEO: VideoFields,
    PostKind.PHOTO: PhotoFields,
}
#: Names the files of an inbox's folder; here media have an order already.
_INBOX_ONLY: Final = frozenset({"images"})
#: Decided when a post is made: its content's key follows from it, or who lets it go.
_LASTING: Final = frozenset({"repost", "approval"})
_OF_THE_WISH: Final = ("account", "approval")


@dataclass(frozen=True)
class PostWish:
    """A post as somebody wishes it, checked as far as it can be without its media.

    :param account: the name of the account it goes to
    :param fields: as in a sidecar
    :param approval: whether it is HELD until a person approves it
    """

    account: str
    fields: PostFields
    approval: bool = False

    @classmethod
    def parse(cls, data: Mapping[str, Any], media_type: str) -> PostWish:
        """Read a wish from the values of a JSON object.

        :param media_type: ``video``, or ``image`` for a post of photos
        :raises TerminalError: naming each field that is wrong; code ``invalid_post``
        """
        kind = kind_of_media_type(media_type)
        wished = {name: value for name, value in data.items() if name not in _OF_THE_WISH}
        account, approval = data.get("account"), data.get("approval", False)
        wrong = []
        if not isinstance(account, str) or not account:
            wrong.append("account is missing: name the account that it goes to")
        if not isinstance(approval, bool):
            wrong.append(f"approval is {_short(approval)}: use true or false")
        try:
            fields = parse_fields(wished, kind, also_known=_OF_THE_WISH)
        except ValueError as exc:
            wrong.append(str(exc))
        if wrong:
            raise invalid_post("; ".join(wrong))
        assert isinstance(account, str)
        return cls(account, fields, approval)

    @property
    def kind(self) -> PostKind:
        """What is to be posted."""
        return PostKind.PHOTO if isinstance(self.fields, PhotoFields) else PostKind.VIDEO


def kind_of_media_type(media_type: str) -> PostKind:
    """Return what becomes of media of this type.

    :raises TerminalError: there is no such type; code ``invalid_post``
    """
    if media_type not in list(MediaType):
        raise invalid_post(f"media_type is {_short(media_type)}: use {' or '.join(MediaType)}")
    return PostKind.PHOTO if media_type == MediaType.IMAGE else PostKind.VIDEO


def parse_fields(
    wished: Mapping[str, Any], kind: PostKind, *, also_known: Sequence[str] = ()
) -> PostFields:
    """Read the fields of a post from the values of a JSON object, by the rules of a sidecar.

    :param also_known: what else the object may have, for who misspells a name
    :raises ValueError: naming each field that is wrong, with its value and what it takes
    """
    fields_type = _FIELDS[kind]
    left_out = _INBOX_ONLY.union(_OF_THE_WISH)
    known = [name for name in fields_type.model_fields if name not in left_out]
    wrong = [_unknown(name, kind, [*also_known, *known]) for name in wished if name not in known]
    wrong += [
        f"{name} has half a character, a surrogate without its pair: leave it out"
        for name in known
        if not _is_unicode(wished.get(name))
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    fields = read_fields(json.dumps(wished).encode(), fields_type)
    # A draft gets its privacy from the creator, in the app.
    if fields.privacy_level is None and fields.mode is PostMode.DIRECT:
        raise ValueError(
            f"privacy_level is missing: use one of {', '.join(PrivacyLevel)}; TikTok forbids to "
            "choose one for the creator"
        )
    return fields


def editable_fields(kind: PostKind) -> list[str]:
    """Return the names of the fields that may still be changed before a post is uploaded."""
    left_out = _INBOX_ONLY | _LASTING
    return [name for name in _FIELDS[kind].model_fields if name not in left_out]


def invalid_post(why: str) -> TerminalError:
    """Return the error of what cannot be a post."""
    return TerminalError(f"the post cannot be used: {why}", code=INVALID_POST)


def _unknown(name: str, kind: PostKind, known: Sequence[str]) -> str:
    if name in _INBOX_ONLY:
        return f"{name} is for folders of the inbox; the order of the media is that of their ids"
    others = (one for other, one in _FIELDS.items() if other is not kind)
    if any(name in one.model_fields for one in others):
        return f"{name} does nothing to a {kind}: leave it out"
    return f"unknown field {_short(name)} (known: {', '.join(known)})"


def _is_unicode(value: object) -> bool:
    """Whether a value of a JSON object can be written as UTF-8, which an escape need not be."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
