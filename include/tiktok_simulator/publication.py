"""One publication: an init call, the bytes that followed, and the status they lead to."""

from dataclasses import dataclass, field
from typing import Any, Literal

from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.received import ReceivedBytes
from tiktok_simulator.switches import Switches

Kind = Literal["direct", "draft"]
Media = Literal["video", "photo"]
Stage = Literal["transfer", "processing", "failed", "cancelled", "inbox", "published"]
EVERYONE = "PUBLIC_TO_EVERYONE"


@dataclass(frozen=True)
class Pull:
    """What TikTok is to download (D-MTG, "Pull from URL").

    :param urls: one video, or the images of a photo post in their order.
    :param cover_index: 0-based, of the image that is a photo post's cover.
    """

    urls: tuple[str, ...]
    cover_index: int | None = None


@dataclass
class Publication:
    """One init call and what became of it.

    :param kind: "direct" is posted by itself; "draft" ends in the creator's inbox.
    :param plan: of an upload; None for a pull.
    :param pull: what TikTok downloads; None for an upload.
    :param expires_at: Unix seconds; from then on the upload URL refuses bytes, a pull has failed.
    :param downloaded_bytes: of a pull, so far.
    :param download_attempts: requests of a pull, so far.
    :param stage: how far it came; only :mod:`~tiktok_simulator.lifecycle` moves it.
    :param completed_at: Unix seconds of the last byte, None while bytes lack.
    :param published_at: Unix seconds of the (first) posting, None before.
    :param post_ids: of a direct post one, from the last byte on; of a draft one for each time its
        creator posted it (D-ST allows several).
    :param privacy_level: who may see the post now; None: a draft nobody posted.
    :param is_listed: whether the public may see it now: passed moderation, not deleted.
    :param counts: how often it was viewed, liked, commented and shared, where a test says so.
    :param deleted_at: Unix seconds at which the creator deleted the post.
    :param fail_reason: ends FAILED with it.
    :param polls: status answers in this stage.
    :param puts_under_way: PUTs that began and have no answer yet.
    :param authorization_seen: PUTs that carried an Authorization header.
    """

    publish_id: str
    upload_id: str
    upload_token: str
    open_id: str
    kind: Kind
    post_info: dict[str, Any]
    plan: UploadPlan | None
    expires_at: float
    received: ReceivedBytes
    media: Media = "video"
    pull: Pull | None = None
    downloaded_bytes: int = 0
    download_attempts: int = 0
    created_at: float = 0.0
    stage: Stage = "transfer"
    completed_at: float | None = None
    published_at: float | None = None
    post_ids: list[int] = field(default_factory=list)
    privacy_level: str | None = None
    is_listed: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    deleted_at: float | None = None
    fail_reason: str | None = None
    polls: int = 0
    puts_under_way: int = 0
    authorization_seen: int = 0

    @property
    def upload_path(self) -> str:
        """Path and query of the upload URL, in the shape production returns."""
        return f"/upload?upload_id={self.upload_id}&upload_token={self.upload_token}"

    @property
    def post_id(self) -> int | None:
        """The newest post that this publication led to."""
        return self.post_ids[-1] if self.post_ids else None

    @property
    def is_public(self) -> bool:
        """Whether the post ever gets a public id (D-ST: only what everyone may see)."""
        return self.privacy_level == EVERYONE and self.deleted_at is None

    @property
    def is_at_rest(self) -> bool:
        """Whether neither polls nor time will ever move it."""
        is_shown = self.stage == "published" and (self.is_listed or not self.is_public)
        return is_shown or self.stage in ("failed", "cancelled", "inbox")

    @property
    def is_final(self) -> bool:
        """Whether cancel comes too late (D-MTG: ``publish_not_cancellable``)."""
        return self.stage not in ("transfer", "processing")

    def status(self, now_s: float, switches: Switches) -> dict[str, Any]:
        """Return the ``data`` of status/fetch (D-ST, "Response"); empty fields are left out."""
        if self.stage in ("transfer", "processing"):
            return self._progress(now_s, switches)
        if self.stage in ("failed", "cancelled"):
            return {"status": "FAILED", "fail_reason": self.fail_reason}
        if self.stage == "inbox" or (self.kind == "draft" and switches.inbox_status == "stays"):
            return {"status": "SEND_TO_USER_INBOX"}
        data: dict[str, Any] = {"status": "PUBLISH_COMPLETE"}
        if self.is_listed:  # the misspelling is TikTok's
            is_list = switches.post_id_format == "list"
            data["publicaly_available_post_id"] = list(self.post_ids) if is_list else self.post_id
        elif switches.no_post_id == "empty_list":
            data["publicaly_available_post_id"] = []
        return data

    def _progress(self, now_s: float, switches: Switches) -> dict[str, Any]:
        if self.pull:  # until processing ends: D-ST names no other status for a pull
            return {"status": "PROCESSING_DOWNLOAD", "downloaded_bytes": self.downloaded_bytes}
        data: dict[str, Any] = {"status": "PROCESSING_UPLOAD"}
        is_expired = self.stage == "transfer" and now_s >= self.expires_at
        if not (is_expired and switches.expired_upload == "processing_without_bytes"):
            data["uploaded_bytes"] = self.received.size_bytes
        return data
