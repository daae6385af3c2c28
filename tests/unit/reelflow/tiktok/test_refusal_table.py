from collections.abc import Mapping

import pytest

from reelflow.tiktok.refusal_table import DAY_S, ERROR_CODES, FAIL_REASONS, MINUTE_S, OAUTH_ERRORS
from reelflow.tiktok.verdicts import Meaning, Verdict
from tiktok_simulator import codes
from tiktok_simulator.exceptions import OAUTH_ERRORS as SIMULATED_OAUTH_ERRORS

RETRY, LATER, FIX, AUTH, NEVER = Verdict
VERDICTS = {
    "invalid_param": FIX,
    "invalid_params": FIX,
    "app_version_check_failed": FIX,
    "invalid_publish_id": NEVER,
    "token_not_authorized_for_specified_publish_id": NEVER,
    "publish_not_cancellable": NEVER,
    "scope_permission_missed": AUTH,
    "invalid_file_upload": FIX,
    "access_token_invalid": AUTH,
    "scope_not_authorized": AUTH,
    "spam_risk_too_many_posts": LATER,
    "spam_risk_user_banned_from_posting": FIX,
    "reached_active_user_cap": LATER,
    "spam_risk_too_many_pending_share": LATER,
    "unaudited_client_can_only_post_to_private_accounts": FIX,
    "privacy_level_option_mismatch": FIX,
    "url_ownership_unverified": FIX,
    "rate_limit_exceeded": LATER,
    "internal_error": RETRY,
    "file_format_check_failed": FIX,
    "duration_check_failed": FIX,
    "frame_rate_check_failed": FIX,
    "picture_size_check_failed": FIX,
    "internal": RETRY,
    "video_pull_failed": FIX,
    "photo_pull_failed": FIX,
    "publish_cancelled": NEVER,
    "auth_removed": AUTH,
    "spam_risk_text": FIX,
    "spam_risk": NEVER,
    "access_denied": AUTH,
    "invalid_grant": AUTH,
    "invalid_client": FIX,
    "unauthorized_client": FIX,
    "invalid_request": FIX,
    "invalid_scope": FIX,
    "unsupported_grant_type": NEVER,
    "unsupported_response_type": NEVER,
    "server_error": RETRY,
    "temporarily_unavailable": RETRY,
}
TABLES = (ERROR_CODES, FAIL_REASONS, OAUTH_ERRORS)


def test_every_word_has_its_verdict() -> None:
    verdicts = {word: meaning.verdict for table in TABLES for word, meaning in table.items()}
    assert verdicts == VERDICTS


@pytest.mark.parametrize(
    ("table", "simulated"),
    [
        (ERROR_CODES, codes.ERROR_CODES),
        (FAIL_REASONS, codes.FAIL_REASONS),
        (OAUTH_ERRORS, SIMULATED_OAUTH_ERRORS),
    ],
    ids=["codes", "fail reasons", "oauth"],
)
def test_every_word_that_the_simulator_can_say_is_in_the_table(
    table: Mapping[str, Meaning], simulated: object
) -> None:
    assert set(simulated) - {"ok"} == table.keys()  # type: ignore[call-overload]


@pytest.mark.parametrize("table", TABLES, ids=["codes", "fail reasons", "oauth"])
def test_every_sentence_is_one_that_a_person_can_read(table: Mapping[str, Meaning]) -> None:
    for word, meaning in table.items():
        assert len(meaning.fix) > 30, word
        assert meaning.fix.endswith("."), word
        assert word not in meaning.fix, word


def test_what_a_person_settles_without_touching_the_post_holds_it() -> None:
    holding = {word for word, meaning in ERROR_CODES.items() if meaning.holds}
    assert holding == {
        "app_version_check_failed",
        "scope_permission_missed",
        "access_token_invalid",
        "scope_not_authorized",
        "spam_risk_user_banned_from_posting",
        "unaudited_client_can_only_post_to_private_accounts",
        "privacy_level_option_mismatch",
        "url_ownership_unverified",
    }


def test_what_passes_by_itself_says_when() -> None:
    waits = {word: meaning.retry_after_s for word, meaning in ERROR_CODES.items()}
    assert {word: wait_s for word, wait_s in waits.items() if wait_s is not None} == {
        "spam_risk_too_many_posts": DAY_S,
        "reached_active_user_cap": DAY_S,
        "spam_risk_too_many_pending_share": DAY_S,
        "rate_limit_exceeded": MINUTE_S,
    }
