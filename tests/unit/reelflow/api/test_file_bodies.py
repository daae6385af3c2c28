from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from reelflow.api.errors import ApiError
from reelflow.api.file_bodies import FileBodies


def test_one_too_many_is_asked_to_come_again() -> None:
    async def enter_three() -> None:
        bodies = FileBodies(2)
        async with bodies.one("anna"), bodies.one("ben"):
            with pytest.raises(ApiError) as refused:
                async with bodies.one("carl"):
                    raise AssertionError("there was no place")
        assert (refused.value.status, refused.value.reason) == (503, "busy")
        assert refused.value.details == {"max_at_once": 2}
        assert refused.value.headers is not None
        assert int(refused.value.headers["Retry-After"]) > 0

    asyncio.run(enter_three())


@pytest.mark.parametrize("places", [2, 3])
def test_nobody_holds_the_last_place_beside_the_own_ones(places: int) -> None:
    async def enter_all() -> None:
        bodies = FileBodies(places)
        async with AsyncExitStack() as own:
            for _ in range(places - 1):
                await own.enter_async_context(bodies.one("anna"))
            with pytest.raises(ApiError) as refused:
                await own.enter_async_context(bodies.one("anna"))
            assert (refused.value.status, refused.value.reason) == (503, "busy")
            assert refused.value.details == {"max_at_once": places - 1}
            async with bodies.one("ben"):
                pass
        async with bodies.one("anna"):
            pass

    asyncio.run(enter_all())


def test_a_place_is_free_again_however_its_body_ended() -> None:
    async def end_badly() -> None:
        bodies = FileBodies(1)
        for _ in range(3):
            with pytest.raises(ValueError, match="cut"):
                async with bodies.one("anna"):
                    raise ValueError("cut")
        async with bodies.one("anna"):
            pass

    asyncio.run(end_badly())


def test_without_a_limit_there_is_always_a_place() -> None:
    async def enter(bodies: FileBodies, depth: int) -> None:
        async with bodies.one("anna"):
            if depth:
                await enter(bodies, depth - 1)

    asyncio.run(enter(FileBodies(None), 100))
