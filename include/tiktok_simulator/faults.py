"""Trouble a test arms in advance: answers that fail, connections that are cut, PUTs that wait."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

Call = Literal[
    "creator_info",
    "init",
    "put",
    "status",
    "token",
    "revoke",
    "user_info",
    "video_list",
    "video_query",
]
When = Literal["before", "after"]


@dataclass
class Fault:
    """One armed fault.

    :param call: which call it meets; "init" means direct posts and drafts alike,
        "token" code exchange and refresh.
    :param kind: "error" answers with ``status``, "drop" cuts the connection without an answer.
    :param when: before or after the call did its work.
    :param code: error code of the JSON body; without it the body is a gateway's HTML page.
    :param times: how many calls it meets.
    :param chunk: for "put": only this 0-based chunk, -1 the last; None any.
    """

    call: Call
    kind: Literal["error", "drop"]
    when: When = "before"
    status: int = 503
    code: str | None = None
    times: int = 1
    chunk: int | None = None


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
        self._holds: list[Hold] = []
        self._waiting = 0

    @property
    def is_holding(self) -> bool:
        """Whether a PUT waits for its answer now."""
        return self._waiting > 0

    def arm(self, fault: Fault) -> None:
        """Let the next matching calls fail; faults are met in the order they were armed."""
        self._faults.append(fault)

    def arm_hold(self, hold: Hold) -> None:
        """Let the next matching PUT wait."""
        self._holds.append(hold)

    def take(self, call: Call, when: When, chunk: tuple[int, bool] | None = None) -> Fault | None:
        """Return the fault that meets this call, and count it as met.

        :param chunk: of a PUT: 0-based index, and whether it is the last.
        """
        for fault in self._faults:
            if (fault.call, fault.when) == (call, when) and _meets(fault.chunk, chunk):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    async def wait(self, when: When, chunk: tuple[int, bool]) -> None:
        """Wait here if a hold is armed for this chunk; one hold catches one PUT."""
        for hold in self._holds:
            if not hold.is_taken and hold.when == when and _meets(hold.chunk, chunk):
                hold.is_taken = True
                self._waiting += 1
                try:
                    await hold.released.wait()
                finally:
                    self._waiting -= 1
                return

    def release(self) -> None:
        """Let every held PUT go on, and disarm the holds that caught none."""
        for hold in self._holds:
            hold.released.set()
        self._holds.clear()

    def clear(self) -> None:
        """Disarm everything."""
        self._faults.clear()
        self.release()


def _meets(wanted: int | None, chunk: tuple[int, bool] | None) -> bool:
    if wanted is None or chunk is None:
        return wanted is None
    index, is_last = chunk
    return is_last if wanted == -1 else wanted == index
