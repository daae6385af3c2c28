"""The URLs from which TikTok pulls: signed, for a few hours, and for one file each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from reelflow.domain.ids import is_id
from reelflow.exceptions import (
    ConfigurationError,
    MediaUnreadableError,
    ObjectNotFoundError,
    SourceChangedError,
)
from reelflow.ledger.models import Media
from reelflow.services.published_file import published_file
from reelflow.services.workspace import Workspace
from reelflow.source import Source
from reelflow.storage.base import PresigningStore

#: Where the web application serves these URLs, below the public address.
PUBLIC_MEDIA_PATH: Final = "/reelflow/api/v1/public/media"

FORGED: Final = "public_media_forged"
EXPIRED: Final = "public_media_expired"
GONE: Final = "public_media_gone"

_PURPOSE: Final = "public media"
_EXPIRES: Final = re.compile(r"[1-9][0-9]{0,11}")


@dataclass(frozen=True)
class PublicFile:
    """A file that may be served.

    :param source: open until the block ends
    :param content_type: by the file's content, never by a name
    """

    source: Source
    size_bytes: int
    content_type: str


class PublicMedia:
    """Makes and checks the URLs of one workspace's files.

    The signature covers which file and until when; its key is derived from the Fernet key.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._signer = workspace.ledger.cipher.signer(_PURPOSE)

    def url(self, media: Media) -> str:
        """Return a URL from which anybody may fetch a validated file for the configured time.

        It ends in the extension of the content, and names nothing a person chose. Of a photo with
        a prepared copy, it is the copy's.

        :raises MediaUnreadableError: TikTok must not get the file as it is, and it has no copy
        :raises ConfigurationError: no public address is configured, or the one of the bucket is not
            what its objects are below
        """
        if self._workspace.rules.verified_storage_url:
            return self._presigned(media)
        base = self._workspace.rules.public_url
        if not base:
            raise ConfigurationError(
                "TikTok fetches photos, and videos of accounts set so, from Reelflow, but "
                "REELFLOW_PUBLIC_URL is not set: set it to the https address under which "
                "`reelflow serve` is reached, on a domain verified for the app in TikTok's "
                "developer portal",
                code="public_url_missing",
            )
        extension = published_file(media).extension
        expires = self._expires()
        signature = self._signer.sign(_signed(media.id, expires))
        return f"{base}{PUBLIC_MEDIA_PATH}/{media.id}/{expires}/{signature}/media{extension}"

    def _presigned(self, media: Media) -> str:
        verified = self._workspace.rules.verified_storage_url
        store = self._workspace.folders.store
        if not isinstance(store, PresigningStore):
            raise ConfigurationError(
                "REELFLOW_VERIFIED_STORAGE_URL is set, but media lie in a folder: unset it, or set "
                "REELFLOW_STORAGE_URL",
                code="public_url_missing",
            )
        lifetime_s = int(self._workspace.rules.public_url_lifetime.total_seconds())
        file = published_file(media)
        url = store.presigned_get(file.key, content_type=file.content_type, lifetime_s=lifetime_s)
        if not url.startswith(verified):
            raise ConfigurationError(
                f"objects are below {url.partition('?')[0].removesuffix(file.key)}, not below "
                f"REELFLOW_VERIFIED_STORAGE_URL, {verified}: verify the former for the app in "
                "TikTok's developer portal, and set it",
                code="public_url_wrong",
            )
        return url

    def verify(self, media_id: str, expires: str, signature: str) -> None:
        """Check the parts of a URL's path.

        :raises MediaUnreadableError: code ``public_media_forged`` or ``public_media_expired``
        """
        is_ours = is_id(media_id) and _EXPIRES.fullmatch(expires)
        # Compared whatever the rest is.
        if not self._signer.has_signed(_signed(media_id, expires), signature) or not is_ours:
            raise MediaUnreadableError("this URL was not made by this Reelflow", code=FORGED)
        if int(expires) <= self._workspace.ledger.now().timestamp():
            raise MediaUnreadableError("this URL has expired", code=EXPIRED)

    @contextmanager
    def open(self, media_id: str, expires: str, signature: str) -> Iterator[PublicFile]:
        """Hold the file of a URL open, if it still is the very file that was validated or prepared.

        :raises MediaUnreadableError: code ``public_media_forged``, ``public_media_expired``, or
            ``public_media_gone`` for a file that was deleted or changed; the message names no path
        """
        self.verify(media_id, expires, signature)
        with self._workspace.ledger.read() as session:
            media = session.get(Media, media_id)
        if media is None or media.deleted_at is not None or media.validated_at is None:
            _gone()
        with ExitStack() as held:
            try:
                file = published_file(media)
                folders = self._workspace.folders
                source = held.enter_context(folders.open(file.key, identity=file.identity))
            except (ObjectNotFoundError, MediaUnreadableError, SourceChangedError) as exc:
                _gone(exc)
            yield PublicFile(source, file.size_bytes, file.content_type)

    def _expires(self) -> int:
        ends_at: datetime = self._workspace.ledger.now() + self._workspace.rules.public_url_lifetime
        return int(ends_at.timestamp())


def _signed(media_id: str, expires: int | str) -> str:
    return f"{media_id}/{expires}"


def _gone(cause: Exception | None = None) -> NoReturn:
    raise MediaUnreadableError("this file is not here any more", code=GONE) from cause
