"""The last calls, for the inspection page."""

from tiktok_simulator.call_log import CAPACITY, CallLog


def test_the_newest_call_is_first_and_control_calls_are_left_out() -> None:
    log = CallLog()
    log.note(1.0, "POST", "/v2/post/publish/video/init/", 200)
    log.note(2.0, "GET", "/_sim/posts", 200)
    log.note(3.0, "PUT", "/upload", 201)

    assert [one.path for one in log.newest_first] == ["/upload", "/v2/post/publish/video/init/"]


def test_only_the_last_calls_are_kept_until_they_are_cleared() -> None:
    log = CallLog()
    for number in range(CAPACITY + 5):
        log.note(number, "PUT", "/upload", 206)

    assert len(log.newest_first) == CAPACITY
    assert log.newest_first[-1].at == 5
    log.clear()
    assert log.newest_first == []
