import pytest

from reelflow.client.retries import Patience, Retries
from reelflow.exceptions import ServerUnavailableError, TransientError
from tests.unit.reelflow.client.conftest import Pauses


def failing(times: int, *, retry_after_s: float | None = None) -> object:
    left = [times]

    def call() -> str:
        if left[0]:
            left[0] -= 1
            raise ServerUnavailableError("gone", retry_after_s=retry_after_s)
        return "here"

    return call


def test_pauses_grow_up_to_the_longest(pauses: Pauses) -> None:
    told: list[tuple[str, float]] = []

    def tell(error: TransientError, pause_s: float) -> None:
        told.append((str(error), pause_s))

    retries = Retries(Patience(1, 4, 100), tell=tell, sleep=pauses)
    assert retries.call(failing(5)) == "here"  # type: ignore[arg-type]
    assert pauses == [1, 2, 4, 4, 4]
    assert told[0] == ("gone", 1)


def test_progress_makes_patient_again(pauses: Pauses) -> None:
    retries = Retries(Patience(1, 4, 3), tell=lambda *_: None, sleep=pauses)
    for _ in range(3):
        retries.wait_after(ServerUnavailableError("gone"))
        retries.progressed()
    assert pauses == [1, 1, 1]


def test_patience_ends_with_the_error_itself(pauses: Pauses) -> None:
    retries = Retries(Patience(1, 4, 6), tell=lambda *_: None, sleep=pauses)
    with pytest.raises(ServerUnavailableError, match="gone"):
        retries.call(failing(99))  # type: ignore[arg-type]
    assert pauses == [1, 2]


def test_an_answer_alone_does_not_make_patient_again(pauses: Pauses) -> None:
    """A server that tells where an upload stands, and takes no chunk, is left all the same."""
    retries = Retries(Patience(1, 4, 6), tell=lambda *_: None, sleep=pauses)

    def send_all() -> None:
        for _ in range(9):
            retries.wait_after(ServerUnavailableError("gone"))
            retries.call(lambda: "here")

    with pytest.raises(ServerUnavailableError):
        send_all()
    assert pauses == [1, 2]


def test_a_server_that_asks_for_a_pause_gets_it_or_is_left(pauses: Pauses) -> None:
    retries = Retries(Patience(1, 4, 30), tell=lambda *_: None, sleep=pauses)
    assert retries.call(failing(1, retry_after_s=20)) == "here"  # type: ignore[arg-type]
    with pytest.raises(ServerUnavailableError):
        retries.call(failing(1, retry_after_s=3600))  # type: ignore[arg-type]
    assert pauses == [20]
