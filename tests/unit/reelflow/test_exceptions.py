"""The error tree: every error crosses process bounds, and belongs to one of two kinds."""

import copy
import pickle

import pytest

from reelflow import exceptions
from reelflow.exceptions import (
    MediaRejectedError,
    ReelflowError,
    TerminalError,
    TikTokAuthError,
    TransientError,
    WebhookRefusedError,
)

ERRORS = [
    error
    for error in vars(exceptions).values()
    if isinstance(error, type) and issubclass(error, ReelflowError) and error is not ReelflowError
]


def make(error: type[ReelflowError]) -> ReelflowError:
    if issubclass(error, MediaRejectedError):
        return error("no", violations=[{"rule": "duration"}], post_id=7)
    if issubclass(error, WebhookRefusedError):
        return error("no", reason="forged", post_id=7)
    return error("no", post_id=7)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_either_terminal_or_transient(error: type[ReelflowError]) -> None:
    assert issubclass(error, TerminalError) != issubclass(error, TransientError)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_survives_pickling_and_copying_whole(error: type[ReelflowError]) -> None:
    original = make(error)
    for twin in (pickle.loads(pickle.dumps(original)), copy.copy(original)):
        assert type(twin) is error
        assert str(twin) == "no"
        assert twin.args == ("no",)
        assert vars(twin) == vars(original)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_named_in_the_drawn_tree(error: type[ReelflowError]) -> None:
    assert error.__name__ in (exceptions.__doc__ or "")


def test_codes_are_stable_slugs_one_an_error() -> None:
    codes = [error.default_code for error in ERRORS]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalnum() and code == code.lower() for code in codes)


def test_tiktoks_own_code_and_log_id_are_kept() -> None:
    refused = TikTokAuthError("no", code="scope_not_authorized", log_id="l1", http_status=401)
    twin = pickle.loads(pickle.dumps(refused))
    assert (twin.code, twin.log_id, twin.http_status) == ("scope_not_authorized", "l1", 401)


def test_a_transient_error_may_say_when_to_come_back() -> None:
    assert TransientError("later", retry_after_s=3).retry_after_s == 3
    assert TransientError("later").retry_after_s is None
