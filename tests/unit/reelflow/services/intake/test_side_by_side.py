"""Questions to a store, side by side."""

from __future__ import annotations

import threading

import pytest

from reelflow.services.intake.side_by_side import side_by_side

DEADLINE_S = 30.0


def test_they_are_asked_at_once_and_answered_in_their_order() -> None:
    all_asked = threading.Barrier(10)

    def ask(number: int) -> int:
        all_asked.wait(DEADLINE_S)  # breaks unless ten ask at once
        return -number

    assert side_by_side(ask, range(10)) == [-number for number in range(10)]


def test_a_single_question_needs_no_thread() -> None:
    assert side_by_side(lambda _: threading.current_thread(), [1]) == [threading.main_thread()]
    assert side_by_side(str, []) == []


def test_an_error_is_raised_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda number: 1 // number, [1, 0, 2])
