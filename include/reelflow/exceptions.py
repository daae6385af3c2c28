"""The error tree of Reelflow. Every error says what is wrong, with what value, and what to do.

::

    ReelflowError(message, *, code, **context)
    ├── TerminalError                     the same answer next time
    │   ├── ConfigurationError            a setting, key or connection is missing or wrong
    │   │   └── StorageAccessError        storage refuses us, or bucket or folder do not exist
    │   ├── LedgerNotMigratedError        the database is not at this version's revision
    │   ├── IllegalTransitionError        a state machine refused a step; nothing changed
    │   ├── MediaRejectedError            violations: what each rule measured, allowed and suggests
    │   ├── MediaUnreadableError          the file is missing, a link, a device or not ours to read
    │   ├── SourceChangedError            the source is not the file that was validated
    │   ├── InvalidObjectKeyError         no object can have this key
    │   ├── ObjectNotFoundError           nothing has this key
    │   ├── ObjectExistsError             something has this key already; nothing was changed
    │   ├── ContentMismatchError          the bytes are not those announced; nothing was stored
    │   ├── UploadNotFoundError           the multipart upload was completed or aborted
    │   ├── SidecarError                  a sidecar cannot be understood
    │   ├── PostHeldError                 a person must act before the post goes on
    │   ├── PostFailedError               the post ended FAILED; the message carries the fix
    │   ├── PostNotTakeableError          another run holds the post, or it needs no work
    │   ├── PostNotFoundError · AccountNotFoundError
    │   ├── UnauthenticatedError          no user is known by what was shown
    │   ├── AnalysisRefusedError          an engine will never judge this file
    │   ├── WebhookRefusedError(reason)   a webhook is forged, stale or malformed
    │   ├── ServerRefusedError(status)     a Reelflow server understood its client and refused
    │   └── TikTokRejectedError(log_id, http_status)
    │       └── TikTokAuthError           the token or scope is refused: reconnect the account
    │           ├── TokenGrantRefusedError  so is the code or refresh token: nothing renews it
    │           └── AccountRevokedError     the account's access ended: reconnect it
    └── TransientError(retry_after_s)
        ├── TikTokUnreachableError        nothing was sent: no connection could be made
        ├── TikTokUnavailableError        5xx, timeout, cut connection: the call may have worked
        ├── TikTokRateLimitedError        429 or a cap of TikTok's
        │   └── BudgetSpentError          our own count says so: nothing was sent
        ├── BreakerOpenError              inits are stopped for all accounts: nothing was sent
        ├── QuotaExceededError            the user's uploads of the day are used up
        ├── LedgerLockedError             the database stayed locked, or cannot be reached
        ├── LeaseLostError                another process took the post over
        ├── StorageFullError              no room on the disk
        ├── PartBusyError                 somebody else is writing this part of an upload
        ├── StorageUnavailableError       unreachable, 5xx, cut: a write may have worked
        │   └── StorageThrottledError     storage asks to slow down: nothing was done
        ├── MediaToolError                libav's process is missing, killed or out of time
        ├── ServerUnavailableError        a Reelflow server cannot be reached, or is busy
        └── AnalysisUnavailableError      an engine cannot be reached, or its answer not be used
            ├── AnalysisPendingError      its verdict is not there yet
            └── AnalysisLostError         it does not know the analysis any more: start another

Constructors do no work and instances pickle, because they cross process bounds.
"""

from __future__ import annotations

from typing import Any


class ReelflowError(Exception):
    """Base of all errors of Reelflow.

    :param message: what is wrong, with what value, and what to do
    :param code: stable slug of this error, for machines
    :param context: ids and measured values; never a secret
    """

    default_code = "reelflow_error"

    def __init__(self, message: str, *, code: str | None = None, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.context = context

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__))

    def __str__(self) -> str:
        return self.message


def _rebuild(cls: type[ReelflowError], message: str, state: dict[str, Any]) -> ReelflowError:
    """Make an error again after pickling, without calling a subclass's constructor."""
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class TerminalError(ReelflowError):
    """Trying again gives the same answer."""

    default_code = "terminal"


class ConfigurationError(TerminalError):
    """A setting, key, connection or program is missing or wrong."""

    default_code = "configuration"


class StorageAccessError(ConfigurationError):
    """Storage refuses us, or the bucket or folder that the settings name does not exist."""

    default_code = "storage_access"


class LedgerNotMigratedError(TerminalError):
    """The ledger's schema is not the one this version needs."""

    default_code = "ledger_not_migrated"


class IllegalTransitionError(TerminalError):
    """A state machine refused a step; nothing was changed."""

    default_code = "illegal_transition"


class MediaRejectedError(TerminalError):
    """The file breaks at least one rule.

    :param violations: one mapping a broken rule, with ``rule``, ``value``, ``limit`` and ``fix``
    """

    default_code = "media_rejected"

    def __init__(self, message: str, *, violations: list[dict[str, str]], **context: Any) -> None:
        super().__init__(message, **context)
        self.violations = violations


class MediaUnreadableError(TerminalError):
    """The file cannot be opened as a plain file of ours."""

    default_code = "media_unreadable"


class SourceChangedError(TerminalError):
    """The source changed after it was validated."""

    default_code = "source_changed"


class InvalidObjectKeyError(TerminalError):
    """No object of the store can have this key."""

    default_code = "object_key"


class ObjectNotFoundError(TerminalError):
    """Nothing in the store has this key."""

    default_code = "object_not_found"


class ObjectExistsError(TerminalError):
    """Something in the store has this key already; it was left as it is."""

    default_code = "object_exists"


