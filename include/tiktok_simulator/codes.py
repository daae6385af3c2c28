"""The platform's error codes and fail reasons, each of which the simulator can answer."""

from typing import NamedTuple

# Calls: dp direct post of a video, up draft of a video, ph photos, ci creator_info, st status,
# ca cancel, di the display calls (user info, video list and query).
_POSTING = ("dp", "up", "ph")
_ALL = ("dp", "up", "ph", "ci", "st", "ca", "di")


class ErrorCode(NamedTuple):
    """Where an error code appears.

    :param status: HTTP status by default; creator_info answers its 403s with 200 (D-CI).
    :param calls: short names of the calls that document it, see above.
    """

    status: int
    calls: tuple[str, ...]


# The error tables of D-DP, D-UP, D-PH, D-CI, D-ST, D-MTG (cancel), D-UI and D-ERR. Two rows follow
# real traffic instead: "invalid_params" is spelled in the plural by the posting calls, too, and the
# sixth pending draft is refused with 400, where D-UP says 403 (both are switches). Clients must
# decide by the code.
ERROR_CODES = {
    "invalid_params": ErrorCode(400, _ALL),
    "invalid_param": ErrorCode(400, _POSTING),
    "app_version_check_failed": ErrorCode(400, ("ph",)),
    "invalid_publish_id": ErrorCode(400, ("st", "ca")),
    "token_not_authorized_for_specified_publish_id": ErrorCode(400, ("st", "ca")),
    "publish_not_cancellable": ErrorCode(400, ("ca",)),
    "scope_permission_missed": ErrorCode(400, ("di",)),
    "invalid_file_upload": ErrorCode(400, ()),  # on the general page (D-ERR) alone
    "access_token_invalid": ErrorCode(401, _ALL),
    "scope_not_authorized": ErrorCode(401, _ALL),
    "spam_risk_too_many_posts": ErrorCode(403, ("dp", "ph", "ci")),
    "spam_risk_user_banned_from_posting": ErrorCode(403, ("dp", "up", "ph", "ci")),
    "reached_active_user_cap": ErrorCode(403, ("dp", "ph", "ci")),
    "spam_risk_too_many_pending_share": ErrorCode(400, ("up", "ph")),
    "unaudited_client_can_only_post_to_private_accounts": ErrorCode(403, ("dp", "ph")),
    "privacy_level_option_mismatch": ErrorCode(403, ("dp", "ph")),
    "url_ownership_unverified": ErrorCode(403, ("dp", "up", "ph", "ca")),
    "rate_limit_exceeded": ErrorCode(429, _ALL),
    "internal_error": ErrorCode(500, _ALL),
}

# D-ST, table "fail_reason".
FAIL_REASONS = (
    "file_format_check_failed",
    "duration_check_failed",
    "frame_rate_check_failed",
    "picture_size_check_failed",
    "internal",
    "video_pull_failed",
    "photo_pull_failed",
    "publish_cancelled",
    "auth_removed",
    "spam_risk_too_many_posts",
    "spam_risk_user_banned_from_posting",
    "spam_risk_text",
    "spam_risk",
)
