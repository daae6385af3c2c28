"""An event loop that sleeps for nothing and remembers for how long it was asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

from airflow.triggers.base import BaseTrigger, TriggerEvent

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DEADLINE_S = 30.0


class QuickLoop(asyncio.SelectorEventLoop):
    """Ends each pause at once; timeouts, which are set at a time, are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses_s: list[float] = []

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.pauses_s.append(delay)
        return super().call_later(0, callback, *args, context=context)


def run_quickly(work: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, list[float]]:
    """Run work on a loop of its own; return its result and every pause that it asked for."""

    async def in_time() -> T:
        async with asyncio.timeout(DEADLINE_S):
            return await work()

    loop = QuickLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(in_time()), loop.pauses_s


class Watched:
    """A running trigger whose events are waited for while the world changes."""

    def __init__(self, trigger: BaseTrigger) -> None:
        self._trigger = trigger
        self._events = trigger.run()
        self._next: asyncio.Future[TriggerEvent] | None = None

    async def event(self) -> Any:
        """Return the payload of its next event."""
        event = await self._waiting()
        self._next = None
        return event.payload

    async def no_event_for(self, looks: int) -> None:
        """Let it look several times, and fail if it fires."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, QuickLoop)
        waiting, ends_at = self._waiting(), len(loop.pauses_s) + looks
        while len(loop.pauses_s) < ends_at and not waiting.done():  # noqa: ASYNC110 - loops
            await asyncio.sleep(0)
        assert not waiting.done(), f"it ended with {waiting}"

    async def end(self) -> None:
        """End it as a triggerer does that stops, or whose DAGs are all paused."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
        await self._trigger.cleanup()

    def _waiting(self) -> asyncio.Future[TriggerEvent]:
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._events))
        return self._next


def all_events(trigger: BaseTrigger) -> tuple[list[Any], list[float]]:
    """Run a trigger until it ends; return what it fired and every pause it made."""

    async def collect() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return run_quickly(collect)
