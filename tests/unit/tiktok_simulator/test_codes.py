"""The list of codes that clients are tested against."""

from tiktok_simulator.codes import ERROR_CODES, FAIL_REASONS
from tiktok_simulator.exceptions import ApiError

CALLS = {"dp", "up", "ph", "ci", "st", "ca", "di"}


def test_every_code_can_be_answered_with_its_status() -> None:
    for code, (status, calls) in ERROR_CODES.items():
        assert ApiError(code).status == status
        assert 400 <= status < 600
        assert set(calls) <= CALLS


def test_both_spellings_of_a_refused_body_are_listed() -> None:
    assert ERROR_CODES["invalid_param"].status == ERROR_CODES["invalid_params"].status == 400


def test_the_fail_reasons_are_those_of_the_documentation() -> None:
    assert len(FAIL_REASONS) == len(set(FAIL_REASONS)) == 13
    assert {"internal", "publish_cancelled", "auth_removed", "spam_risk"} < set(FAIL_REASONS)
