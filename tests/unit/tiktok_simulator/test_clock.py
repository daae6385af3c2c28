"""The clock of the simulated world."""

from tiktok_simulator.clock import Clock


def test_the_clock_can_be_put_forward_and_back_to_the_real_time() -> None:
    clock = Clock(lambda: 100.0)

    clock.advance(5)
    clock.advance(0.5)
    assert clock.now() == 105.5

    clock.reset()
    assert clock.now() == 100.0
