"""One publication: an init call, the bytes that followed, and the status they lead to."""

from dataclasses import dataclass
from typing import Any, Literal

from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.received import ReceivedBytes


@dataclass
class Publication:
    """One init call and what became of it.

    :param kind: "direct" is posted by itself; "draft" ends in the creator's inbox.
    :param expires_at: Unix seconds; the upload URL refuses bytes from then on.
    :param completed_at: Unix seconds of the last byte, None while bytes lack.
    :param post_id: of a direct post, from the last byte on.
    :param fail_reason: ends FAILED with it.
    :param polls: status calls since the last byte.
    :param authorization_seen: PUTs that carried an Authorization header.
    """

    publish_id: str
    upload_id: str
    upload_token: str
    open_id: str
    kind: Literal["direct", "draft"]
    post_info: dict[str, Any]
    plan: UploadPlan
    expires_at: float
    received: ReceivedBytes
    completed_at: float | None = None
    post_id: int | None = None
    fail_reason: str | None = None
    polls: int = 0
    authorization_seen: int = 0

    @property
    def upload_path(self) -> str:
        """Path and query of the upload URL, in the shape production returns."""
        return f"/upload?upload_id={self.upload_id}&upload_token={self.upload_token}"

    @property
    def is_public(self) -> bool:
        """Whether the post ever gets a public id (D-ST: only what everyone may see)."""
        is_for_everyone = self.post_info.get("privacy_level") == "PUBLIC_TO_EVERYONE"
        return self.kind == "direct" and is_for_everyone

    def status(self, processing_polls: int, link_polls: int) -> dict[str, Any]:
        """Return the ``data`` of status/fetch (D-ST, "Response"); empty fields are left out.

        :param processing_polls: polls that see PROCESSING_UPLOAD after the last byte.
        :param link_polls: polls that see PUBLISH_COMPLETE without an id after those.
        """
        if self.polls <= processing_polls and (self.completed_at or not self.fail_reason):
            return {"status": "PROCESSING_UPLOAD", "uploaded_bytes": self.received.size_bytes}
        if self.fail_reason is not None:
            return {"status": "FAILED", "fail_reason": self.fail_reason}
        if self.kind == "draft":
            return {"status": "SEND_TO_USER_INBOX"}
        data: dict[str, Any] = {"status": "PUBLISH_COMPLETE"}
        if self.is_public and self.polls > processing_polls + link_polls:
            data["publicaly_available_post_id"] = [self.post_id]  # the misspelling is TikTok's
        return data
