"""Trouble a test arms in advance: answers that fail, connections that are cut, PUTs that wait."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

Call = Literal[
    "creator_info",
    "init",
    "put",
    "status",
    "cancel",
    "token",
    "revoke",
    "user_info",
    "video_list",
    "video_query",
]
When = Literal["before", "after"]
FaultKind = Literal["error", "drop", "cut", "slow"]


@dataclass
class Target:
    """One call on its way, as far as it is known.

    :param open_id: whose token it carries; for "put" whose upload it is.
    :param publish_id: the publication it is about; of an init known only after its work.
    :param chunk: of a PUT: 0-based index, and whether it is the last.
    """

    call: Call
    open_id: str | None = None
    publish_id: str | None = None
    chunk: tuple[int, bool] | None = None


@dataclass
class Fault:
    """One armed fault, or one step of a script.

    :param call: which call it meets; "init" means direct posts, drafts and photos alike,
        "token" code exchange and refresh.
    :param kind: "error" answers with ``status``; "drop" cuts the connection without an answer;
        "cut" (put alone) does so after ``after_bytes`` of the body; "slow" delays by ``delay_s``.
    :param when: before or after the call did its work; a call that is refused has no "after".
    :param code: error code of the JSON body; without it the body is a gateway's HTML page.
    :param body: the body itself: text, or anything else as JSON.
    :param retry_after_s: sent as Retry-After (which D-RL does not document).
    :param progress: of a PUT's error: whether it carries Content-Range; None: with 416 alone.
    :param times: how many calls it meets.
    :param chunk: for "put": only this 0-based chunk, -1 the last; None any.
    :param open_id: only calls of this creator.
    :param publish_id: only calls about this publication.
    """

    call: Call
    kind: FaultKind
    when: When = "before"
    status: int = 503
    code: str | None = None
    body: Any = None
    retry_after_s: int | None = None
    progress: bool | None = None
    after_bytes: int = 0
    delay_s: float = 0.0
    times: int = 1
    chunk: int | None = None
    open_id: str | None = None
    publish_id: str | None = None

    def meets(self, target: Target) -> bool:
        """Say whether it is for this call."""
        return (
            self.call == target.call
            and self.open_id in (None, target.open_id)
            and self.publish_id in (None, target.publish_id)
            and _meets_chunk(self.chunk, target.chunk)
        )


@dataclass
class Script:
    """The next calls, one step each; None lets a call pass.

    :param target: which calls count: its fields that are not None must agree.
    """

    target: Target
    steps: deque[Fault | None]

    def meets(self, target: Target) -> bool:
        """Say whether a call takes its next step from here."""
        wanted = self.target
        return (
            wanted.call == target.call
            and wanted.open_id in (None, target.open_id)
            and wanted.publish_id in (None, target.publish_id)
        )


@dataclass
class Hold:
    """The answer of one PUT waits until it is released.

    :param chunk: 0-based index of the chunk, -1 the last.
    :param when: before or after the chunk is stored.
    """

    chunk: int
    when: When
    is_taken: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """What is armed now."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._scripts: list[Script] = []
        self._holds: list[Hold] = []
        self._waiting = 0
        self._slow = 0

    @property
    def armed(self) -> list[Fault]:
        """The faults that wait for their calls, first armed first."""
        return list(self._faults)

    @property
    def scripts(self) -> list[Script]:
        """The scripts that have steps left."""
        return list(self._scripts)

    @property
    def is_holding(self) -> bool:
        """Whether a PUT waits for its answer now."""
        return self._waiting > 0

    @property
    def slow(self) -> int:
        """How many calls a slow fault delays now, whether or not their callers still listen."""
        return self._slow

    def arm(self, fault: Fault) -> None:
        """Let the next matching calls fail; faults are met in the order they were armed."""
        self._faults.append(fault)

    def arm_script(self, script: Script) -> None:
        """Let the next matching calls take their answers from a script, before any fault."""
        self._scripts.append(script)

    def arm_hold(self, hold: Hold) -> None:
        """Let the next matching PUT wait."""
        self._holds.append(hold)

    def meet(self, target: Target) -> "Encounter":
        """Begin one call: it takes its step of a script here, if there is one."""
        for script in self._scripts:
            if script.meets(target):
                step = script.steps.popleft()
                if not script.steps:
                    self._scripts.remove(script)
                return Encounter(self, target, (step,))
        return Encounter(self, target, ())

    def take(self, target: Target, when: When) -> Fault | None:
        """Return the armed fault that meets this call, and count it as met."""
        for fault in self._faults:
            if fault.when == when and fault.meets(target):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    async def wait(self, when: When, chunk: tuple[int, bool]) -> None:
        """Wait here if a hold is armed for this chunk; one hold catches one PUT."""
        for hold in self._holds:
            if not hold.is_taken and hold.when == when and _meets_chunk(hold.chunk, chunk):
                hold.is_taken = True
                self._waiting += 1
                try:
                    await hold.released.wait()
                finally:
                    self._waiting -= 1
                return

    async def delay(self, delay_s: float) -> None:
        """Let a slow call wait, and count it meanwhile."""
        self._slow += 1
        try:
            await asyncio.sleep(delay_s)
        finally:
            self._slow -= 1

    def release(self) -> None:
        """Let every held PUT go on, and disarm the holds that caught none."""
        for hold in self._holds:
            hold.released.set()
        self._holds.clear()

    def clear(self) -> None:
        """Disarm everything."""
        self._faults.clear()
        self._scripts.clear()
        self.release()


class Encounter:
    """One call, and the trouble that meets it before and after its work.

    :param steps: the one step of a script that is this call's; faults do not meet it then.
    """

    def __init__(self, faults: Faults, target: Target, steps: tuple[Fault | None, ...]) -> None:
        self.target = target
        self._faults = faults
        self._steps = steps

    async def strike(self, when: When) -> Fault | None:
        """Return the fault to answer with at this moment; a slow one is waited for here."""
        if self._steps:
            step = self._steps[0]
            fault = step if step is not None and step.when == when else None
        else:
            fault = self._faults.take(self.target, when)
        if fault is not None and fault.kind == "slow":
            await self._faults.delay(fault.delay_s)
            return None
        return fault


def _meets_chunk(wanted: int | None, chunk: tuple[int, bool] | None) -> bool:
    if wanted is None or chunk is None:
        return wanted is None
    index, is_last = chunk
    return is_last if wanted == -1 else wanted == index
