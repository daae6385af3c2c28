"""The one table of TikTok's words: what each means, and the sentence that is shown for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reelflow.tiktok.verdicts import Meaning, Verdict

DAY_S: Final = 86_400.0
"""Caps on posts, drafts and creators count 24 hours (content-sharing-guidelines)."""

MINUTE_S: Final = 60.0
"""Rate limits count one minute (tiktok-api-v2-rate-limit)."""


def _fix_post(sentence: str) -> Meaning:
    return Meaning(Verdict.FIX, sentence, needs_new_post=True)


_INVALID_PARAMS = _fix_post("TikTok refused a value of the request; its message says which.")
_TOO_MANY_POSTS = Meaning(
    Verdict.LATER,
    "The account has reached TikTok's number of posts in 24 hours, which all apps share:"
    " wait, or post in the TikTok app.",
    retry_after_s=DAY_S,
)
_BANNED = Meaning(
    Verdict.FIX,
    "TikTok has banned the account from posting: the creator must settle it in the app.",
)

ERROR_CODES: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        # The posting pages spell it in the singular; on the wire it is the plural
        # (observed, https://github.com/DayMoonDevelopment/post-for-me/issues/327).
        "invalid_param": _INVALID_PARAMS,
        "invalid_params": _INVALID_PARAMS,
        "app_version_check_failed": Meaning(
            Verdict.FIX,
            "The creator's TikTok app is too old: update it to 31.8 or newer.",
        ),
        "invalid_publish_id": Meaning(
            Verdict.NEVER,
            "TikTok does not know this publish_id: look for the post in the TikTok app.",
        ),
        "token_not_authorized_for_specified_publish_id": Meaning(
            Verdict.NEVER,
            "The publish_id belongs to another account or app: use the account that opened it.",
        ),
        "publish_not_cancellable": Meaning(
            Verdict.NEVER,
            "The post is already final, or past what TikTok stops: delete it in the TikTok app if "
            "it must go.",
        ),
        "scope_permission_missed": Meaning(
            Verdict.AUTH,
            "A field needs a scope that was not granted: reconnect the account and grant it.",
        ),
        "invalid_file_upload": _fix_post(
            "TikTok cannot use the file: re-encode it as H.264 in MP4."
        ),
        "access_token_invalid": Meaning(
            Verdict.AUTH,
            "The account's access token is invalid or has expired: reconnect the account.",
        ),
        "scope_not_authorized": Meaning(
            Verdict.AUTH,
            "The account did not grant the scope that this call needs (video.publish for direct"
            " posts, video.upload for drafts, video.list for its videos): reconnect the account"
            " and grant it.",
        ),
        "spam_risk_too_many_posts": _TOO_MANY_POSTS,
        "spam_risk_user_banned_from_posting": _BANNED,
        "reached_active_user_cap": Meaning(
            Verdict.LATER,
            "The app has reached its number of posting creators in 24 hours: wait, or ask TikTok"
            " for a higher cap.",
            retry_after_s=DAY_S,
        ),
        "spam_risk_too_many_pending_share": Meaning(
            Verdict.LATER,
            "The account has 5 drafts waiting, the most in 24 hours: post or delete them in the"
            " TikTok app.",
            retry_after_s=DAY_S,
        ),
        "unaudited_client_can_only_post_to_private_accounts": Meaning(
            Verdict.FIX,
            "The app is not audited yet, so TikTok takes posts only for accounts that are private"
            " themselves: make the account private in the TikTok app and post with SELF_ONLY.",
        ),
        "privacy_level_option_mismatch": Meaning(
            Verdict.FIX,
            "The privacy level is not one that the account offers now: choose another.",
        ),
        "url_ownership_unverified": Meaning(
            Verdict.FIX,
            "TikTok pulls only from domains verified for the app: verify the domain, or upload.",
        ),
        "rate_limit_exceeded": Meaning(
            Verdict.LATER, "Too many calls in a minute: wait.", retry_after_s=MINUTE_S
        ),
        "internal_error": Meaning(Verdict.RETRY, "TikTok has a fault: try again later."),
    }
)
"""Documented ``error.code`` values of the posting and display calls.

Sources: content-posting-api-reference-direct-post, -photo-post, -upload-video,
-query-creator-info, -get-video-status and tiktok-api-v2-error-handling, read 2026-09-11.
"""

_PULL_FAILED = Meaning(
    Verdict.FIX,
    "TikTok could not download the media within an hour: check that the URL answers from outside.",
)

FAIL_REASONS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "file_format_check_failed": _fix_post(
            "TikTok cannot read the file's format: re-encode it as H.264 in MP4."
        ),
        "duration_check_failed": _fix_post(
            "The video is too short or too long for this account: cut it."
        ),
        "frame_rate_check_failed": _fix_post(
            "The frame rate is not within 23 to 60 a second: re-encode it at 30."
        ),
        "picture_size_check_failed": _fix_post(
            "Width or height is not within 360 to 4096 pixels: scale it."
        ),
        "internal": Meaning(Verdict.RETRY, "TikTok had a fault while processing: try again."),
        "video_pull_failed": _PULL_FAILED,
        "photo_pull_failed": _PULL_FAILED,
        "publish_cancelled": Meaning(
            Verdict.NEVER, "The post was cancelled: submit it again if it is wanted."
        ),
        "auth_removed": Meaning(
            Verdict.AUTH, "The creator removed the app's access: reconnect the account."
        ),
        "spam_risk_too_many_posts": _TOO_MANY_POSTS,
        "spam_risk_user_banned_from_posting": _BANNED,
        "spam_risk_text": _fix_post("TikTok judged the caption to be risky: change it."),
        "spam_risk": Meaning(
            Verdict.NEVER,
            "TikTok judged the post to be risky: the creator should look into the TikTok app.",
        ),
    }
)
"""Documented ``fail_reason`` values (content-posting-api-reference-get-video-status, read
2026-09-11)."""

_OUR_FAULT = "Reelflow asked in a way that TikTok does not know: report it with the log_id."

OAUTH_ERRORS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "access_denied": Meaning(
            Verdict.AUTH, "The creator did not consent: connect the account again and allow it."
        ),
        "invalid_grant": Meaning(
            Verdict.AUTH,
            "The code or refresh token was used before, has expired or was revoked: connect the"
            " account again.",
        ),
        "invalid_client": Meaning(
            Verdict.FIX,
            "TikTok does not know the app's client key and secret together: copy both from the"
            " app's page into the connection tiktok_app (a sandbox has a key of its own).",
        ),
        "unauthorized_client": Meaning(
            Verdict.FIX,
            "The app may not do this: check its client key, that Login Kit is added to it, and in"
            " a sandbox that the account is one of its target users.",
        ),
        # What a wrong verifier and a wrong redirect URI are answered with
        # (observed, https://github.com/Lg0gs/react-native-tiktok/issues/38).
        "invalid_request": Meaning(
            Verdict.FIX,
            "Check that the redirect URI is registered for the app byte for byte, and try the"
            " other encoding of the PKCE challenge (hex or base64url).",
        ),
        "invalid_scope": Meaning(
            Verdict.FIX, "A scope is not approved for the app: add it on the app's page."
        ),
        "unsupported_grant_type": Meaning(Verdict.NEVER, _OUR_FAULT),
        "unsupported_response_type": Meaning(Verdict.NEVER, _OUR_FAULT),
        "server_error": Meaning(Verdict.RETRY, "TikTok has a fault: try again later."),
        "temporarily_unavailable": Meaning(
            Verdict.RETRY, "TikTok's login is overloaded: try again later."
        ),
    }
)
"""Documented ``error`` values of OAuth (oauth-user-access-token-management, read 2026-09-11)."""
