"""Submitting posts: what the server has already is not sent again, nor made twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reelflow.client.parallel import do_all
from reelflow.client.records import PostRecord
from reelflow.client.retries import Retries
from reelflow.client.server import ReelflowServer
from reelflow.client.uploader import LocalFile, Uploader, upload_key
from reelflow.domain.post import UNKEYED, PostKind, PostState
from reelflow.exceptions import (
    MediaUnreadableError,
    ReelflowError,
    ServerRefusedError,
    SourceChangedError,
)

_IMAGES_AT_ONCE: Final = 4
#: The server refuses this post, and may take the next.
_OF_THE_POST: Final = frozenset({400, 404, 409, 411, 413, 415, 422})
#: ... unless these words are not a Reelflow server's.
_NOT_REELFLOWS: Final = frozenset({ServerRefusedError.default_code, "malformed_answer"})


@dataclass(frozen=True)
class LocalPost:
    """A post that was checked, and whose files lie on this machine.

    :param name: what people call it
    :param place: where it was asked for: a row of a table with its name, or the name alone
    :param files: one video, or images in their order
    :param sha256: of its content, as the server counts it
    :param fields: of the post as the API names them, without account and files
    """

    name: str
    place: str
    account: str
    kind: PostKind
    files: tuple[LocalFile, ...]
    sha256: str
    fields: Mapping[str, Any]

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def wish(self) -> dict[str, Any]:
        """What is asked of the server."""
        return {"account": self.account, **self.fields}


@dataclass(frozen=True)
class Submitted:
    """A post that the server has.

    :param is_new: whether this is what made it
    """

    post: PostRecord
    is_new: bool


class Submission:
    """Submits posts to one server.

    :param retries: makes the patience of one errand
    """

    def __init__(
        self, server: ReelflowServer, uploader: Uploader, retries: Callable[[], Retries]
    ) -> None:
        self._server = server
        self._uploader = uploader
        self._retries = retries

    def find(self, post: LocalPost) -> PostRecord | None:
        """Return the post of the same content that the server has, whatever became of it.

        A repost is another post of the same content, so one is found only by all that was wished
        of it: the same command, or table, run again posts nothing again.
        """
        found = self._retries().call(lambda: self._server.posts_of(post.account, post.sha256))
        if post.fields.get("repost"):
            found = [one for one in found if _is_this_repost(one, post)]
        # Rather one that goes on than one that ended, and rather the first than its reposts.
        return min(found, key=lambda one: (one.state in UNKEYED, one.repost), default=None)

    def submit(
        self, post: LocalPost, found: PostRecord | None, on_progress: Callable[[int], None]
    ) -> Submitted:
        """Bring a post to the server, unless it is there; one that is HELD takes the fields over.

        :param found: what :meth:`find` found
        :param on_progress: is told how many bytes are on their way or there; threads may tell it
        """
        if found is not None:
            on_progress(post.size_bytes)
            if found.state == PostState.HELD and found.media_ids and not found.repost:
                return Submitted(self._take_over(post, found), is_new=False)
            return Submitted(found, is_new=False)
        if post.kind is PostKind.VIDEO:
            made = self._submit_video(post, on_progress)
        else:
            made = self._submit_photos(post, on_progress)
        for key in self._keys(post):
            self._uploader.forget(key)
        return Submitted(made, is_new=True)

    def _take_over(self, post: LocalPost, found: PostRecord) -> PostRecord:
        """Give a held post what is wished now, which may let it go."""
        return self._retries().call(lambda: self._server.create_post(post.wish, found.media_ids))

    def _submit_video(self, post: LocalPost, on_progress: Callable[[int], None]) -> PostRecord:
        """Upload a video; its post is made in the step that ends the upload, or not at all."""
        (file,), (key,) = post.files, self._keys(post)
        ended = self._uploader.upload(file, key=key, post=post.wish, on_progress=on_progress)
        post_ids = ended.media.post_ids
        if ended.post is not None:
            return ended.post
        if not post_ids:
            raise ServerRefusedError(
                f"the server took {post.name!r} in and made no post of it: its version is not "
                "the one of this command",
                code="no_post",
            )
        return self._retries().call(lambda: self._server.post(post_ids[-1]))

    def _submit_photos(self, post: LocalPost, on_progress: Callable[[int], None]) -> PostRecord:
        """Upload the images, then make the post of them."""
        done_bytes = [0] * len(post.files)
        media_ids = [""] * len(post.files)
        keys = self._keys(post)

        def upload(place: int) -> None:
            def progress(sent_bytes: int) -> None:
                done_bytes[place] = sent_bytes
                on_progress(sum(done_bytes))

            file, key = post.files[place], keys[place]
            ended = self._uploader.upload(file, key=key, post=None, on_progress=progress)
            media_ids[place] = ended.media.id
            progress(file.size_bytes)

        do_all(upload, range(len(post.files)), at_once=_IMAGES_AT_ONCE)
        return self._retries().call(lambda: self._post_photos(post, media_ids))

    def _post_photos(self, post: LocalPost, media_ids: list[str]) -> PostRecord:
        """Make the post of images that were uploaded for it alone, unless that was done."""
        post_ids = self._server.media(media_ids[0]).post_ids
        if post_ids:  # the answer to an earlier try was lost
            return self._server.post(post_ids[-1])
        return self._server.create_post(post.wish, media_ids)

    def _keys(self, post: LocalPost) -> list[str]:
        return [
            upload_key(self._server.url, post.account, post.sha256, place=place, wish=post.fields)
            for place in range(len(post.files))
        ]


def is_of_the_post(error: ReelflowError) -> bool:
    """Whether an error is of one post alone, so that others may go."""
    if isinstance(error, ServerRefusedError):
        return error.status in _OF_THE_POST and error.code not in _NOT_REELFLOWS
    return isinstance(error, SourceChangedError | MediaUnreadableError)


def _is_this_repost(found: PostRecord, post: LocalPost) -> bool:
    """Whether a post is the very repost that is asked for."""
    wished_at = post.fields.get("publish_at")
    wished = None if wished_at is None else datetime.fromisoformat(wished_at)
    caption = post.fields.get("caption", "")
    return found.repost and found.caption == caption and found.publish_at == wished
