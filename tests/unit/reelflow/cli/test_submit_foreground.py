import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from reelflow.cli.screen import console
from reelflow.cli.submit_display import Display, LineDisplay
from reelflow.cli.submit_foreground import InterruptedByPersonError, foreground


@pytest.fixture
def display() -> Display:
    return LineDisplay(console())


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_what_the_work_returns_or_raises_is_passed_on(display: Display) -> None:
    with foreground() as front:
        assert front.run(lambda: 7, display) == 7
        with pytest.raises(ZeroDivisionError):
            front.run(lambda: 1 // 0, display)


def test_the_work_does_not_run_in_the_thread_that_hears_the_key(display: Display) -> None:
    with foreground() as front:
        assert front.run(threading.current_thread, display) is not threading.main_thread()


def _press_in_work(release: threading.Event) -> Callable[[], None]:
    def work() -> None:
        press_ctrl_c()
        release.wait(30)

    return work


def test_ctrl_c_ends_it_at_once_whatever_the_work_waits_for(display: Display) -> None:
    release, begun = threading.Event(), time.monotonic()
    with foreground() as front:
        with pytest.raises(InterruptedByPersonError):
            front.run(_press_in_work(release), display)
        press_ctrl_c()  # by somebody who is impatient: it disturbs nothing
        with pytest.raises(InterruptedByPersonError):
            front.run(lambda: pytest.fail("begun after the key"), display)
    release.set()
    assert time.monotonic() - begun < 10


def test_afterwards_the_key_is_as_it_was(display: Display) -> None:
    before = signal.getsignal(signal.SIGINT)
    with foreground():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_job_in_the_background_is_not_stopped_by_the_key(display: Display) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with foreground() as front:
            press_ctrl_c()
            assert front.run(lambda: 7, display) == 7
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_was_said_is_shown_before_it_ends(
    display: Display, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = LineDisplay(console())
    with foreground() as front:
        front.run(lambda: shown.say("a \x1b[2Jline"), shown)
    assert capsys.readouterr().out == "a \N{REPLACEMENT CHARACTER}[2Jline\n"