class ContentMismatchError(TerminalError):
    """The bytes given are not those announced, by size or SHA-256; nothing was stored."""

    default_code = "content_mismatch"


class UploadNotFoundError(TerminalError):
    """The multipart upload was completed, aborted or never begun."""

    default_code = "upload_not_found"


class SidecarError(TerminalError):
    """A sidecar cannot be understood."""

    default_code = "sidecar_unreadable"


class PostHeldError(TerminalError):
    """The post was put on hold: a person must act."""

    default_code = "post_held"


class PostFailedError(TerminalError):
    """The post ended FAILED."""

    default_code = "post_failed"


class PostNotTakeableError(TerminalError):
    """Another run holds the post, or its state needs no work here."""

    default_code = "post_not_takeable"


class PostNotFoundError(TerminalError):
    """No post has this id."""

    default_code = "post_not_found"


class AccountNotFoundError(TerminalError):
    """No account has this name or id."""

    default_code = "account_not_found"


class UnauthenticatedError(TerminalError):
    """No user is known by what was shown: it is missing, wrong, expired or revoked."""

    default_code = "unauthenticated"


class AnalysisRefusedError(TerminalError):
    """An analysis engine will never judge this file: a person must."""

    default_code = "analysis_refused"


class TikTokRejectedError(TerminalError):
    """TikTok understood the call and refused it.

    :param code: TikTok's own error code, kept raw
    :param log_id: TikTok's id of the call, for its support
    :param http_status: HTTP status of the answer
    """

    default_code = "tiktok_rejected"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        log_id: str | None = None,
        http_status: int | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, code=code, **context)
        self.log_id = log_id
        self.http_status = http_status


class TikTokAuthError(TikTokRejectedError):
    """The access token or its scope is refused."""

    default_code = "access_token_invalid"


class TokenGrantRefusedError(TikTokAuthError):
    """The code or the refresh token is refused, or consent was: only reconnecting helps."""

    default_code = "invalid_grant"


class AccountRevokedError(TikTokAuthError):
    """The ledger knows that the account's access has ended: nothing was sent."""

    default_code = "account_revoked"


class WebhookRefusedError(TerminalError):
    """A webhook's body must not be believed or cannot be read.

    :param reason: ``forged``, ``stale`` or ``malformed``
    """

    default_code = "webhook_refused"

    def __init__(self, message: str, *, reason: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.reason = reason


class ServerRefusedError(TerminalError):
    """A Reelflow server understood what its client asked for, and refused.

    :param code: the server's own slug, or one of the client's for an answer without any
    :param status: HTTP status of the answer
    """

    default_code = "server_refused"

    def __init__(
        self, message: str, *, code: str | None = None, status: int = 0, **context: Any
    ) -> None:
        super().__init__(message, code=code, **context)
        self.status = status


class TransientError(ReelflowError):
    """Trying again later may work.

    :param retry_after_s: seconds to wait before the next try, when the other side said so
    """

    default_code = "transient"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after_s: float | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, code=code, **context)
        self.retry_after_s = retry_after_s


class TikTokUnreachableError(TransientError):
    """No connection could be made, so TikTok never saw the call."""

    default_code = "tiktok_unreachable"


class TikTokUnavailableError(TransientError):
    """5xx, timeout or cut connection: TikTok may or may not have carried the call out."""

    default_code = "tiktok_unavailable"


class TikTokRateLimitedError(TransientError):
    """TikTok asks to slow down, or a budget is spent."""

    default_code = "rate_limit_exceeded"


class BudgetSpentError(TikTokRateLimitedError):
    """The account's budget is spent by our own count; ``retry_after_s`` ends at a slot kept for it.

    Nothing was sent.
    """

    default_code = "budget_spent"


class BreakerOpenError(TransientError):
    """Failures of the platform spread over accounts, so nothing new is begun for now."""

    default_code = "breaker_open"


class QuotaExceededError(TransientError):
    """What a user may upload in a day is used up, or reserved; nothing was reserved."""

    default_code = "quota_exceeded"


class LedgerLockedError(TransientError):
    """The ledger stayed locked, or its database cannot be reached."""

    default_code = "ledger_locked"


class LeaseLostError(TransientError):
    """Another process took the post over; this one must stop at once."""

    default_code = "lease_lost"


class StorageFullError(TransientError):
    """No room is left on the disk."""

    default_code = "storage_full"


class PartBusyError(TransientError):
    """Somebody else is writing this part of an upload; this one was not touched."""

    default_code = "chunk_busy"


class StorageUnavailableError(TransientError):
    """Storage cannot be reached, answers 5xx or was cut off: a write may or may not have worked."""

    default_code = "storage_unavailable"


class StorageThrottledError(StorageUnavailableError):
    """Storage asks to slow down and did nothing."""

    default_code = "storage_throttled"


class MediaToolError(TransientError):
    """The process that decodes videos is missing, was killed, or ran out of time."""

    default_code = "media_tool"


class ServerUnavailableError(TransientError):
    """A Reelflow server cannot be reached, is busy, or its answer was lost."""

    default_code = "server_unavailable"


class AnalysisUnavailableError(TransientError):
    """An analysis engine cannot be reached, is busy, or answered what cannot be used."""

    default_code = "analysis_unavailable"


class AnalysisPendingError(AnalysisUnavailableError):
    """The analysis goes on; ``retry_after_s`` is when its verdict is expected."""

    default_code = "analysis_pending"


class AnalysisLostError(AnalysisUnavailableError):
    """The engine does not know the analysis any more."""

    default_code = "analysis_lost"
