"""What the simulated platform refuses with.

::

    ApiError(code, message)      a JSON call: {"error": {"code", "message", "log_id"}}, no "data"
    OAuthError(error, sentence)  a token or revoke call: {"error", "error_description", "log_id"}
    UploadError(status, reason)  a PUT to an upload URL: a bare HTTP status
"""

from tiktok_simulator.codes import ERROR_CODES

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

    :param code: TikTok's error code, a key of :data:`~tiktok_simulator.codes.ERROR_CODES`.
    :param message: the sentence beside the code; the code itself when nothing better is known.
    :param status: HTTP status, where one call answers a code with another status than all others.
    """

    def __init__(self, code: str, message: str = "", *, status: int | None = None) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message or code
        self.status = ERROR_CODES[code].status if status is None else status


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
