"""What the simulated platform refuses with.

::

    ApiError(code, message)      a JSON call: {"error": {"code", "message", "log_id"}}, no "data"
    OAuthError(error, sentence)  a token or revoke call: {"error", "error_description", "log_id"}
    UploadError(status, reason)  a PUT to an upload URL: a bare HTTP status
"""

# HTTP status by error code: D-ERR and the error tables of D-DP, D-UP, D-CI, D-ST. Two rows follow
# real traffic instead: "invalid_params" is spelled in the plural, and the sixth pending draft is
# refused with 400, where D-UP says 403. Clients must decide by the code.
HTTP_STATUS = {
    "invalid_params": 400,
    "app_version_check_failed": 400,
    "invalid_publish_id": 400,
    "token_not_authorized_for_specified_publish_id": 400,
    "publish_not_cancellable": 400,
    "scope_permission_missed": 400,
    "spam_risk_too_many_pending_share": 400,
    "access_token_invalid": 401,
    "scope_not_authorized": 401,
    "spam_risk_too_many_posts": 403,
    "spam_risk_user_banned_from_posting": 403,
    "reached_active_user_cap": 403,
    "unaudited_client_can_only_post_to_private_accounts": 403,
    "privacy_level_option_mismatch": 403,
    "url_ownership_unverified": 403,
    "rate_limit_exceeded": 429,
    "internal_error": 500,
}
# The ``error`` values of the flat OAuth answers (D-OA).
OAUTH_ERRORS = (
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
)


class ApiError(Exception):
    """A refused JSON call.

    :param code: TikTok's error code, a key of :data:`HTTP_STATUS`.
    :param message: the sentence beside the code; the code itself when nothing better is known.
    :param status: HTTP status, where one call answers a code with another status than all others.
    """

    def __init__(self, code: str, message: str = "", *, status: int | None = None) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.status = HTTP_STATUS[code] if status is None else status


class OAuthError(Exception):
    """A refused OAuth call, or a refused authorize request.

    :param error: one of :data:`OAUTH_ERRORS`.
    :param description: the sentence in ``error_description``.
    """

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


class UploadError(Exception):
    """A refused PUT.

    :param status: the bare HTTP status (D-MTG, upload response table).
    :param reason: a sentence for the simulator's log; TikTok sends no body.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason
