"""The pictures of a question: small, at addresses that are signed for as long as it waits."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Final

from reelflow.exceptions import MediaRejectedError, MediaUnreadableError, ObjectNotFoundError
from reelflow.ledger.models import Media
from reelflow.services.workspace import Workspace

#: Below the API's own path.
PICTURES_PATH: Final = "/approvals/pictures"

#: Codes of what an address is refused with.
FORGED: Final = "picture_forged"
EXPIRED: Final = "picture_expired"
GONE: Final = "picture_gone"

_PURPOSE: Final = "pictures of questions"
#: Airflow shows a picture as large as it is, up to 300 px wide, and knows no size in Markdown: two
#: rows of upright covers would fill two screens.
_MAX_SIDE_PX: Final = 320


class QuestionPictures:
    """Makes and checks addresses of covers, and of the pictures to choose one from.

    Whoever may read the question may see them, whosever file it is; so the address is signed.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._signer = workspace.ledger.cipher.signer(_PURPOSE)

    def path(self, media_id: str, number: int, *, until: datetime) -> str:
        """Return an address below the API's path.

        :param number: 0 for the cover, 1 for the first candidate
        """
        expires = str(int(until.timestamp()))
        signature = self._signer.sign(_signed(media_id, str(number), expires))
        return f"{PICTURES_PATH}/{media_id}/{number}/{expires}/{signature}.jpg"

    def read(self, media_id: str, number: str, expires: str, signature: str) -> bytes:
        """Return the picture of an address, a small JPEG.

        :raises MediaUnreadableError: code ``picture_forged``, ``picture_expired`` or
            ``picture_gone``
        """
        from reelflow.media.images import shrink_image  # tasks ask, and none reads: it loads slowly

        self._verify(media_id, number, expires, signature)
        with self._workspace.ledger.read() as session:
            media = session.get(Media, media_id)
        key = None if media is None else _key_of(media, int(number))
        if key is None:
            raise MediaUnreadableError("this picture is not here any more", code=GONE)
        try:
            with self._workspace.folders.open(key) as source:
                kept = io.BytesIO(source.read_at(0, source.size_bytes))
            return shrink_image(kept, max_side_px=_MAX_SIDE_PX)[0]
        except (ObjectNotFoundError, MediaRejectedError) as exc:
            raise MediaUnreadableError("this picture is not here any more", code=GONE) from exc

    def _verify(self, media_id: str, number: str, expires: str, signature: str) -> None:
        # What we signed has an id, a number and a time in it.
        if not self._signer.has_signed(_signed(media_id, number, expires), signature):
            raise MediaUnreadableError("this address was not made by this Reelflow", code=FORGED)
        if int(expires) <= self._workspace.ledger.now().timestamp():
            raise MediaUnreadableError("this address has expired", code=EXPIRED)


def _signed(media_id: str, number: str, expires: str) -> str:
    return f"{media_id}/{number}/{expires}"


def _key_of(media: Media, number: int) -> str | None:
    if media.deleted_at is not None:
        return None
    if number == 0:
        return media.thumbnail_path
    candidates = media.candidates or []
    return str(candidates[number - 1]["key"]) if number <= len(candidates) else None
