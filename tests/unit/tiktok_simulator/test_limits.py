"""The sliding windows of one minute."""

import pytest

from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.limits import CALLS_PER_MINUTE, CallWindows


def test_the_limits_are_those_of_the_documentation() -> None:
    assert CALLS_PER_MINUTE == {
        "init": 6,
        "creator_info": 20,
        "status": 30,
        "user_info": 600,
        "video_list": 600,
        "video_query": 600,
    }


@pytest.mark.parametrize(("call", "limit"), CALLS_PER_MINUTE.items())
def test_one_call_too_many_in_a_minute_is_a_429(call: str, limit: int) -> None:
    windows = CallWindows()
    for _ in range(limit):
        windows.count("token", call, 100.0)

    with pytest.raises(ApiError) as caught:
        windows.count("token", call, 159.9)

    assert (caught.value.code, caught.value.status) == ("rate_limit_exceeded", 429)


def test_the_window_slides_and_refused_calls_cost_nothing() -> None:
    windows = CallWindows()
    for second in range(6):
        windows.count("token", "init", 100.0 + second)
    for _ in range(20):
        with pytest.raises(ApiError):
            windows.count("token", "init", 159.0)

    windows.count("token", "init", 160.0)

    with pytest.raises(ApiError):
        windows.count("token", "init", 160.5)


def test_each_token_and_each_call_has_its_own_window() -> None:
    windows = CallWindows()
    for _ in range(6):
        windows.count("one", "init", 100.0)

    windows.count("two", "init", 100.0)
    windows.count("one", "status", 100.0)


def test_cleared_windows_are_empty() -> None:
    windows = CallWindows()
    for _ in range(6):
        windows.count("one", "init", 100.0)

    windows.clear()

    windows.count("one", "init", 100.0)


def test_a_call_without_a_stated_limit_is_never_refused() -> None:
    windows = CallWindows()

    for _ in range(1000):
        windows.count("token", "cancel", 100.0)
