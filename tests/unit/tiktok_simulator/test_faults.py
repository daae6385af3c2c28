"""Armed trouble meets exactly the calls it was armed for."""

import asyncio
from collections import deque
from typing import Any

import pytest

from tiktok_simulator.faults import Call, Fault, Faults, Hold, Script, Target


def test_a_fault_meets_its_call_as_often_as_armed() -> None:
    faults = Faults()
    faults.arm(Fault("status", "error", times=2))

    met = [faults.take(Target("status"), "before") is not None for _ in range(3)]

    assert met == [True, True, False]


def test_a_fault_meets_no_other_call_and_no_other_moment() -> None:
    faults = Faults()
    faults.arm(Fault("init", "drop", when="after"))

    assert faults.take(Target("status"), "after") is None
    assert faults.take(Target("init"), "before") is None
    assert faults.take(Target("init"), "after") is not None


@pytest.mark.parametrize(
    ("armed", "index", "is_last", "meets"),
    [
        (None, 3, False, True),
        (0, 0, False, True),
        (0, 1, False, False),
        (-1, 4, True, True),
        (-1, 0, False, False),
        (4, 4, True, True),
    ],
)
def test_a_fault_of_a_put_may_wait_for_one_chunk(
    armed: int | None, index: int, is_last: bool, meets: bool
) -> None:
    faults = Faults()
    faults.arm(Fault("put", "error", chunk=armed))

    assert (faults.take(Target("put", chunk=(index, is_last)), "before") is not None) == meets


def test_a_hold_catches_one_put_until_it_is_released() -> None:
    async def scenario() -> None:
        faults = Faults()
        faults.arm_hold(Hold(chunk=-1, when="after"))

        await faults.wait("after", (0, False))
        await faults.wait("before", (1, True))
        caught = asyncio.create_task(faults.wait("after", (1, True)))
        await asyncio.sleep(0)
        assert faults.is_holding
        await faults.wait("after", (1, True))
        assert not caught.done()

        faults.release()
        await caught
        assert not faults.is_holding

    asyncio.run(scenario())


def test_release_disarms_a_hold_that_caught_nothing() -> None:
    faults = Faults()
    faults.arm_hold(Hold(chunk=0, when="before"))

    faults.release()

    asyncio.run(asyncio.wait_for(faults.wait("before", (0, False)), 5))


def test_clear_disarms_faults_too() -> None:
    faults = Faults()
    faults.arm(Fault("status", "error"))
    faults.arm_script(Script(Target("status"), deque([None])))

    faults.clear()

    assert faults.scripts == []
    assert faults.take(Target("status"), "before") is None


def test_a_script_gives_each_call_of_its_kind_one_step() -> None:
    async def scenario() -> list[Fault | None]:
        faults = Faults()
        error, late = Fault("init", "error"), Fault("init", "drop", when="after")
        faults.arm_script(Script(Target("init"), deque([None, error, late])))
        faults.arm(Fault("init", "error", status=500))
        met: list[Fault | None] = []
        calls: list[Call] = ["status", "init", "init", "init", "init"]
        for call in calls:
            encounter = faults.meet(Target(call))
            met += [await encounter.strike("before"), await encounter.strike("after")]
        assert faults.scripts == []
        return met

    met = asyncio.run(scenario())

    kinds = [one and (one.kind, one.status) for one in met]
    assert kinds == [
        *[None, None],  # another call
        *[None, None],  # "pass", and no armed fault either
        *[("error", 503), None],
        *[None, ("drop", 503)],
        *[("error", 500), None],  # the script is over
    ]


def test_a_script_may_be_for_one_creator_alone() -> None:
    async def scenario() -> None:
        faults = Faults()
        faults.arm_script(Script(Target("status", "one"), deque([Fault("status", "error")])))

        assert await faults.meet(Target("status", "two")).strike("before") is None
        assert await faults.meet(Target("status", "one", "p")).strike("before") is not None

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fault", "target", "meets"),
    [
        ({"open_id": "one"}, {"open_id": "one"}, True),
        ({"open_id": "one"}, {"open_id": "two"}, False),
        ({"open_id": "one"}, {}, False),
        ({"publish_id": "p"}, {"open_id": "one", "publish_id": "p"}, True),
        ({"publish_id": "p"}, {"open_id": "one"}, False),
        ({}, {"open_id": "one", "publish_id": "p"}, True),
    ],
)
def test_a_fault_may_be_aimed(fault: Any, target: Any, meets: bool) -> None:
    assert Fault("status", "error", **fault).meets(Target("status", **target)) is meets


def test_a_slow_fault_is_waited_for_and_answers_nothing() -> None:
    async def scenario() -> None:
        faults = Faults()
        faults.arm(Fault("status", "slow", delay_s=0))

        assert await faults.meet(Target("status")).strike("before") is None
        assert faults.armed == []

    asyncio.run(scenario())
