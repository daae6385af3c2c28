"""The server's routes as calls: one HTTP request each, typed answers, nothing repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from reelflow.client import records
from reelflow.client.answers import Fields, check_done, document_of
from reelflow.client.chunk_body import ChunkBody
from reelflow.client.records import MediaRecord, PostRecord, Upload
from reelflow.client.transport import Answer, Timeouts, Transport

#: More posts of the same bytes on one account than anybody asks for.
_TWINS_MAX: Final = 100


@dataclass(frozen=True)
class Finalized:
    """What became of an upload.

    :param post: the post that it belongs to, if it was said which or what
    """

    media: MediaRecord
    post: PostRecord | None


class ReelflowServer:
    """Calls a Reelflow server as one user; threads may call at once.

    Every method raises :class:`ServerUnavailableError` if it got no answer or may be tried again,
    and :class:`ServerRefusedError`, with the server's own slug, if not.

    :param url: as :func:`reelflow.client.address.api_url` gives it
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    ) -> None:
        self.url = url
        self._transport = Transport(url, api_key, timeouts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transport.close()

    def begin_upload(
        self,
        *,
        file_name: str,
        size_bytes: int,
        content_type: str,
        media_type: str,
        sha256: str,
        post: Mapping[str, Any] | None = None,
    ) -> Upload:
        """Open an upload.

        :param post: what the post is to be that its end makes; it is checked before the first byte
        """
        call = "beginning the upload"
        asked = {
            "file_name": file_name,
            "file_size": size_bytes,
            "content_type": content_type,
            "media_type": media_type,
            "sha256": sha256,
            **({"post": dict(post)} if post is not None else {}),
        }
        answer = self._transport.send("POST", "/media/upload/init", json=asked)
        return records.new_upload(_fields(answer, call), size_bytes)

    def upload(self, upload_id: str, size_bytes: int) -> Upload:
        """Return where an upload stands."""
        answer = self._transport.send("GET", f"/media/upload/{upload_id}/status")
        return records.upload(_fields(answer, "asking for the upload"), upload_id, size_bytes)

    def put_chunk(self, upload_id: str, index: int, body: ChunkBody) -> None:
        """Send one chunk; when this returns, the server has it on its disk."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Digest": body.digest_header(),
        }
        path = f"/media/upload/{upload_id}/chunks/{index}"
        answer = self._transport.send("PUT", path, body=body, headers=headers)
        check_done(answer, f"sending chunk {index}")

    def finalize(self, upload_id: str, post: Mapping[str, Any] | None) -> Finalized:
        """End an upload whose chunks are all there; asked again, it answers the same."""
        asked = {} if post is None else {"post": dict(post)}
        path = f"/media/upload/{upload_id}/finalize"
        fields = _fields(self._transport.send("POST", path, json=asked), "ending the upload")
        made = records.post(fields.inner("post")) if fields.has("post") else None
        return Finalized(records.media(fields.inner("media")), made)

    def media(self, media_id: str) -> MediaRecord:
        """Return the record of a file."""
        answer = self._transport.send("GET", f"/media/{media_id}")
        return records.media(_fields(answer, "asking for the file"))

    def create_post(self, post: Mapping[str, Any], media_ids: Sequence[str]) -> PostRecord:
        """Make a post of files that were taken in; of bytes that are a post already, that one."""
        asked = {**post, "media_ids": list(media_ids)}
        return records.post(_fields(self._transport.send("POST", "/posts", json=asked), "posting"))

    def post(self, post_id: int) -> PostRecord:
        """Return a post as it stands."""
        answer = self._transport.send("GET", f"/posts/{post_id}")
        return records.post(_fields(answer, "asking for the post"))

    def posts_of(self, account: str, sha256: str) -> list[PostRecord]:
        """Return the user's posts of the same content on an account, newest first."""
        query = {"account": account, "sha256": sha256, "limit": str(_TWINS_MAX)}
        answer = self._transport.send("GET", "/posts", query=query)
        posts = [records.post(one) for one in _fields(answer, "looking for posts").each("posts")]
        # A server that does not know the filter answers with others.
        return [one for one in posts if one.sha256 == sha256 and one.account == account]


def _fields(answer: Answer, call: str) -> Fields:
    return Fields(document_of(answer, call), call, answer)
