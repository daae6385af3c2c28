import pickle

import pytest

from reelflow.exceptions import (
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TransientError,
)
from reelflow.tiktok.refusals import (
    FAILURES,
    REFUSALS,
    FailureKind,
    explain_failure,
    printable,
    refusal_error,
)

DOCUMENTED_CODES = {
    "invalid_param": TikTokRejectedError,
    "invalid_params": TikTokRejectedError,
    "app_version_check_failed": TikTokRejectedError,
    "invalid_publish_id": TikTokRejectedError,
    "token_not_authorized_for_specified_publish_id": TikTokRejectedError,
    "publish_not_cancellable": TikTokRejectedError,
    "scope_permission_missed": TikTokAuthError,
    "invalid_file_upload": TikTokRejectedError,
    "access_token_invalid": TikTokAuthError,
    "scope_not_authorized": TikTokAuthError,
    "spam_risk_too_many_posts": TikTokRateLimitedError,
    "spam_risk_user_banned_from_posting": TikTokRejectedError,
    "reached_active_user_cap": TikTokRateLimitedError,
    "spam_risk_too_many_pending_share": TikTokRateLimitedError,
    "unaudited_client_can_only_post_to_private_accounts": TikTokRejectedError,
    "privacy_level_option_mismatch": TikTokRejectedError,
    "url_ownership_unverified": TikTokRejectedError,
    "rate_limit_exceeded": TikTokRateLimitedError,
    "internal_error": TikTokUnavailableError,
}


def test_every_documented_code_has_its_error_and_no_other_has() -> None:
    assert {code: refusal.error_class for code, refusal in REFUSALS.items()} == DOCUMENTED_CODES


@pytest.mark.parametrize("code", sorted(DOCUMENTED_CODES))
def test_the_error_of_a_code_keeps_it_and_says_what_to_do(code: str) -> None:
    error = refusal_error(code, call="init", http_status=403, message=code, log_id="20260911AB")
    assert type(error) is DOCUMENTED_CODES[code]
    assert error.code == code
    assert REFUSALS[code].fix in str(error)
    assert "20260911AB" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("code", "wait_s"), [("spam_risk_too_many_posts", 86_400), ("rate_limit_exceeded", 60)]
)
def test_a_cap_says_how_long_to_wait_unless_tiktok_did(code: str, wait_s: float) -> None:
    def wait(asked_s: float | None) -> float | None:
        error: ReelflowError = refusal_error(
            code, call="init", http_status=429, retry_after_s=asked_s
        )
        assert isinstance(error, TransientError)
        return error.retry_after_s

    assert wait(None) == wait_s
    assert wait(7) == 7


def test_an_unknown_code_is_terminal_and_kept_raw() -> None:
    error = refusal_error("brand_new_code", call="init", http_status=400, message="Surprise.")
    assert type(error) is TikTokRejectedError
    assert (error.code, error.http_status) == ("brand_new_code", 400)
    assert "Surprise." in str(error)


def test_an_unaudited_app_is_told_to_make_the_account_private() -> None:
    code = "unaudited_client_can_only_post_to_private_accounts"
    assert "make the account private" in str(refusal_error(code, call="init", http_status=403))


def test_the_message_of_tiktok_is_shown_without_tokens_and_controls() -> None:
    text = "bad act.s3cret! \x1b[2J https://x.example/upload?upload_token=s3cret \n end"
    shown = printable(text, 300)
    assert "s3cret" not in shown
    assert shown.isprintable()
    assert shown.endswith("end")
    assert len(printable("x" * 1000, 300)) == 300


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("file_format_check_failed", FailureKind.FIX_MEDIA),
        ("duration_check_failed", FailureKind.FIX_MEDIA),
        ("frame_rate_check_failed", FailureKind.FIX_MEDIA),
        ("picture_size_check_failed", FailureKind.FIX_MEDIA),
        ("internal", FailureKind.RETRY),
        ("video_pull_failed", FailureKind.FIX_URL),
        ("photo_pull_failed", FailureKind.FIX_URL),
        ("publish_cancelled", FailureKind.CANCELLED),
        ("auth_removed", FailureKind.RECONNECT),
        ("spam_risk_too_many_posts", FailureKind.LATER),
        ("spam_risk_user_banned_from_posting", FailureKind.NEVER),
        ("spam_risk_text", FailureKind.FIX_TEXT),
        ("spam_risk", FailureKind.NEVER),
    ],
)
def test_every_documented_fail_reason_is_explained(reason: str, kind: FailureKind) -> None:
    assert explain_failure(reason).kind is kind
    assert reason in FAILURES


@pytest.mark.parametrize("reason", [None, "", "something_new"])
def test_a_fail_reason_that_we_do_not_know_is_never_retried(reason: str | None) -> None:
    failure = explain_failure(reason)
    assert failure.kind is FailureKind.NEVER
    assert (reason or "none") in failure.fix
