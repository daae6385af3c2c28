import pickle

import pytest

from reelflow.exceptions import (
    ConfigurationError,
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TokenGrantRefusedError,
    TransientError,
)
from reelflow.tiktok.refusal_table import ERROR_CODES, FAIL_REASONS
from reelflow.tiktok.refusals import (
    explain_code,
    explain_failure,
    oauth_error,
    printable,
    refusal_error,
)
from reelflow.tiktok.verdicts import Verdict

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


def test_no_code_is_known_beside_the_documented_ones() -> None:
    assert ERROR_CODES.keys() == DOCUMENTED_CODES.keys()


@pytest.mark.parametrize("code", sorted(DOCUMENTED_CODES))
def test_the_error_of_a_code_keeps_it_and_says_what_to_do(code: str) -> None:
    error = refusal_error(code, call="init", http_status=403, message=code, log_id="20260911AB")
    assert type(error) is DOCUMENTED_CODES[code]
    assert error.code == code
    assert explain_code(code).fix in str(error)
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


def test_the_signature_of_a_url_that_tiktok_could_not_pull_is_not_shown() -> None:
    signature = "5a" * 32
    shown = printable(
        f"https://x.example/media/{'0' * 32}/1/{signature}/media.jpg is not yours", 300
    )
    assert signature not in shown
    assert shown.startswith("https://x.example/media/")


@pytest.mark.parametrize("reason", sorted(FAIL_REASONS))
def test_every_documented_fail_reason_is_explained(reason: str) -> None:
    assert explain_failure(reason) is FAIL_REASONS[reason]


@pytest.mark.parametrize("reason", [None, "", "something_new"])
def test_a_fail_reason_that_we_do_not_know_is_never_retried(reason: str | None) -> None:
    failure = explain_failure(reason)
    assert failure.verdict is Verdict.NEVER
    assert not failure.holds
    assert (reason or "none") in failure.fix


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        ("invalid_grant", TokenGrantRefusedError),
        ("access_denied", TokenGrantRefusedError),
        ("invalid_client", ConfigurationError),
        ("unauthorized_client", ConfigurationError),
        ("invalid_request", ConfigurationError),
        ("invalid_scope", ConfigurationError),
        ("unsupported_grant_type", ConfigurationError),
        ("unsupported_response_type", ConfigurationError),
        ("server_error", TikTokUnavailableError),
        ("temporarily_unavailable", TikTokUnavailableError),
        ("brand_new_error", ConfigurationError),
    ],
)
def test_every_error_of_oauth_has_its_class_and_keeps_its_word(
    code: str, error_class: type[ReelflowError]
) -> None:
    error = oauth_error(
        code, call="oauth/token", http_status=200, message="Because rft.s3cret.", log_id="2026A"
    )
    assert type(error) is error_class
    assert error.code == code
    assert "Because" in str(error)
    assert "2026A" in str(error)
    assert "s3cret" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
