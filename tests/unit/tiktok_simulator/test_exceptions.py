"""Errors know their HTTP status."""

from tiktok_simulator.exceptions import ApiError, UploadError


def test_an_api_error_takes_its_status_from_its_code() -> None:
    error = ApiError("rate_limit_exceeded")

    assert (error.status, error.message) == (429, "rate_limit_exceeded")


def test_one_call_may_answer_a_code_with_another_status() -> None:
    assert ApiError("spam_risk_too_many_posts").status == 403
    assert ApiError("spam_risk_too_many_posts", status=200).status == 200


def test_an_upload_error_says_why() -> None:
    assert str(UploadError(404, "no upload task")) == "404: no upload task"
