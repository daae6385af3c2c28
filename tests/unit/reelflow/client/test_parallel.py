import threading

import pytest

from reelflow.client.parallel import do_all
from reelflow.exceptions import ServerRefusedError, ServerUnavailableError


def test_all_is_done_several_at_once() -> None:
    together, done = threading.Barrier(3, timeout=10), set[int]()

    def work(item: int) -> None:
        together.wait()
        done.add(item)

    do_all(work, range(6), at_once=3)
    assert done == set(range(6))


def test_nothing_is_begun_after_an_error() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 2:
            raise ServerUnavailableError("gone")
        done.append(item)

    with pytest.raises(ServerUnavailableError, match="gone"):
        do_all(work, range(9), at_once=1)
    assert done == [0, 1]


def test_the_error_that_lasts_is_told_rather_than_one_that_passes() -> None:
    together = threading.Barrier(2, timeout=10)

    def work(item: int) -> None:
        together.wait()
        if item == 0:
            raise ServerUnavailableError("gone")
        raise ServerRefusedError("no")

    for _ in range(20):
        with pytest.raises(ServerRefusedError, match="no"):
            do_all(work, range(2), at_once=2)


def test_nothing_to_do_is_done() -> None:
    do_all(lambda _: None, [], at_once=4)
