"""Which HTTP status each error of a service is answered with: the one table."""

from __future__ import annotations

from typing import Final

#: By code. The message and the context of these errors are for whoever asked; an error that is not
#: here is answered in general: 503 where it passes by itself, else 500. Errors of TikTok's keep its
#: codes: none of them may be here with another meaning.
STATUSES: Final[dict[str, int]] = {
    "unauthenticated": 401,
    "account_not_found": 404,
    "media_not_found": 404,
    "not_made_yet": 404,
    "post_not_found": 404,
    "upload_not_found": 404,
    "video_not_found": 404,
    "job_not_found": 404,
    "session_not_found": 404,
    "account_revoked": 409,
    "chunk_busy": 409,
    "chunk_differs": 409,
    "chunks_missing": 409,
    "duplicate": 409,
    "illegal_transition": 409,
    "media_deleted": 409,
    "media_in_use": 409,
    "object_missing": 409,
    "publish_not_cancellable": 409,
    "storage_not_s3": 409,
    "upload_expired": 409,
    "upload_state": 409,
    "file_too_large": 413,
    "unsupported_media_type": 415,
    "chunk_digest": 422,
    "chunk_index": 422,
    "chunk_length": 422,
    "digest_malformed": 422,
    "file_size": 422,
    "invalid_post": 422,
    "job_differs": 422,
    "media_rejected": 422,
    "not_this_media": 422,
    "quota_exceeded": 429,
    "too_many_sessions": 429,
    "storage_access": 503,
    "ledger_full": 507,
    "storage_full": 507,
}

#: What is said in place of messages that name places of ours; the log gets those.
_NO_ROOM: Final = "there is no room for this now: try again later, or ask an admin to make room"
FOR_STRANGERS: Final[dict[str, str]] = {
    "ledger_full": _NO_ROOM,
    "storage_full": _NO_ROOM,
    "storage_access": "storage refuses what Reelflow asks of it: nothing was changed, and an admin "
    "finds the reason in the server's log and with `reelflow doctor`",
}
