"""What the server keeps, as its client knows it: uploads, media, posts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reelflow.client.answers import Fields
from reelflow.domain.upload_session import CHUNKS_MAX, UploadPlan

_OPEN: Final = "open"


@dataclass(frozen=True)
class Upload:
    """An upload under way: how its file is cut, and which chunks are still to be sent.

    :param state: ``open``, ``finishing``, ``finished``, ``cancelled`` or ``expired``
    """

    id: str
    state: str
    plan: UploadPlan
    missing: tuple[int, ...]

    @property
    def is_open(self) -> bool:
        """Whether it takes chunks."""
        return self.state == _OPEN

    @property
    def received_bytes(self) -> int:
        """How many bytes the server holds."""
        missing = sum(self.plan.size_of_chunk(index) for index in self.missing)
        return self.plan.size_bytes - missing


@dataclass(frozen=True)
class MediaRecord:
    """A file that the server has taken in.

    :param post_ids: of the posts that publish it
    """

    id: str
    post_ids: tuple[int, ...]


@dataclass(frozen=True)
class PostRecord:
    """A post as it stands.

    :param state: one of :class:`reelflow.domain.post.PostState`, or one of a newer server's
    :param caption: letter for letter
    :param sha256: of its content, as its sender declared it or the server found it; may be empty
    :param url: where it can be watched on TikTok; empty until that is known
    """

    id: int
    account: str
    state: str
    reason: str
    fix: str
    caption: str
    publish_at: datetime | None
    due_at: datetime | None
    media_ids: tuple[str, ...]
    sha256: str
    repost: bool
    url: str


def new_upload(fields: Fields, size_bytes: int) -> Upload:
    """Read the answer to an upload's beginning: every chunk is missing."""
    plan = _plan(fields, size_bytes)
    return Upload(fields.id("upload_id"), _OPEN, plan, tuple(range(plan.total_chunks)))


def upload(fields: Fields, upload_id: str, size_bytes: int) -> Upload:
    """Read where an upload stands."""
    plan = _plan(fields, size_bytes)
    missing: set[int] = set()
    for first, last in fields.pairs("missing"):
        if not first <= last < plan.total_chunks:
            raise fields.wrong(f"chunks {first} to {last} of {plan.total_chunks} are missing")
        missing.update(range(first, last + 1))
    return Upload(upload_id, fields.text("state"), plan, tuple(sorted(missing)))


def media(fields: Fields) -> MediaRecord:
    """Read the record of a file."""
    return MediaRecord(fields.id("media_id"), tuple(fields.numbers("posts")))


def post(fields: Fields) -> PostRecord:
    """Read a post."""
    return PostRecord(
        id=fields.number("post_id"),
        account=fields.text("account"),
        state=fields.text("state"),
        reason=fields.text("reason"),
        fix=fields.text("fix"),
        caption=fields.raw_text("caption"),
        publish_at=_time(fields, "publish_at"),
        due_at=_time(fields, "due_at"),
        media_ids=fields.ids("media_ids"),
        sha256=fields.text("sha256"),
        repost=fields.flag("repost"),
        url=fields.inner("tiktok").text("url") if fields.has("tiktok") else "",
    )


def _plan(fields: Fields, size_bytes: int) -> UploadPlan:
    chunk_bytes, chunks = fields.number("chunk_size"), fields.number("total_chunks")
    try:
        plan = UploadPlan(size_bytes, chunk_bytes, chunks)
    except ValueError:
        plan = None
    if plan is None or chunks > CHUNKS_MAX:
        raise fields.wrong(f"{chunks} chunks of {chunk_bytes} bytes are no cut of {size_bytes}")
    return plan


def _time(fields: Fields, name: str) -> datetime | None:
    text = fields.text(name)
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise fields.wrong(f"{name} is no time with a time zone")
    return time
