"""The addresses of the pictures of a question: signed, for as long as it waits."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from reelflow.exceptions import MediaUnreadableError, ObjectNotFoundError
from reelflow.ledger.models import Media
from reelflow.services.workspace import Workspace
from reelflow.source import Source

#: Below the API's own path.
PICTURES_PATH: Final = "/approvals/pictures"

#: Codes of what an address is refused with.
FORGED: Final = "picture_forged"
EXPIRED: Final = "picture_expired"
GONE: Final = "picture_gone"

_PURPOSE: Final = "pictures of questions"


class QuestionPictures:
    """Makes and checks addresses of covers, and of the pictures to choose one from.

    Whoever may read the question may see them, whosever file it is; so the address is signed.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._key = workspace.ledger.cipher.derived_key(_PURPOSE)

    def path(self, media_id: str, number: int, *, until: datetime) -> str:
        """Return an address below the API's path.

        :param number: 0 for the cover, 1 for the first candidate
        """
        expires = str(int(until.timestamp()))
        signature = self._sign(media_id, str(number), expires)
        return f"{PICTURES_PATH}/{media_id}/{number}/{expires}/{signature}.jpg"

    @contextmanager
    def open(self, media_id: str, number: str, expires: str, signature: str) -> Iterator[Source]:
        """Hold the picture of an address open.

        :raises MediaUnreadableError: code ``picture_forged``, ``picture_expired`` or
            ``picture_gone``
        """
        self._verify(media_id, number, expires, signature)
        with self._workspace.ledger.read() as session:
            media = session.get(Media, media_id)
        key = None if media is None else _key_of(media, int(number))
        if key is None:
            raise MediaUnreadableError("this picture is not here any more", code=GONE)
        try:
            with self._workspace.folders.open(key) as source:
                yield source
        except ObjectNotFoundError as exc:
            raise MediaUnreadableError("this picture is not here any more", code=GONE) from exc

    def _verify(self, media_id: str, number: str, expires: str, signature: str) -> None:
        wanted = self._sign(media_id, number, expires).encode()
        # In a time that tells nothing. What we signed has an id, a number and a time in it.
        if not hmac.compare_digest(wanted, signature.encode(errors="replace")):
            raise MediaUnreadableError("this address was not made by this Reelflow", code=FORGED)
        if int(expires) <= self._workspace.ledger.now().timestamp():
            raise MediaUnreadableError("this address has expired", code=EXPIRED)

    def _sign(self, media_id: str, number: str, expires: str) -> str:
        signed = f"{media_id}/{number}/{expires}".encode(errors="replace")
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest()


def _key_of(media: Media, number: int) -> str | None:
    if media.deleted_at is not None:
        return None
    if number == 0:
        return media.thumbnail_path
    candidates = media.candidates or []
    return str(candidates[number - 1]["key"]) if number <= len(candidates) else None
