"""Budgets: at most so many calls in any so many seconds, and whose turn it is once they are spent.

Pure arithmetic on Unix seconds. A caller that finds the budget spent is told when to come again,
and that slot is kept for it: of a burst of posts each gets a slot of its own, and one that comes at
its slot is not sent away again for the sake of later ones.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

#: Added to every window: TikTok counts a call when it arrives, we count it before it leaves.
SLACK_S: Final = 1.0
#: How long after its slot a caller is still believed to come; later ones go before it from then on.
SLOT_LAPSES_S: Final = 300.0
#: Two slots are this far apart, unless so many fit into the window that they cannot be.
SPACING_S: Final = 1.0
#: A slot that nobody asked for within this time is forgotten altogether.
_FORGOTTEN_S: Final = 48 * 3600.0

_MINUTE_S: Final = 60.0
_DAY_S: Final = 24 * 3600.0


class Call(StrEnum):
    """What TikTok limits per account: calls in a minute, and posts and drafts in a day."""

    INIT = "init"
    CREATOR_INFO = "creator_info"
    STATUS = "status"
    POST = "post"
    DRAFT = "draft"


@dataclass(frozen=True)
class Budget:
    """At most ``limit`` calls within any ``window_s`` seconds."""

    limit: int
    window_s: float

    def __post_init__(self) -> None:
        if self.limit < 1 or self.window_s <= 0:
            raise ValueError(f"{self}: limit and window must be above 0")

    @property
    def spacing_s(self) -> float:
        """How far apart two slots are."""
        return min(SPACING_S, self.window_s / self.limit)


@dataclass(frozen=True)
class BudgetLimits:
    """TikTok's limits on one account, over all processes (pages read 2026-09-11).

    :param init_per_minute: of all three init calls together, the stricter reading
        (content-posting-api-reference-direct-post, -upload-video, -photo-post: 6 each)
    :param creator_info_per_minute: content-posting-api-reference-query-creator-info
    :param status_per_minute: content-posting-api-reference-get-video-status
    :param posts_per_day: direct posts in 24 hours; "typically around 15", and shared with all other
        apps that post for the creator (content-sharing-guidelines)
    :param pending_drafts: drafts of 24 hours that the creator has not posted
        (content-posting-api-reference-upload-video)
    """

    init_per_minute: int = 6
    creator_info_per_minute: int = 20
    status_per_minute: int = 30
    posts_per_day: int = 15
    pending_drafts: int = 5

    def of(self, call: Call) -> Budget:
        """Return the budget of one kind of call, with the slack of its window."""
        limits = {
            Call.INIT: (self.init_per_minute, _MINUTE_S),
            Call.CREATOR_INFO: (self.creator_info_per_minute, _MINUTE_S),
            Call.STATUS: (self.status_per_minute, _MINUTE_S),
            Call.POST: (self.posts_per_day, _DAY_S),
            Call.DRAFT: (self.pending_drafts, _DAY_S),
        }
        limit, window_s = limits[call]
        return Budget(limit, window_s + SLACK_S)


@dataclass(frozen=True)
class Turn:
    """A caller's place in the queue, and the slot it was told.

    :param caller: who waits: the id of a post
    """

    caller: int
    slot_s: float


@dataclass
class Window:
    """One account's calls of one kind, and the callers that wait for the next ones.

    :param called_at_s: when calls were made, in any order
    :param queue: who waits, in the order of their turns
    :param blocked_until_s: TikTok itself refuses the call until then
    """

    called_at_s: list[float] = field(default_factory=list)
    queue: list[Turn] = field(default_factory=list)
    blocked_until_s: float = 0.0

    def take(self, budget: Budget, now_s: float, caller: int | None = None) -> float | None:
        """Count a call that is made now; or say when to come again, and keep that slot.

        :param caller: for whom a slot is kept; None keeps none
        :return: None when the call may be made, else the time of the slot, after ``now_s``
        """
        slot_s = self._slot(budget, now_s, caller)
        if slot_s is None:
            self.queue = [turn for turn in self.queue if turn.caller != caller]
            insort(self.called_at_s, now_s)
        return slot_s

    def admit(self, budget: Budget, now_s: float, caller: int) -> float | None:
        """Let a caller through whose call will be counted elsewhere; else as :meth:`take`.

        Until :meth:`forget` hears that it was counted, or the slot lapses, its turn stands for it.
        """
        slot_s = self._slot(budget, now_s, caller)
        if slot_s is None:
            position = self._position(caller)
            if position is None:
                self.queue.insert(0, Turn(caller, now_s))
            else:
                self.queue[position] = Turn(caller, now_s)
        return slot_s

    def block(self, until_s: float) -> None:
        """Make no call before ``until_s``; a shorter block changes nothing."""
        self.blocked_until_s = max(self.blocked_until_s, until_s)

    def forget(self, budget: Budget, now_s: float, counted: Collection[int] = ()) -> None:
        """Drop what no longer matters, and times that only a wrong clock can have written.

        :param counted: callers whose calls are in ``called_at_s`` by now
        """
        self.called_at_s = sorted(
            at_s for at_s in self.called_at_s if abs(at_s - now_s) < budget.window_s
        )
        self.queue = [
            turn
            for turn in self.queue
            if turn.caller not in counted and turn.slot_s > now_s - _FORGOTTEN_S
        ]

    def _slot(self, budget: Budget, now_s: float, caller: int | None) -> float | None:
        """Return None when it is the caller's turn now, else its slot, which is kept for it."""
        self.forget(budget, now_s)
        earliest_s = max(now_s, self.blocked_until_s)
        position = self._position(caller)
        if position is not None:
            ahead = self._expected(budget, earliest_s, now_s, self.queue[:position])
            slot_s = _next_after(budget, ahead, earliest_s)
        else:
            ahead = self._expected(budget, earliest_s, now_s, self.queue)
            slot_s = _first_clear(earliest_s, _full(budget, ahead))
        if slot_s <= now_s:
            return None
        others_s = [turn.slot_s for turn in self.queue if turn.caller != caller]
        full = _full(budget, ahead)
        slot_s = _first_clear(slot_s, [*full, *_around(others_s, budget.spacing_s)])
        if caller is not None:
            self._keep(Turn(caller, slot_s), position)
        return slot_s

    def _position(self, caller: int | None) -> int | None:
        callers = (index for index, turn in enumerate(self.queue) if turn.caller == caller)
        return next(callers, None)

    def _expected(
        self, budget: Budget, earliest_s: float, now_s: float, turns: Iterable[Turn]
    ) -> list[float]:
        """Return when calls were made and when those who wait will make theirs, ascending."""
        expected_s = sorted(self.called_at_s)
        for turn in turns:
            if turn.slot_s > now_s - SLOT_LAPSES_S:
                after_s = max(turn.slot_s, earliest_s)
                expected_s.append(_next_after(budget, expected_s, after_s))
        return expected_s

    def _keep(self, turn: Turn, position: int | None) -> None:
        """Put a turn where it was, or behind the last one that does not come later."""
        if position is not None:
            self.queue[position] = turn
            return
        earlier = (
            index + 1 for index, other in enumerate(self.queue) if other.slot_s <= turn.slot_s
        )
        self.queue.insert(max(earlier, default=0), turn)


def _next_after(budget: Budget, expected_s: Sequence[float], earliest_s: float) -> float:
    """Return the first time that the budget allows behind all of ``expected_s`` (ascending)."""
    if expected_s:
        earliest_s = max(earliest_s, expected_s[-1])
    if len(expected_s) >= budget.limit:
        earliest_s = max(earliest_s, expected_s[-budget.limit] + budget.window_s)
    return earliest_s


def _full(budget: Budget, expected_s: Sequence[float]) -> list[tuple[float, float]]:
    """Return the spans, ends excluded, in which one more call would be one too many."""
    return [
        (last_s - budget.window_s, first_s + budget.window_s)
        for first_s, last_s in zip(expected_s, expected_s[budget.limit - 1 :], strict=False)
        if last_s - first_s < budget.window_s
    ]


def _around(times_s: Iterable[float], spacing_s: float) -> list[tuple[float, float]]:
    return [(time_s - spacing_s, time_s + spacing_s) for time_s in times_s]


def _first_clear(earliest_s: float, spans_s: Iterable[tuple[float, float]]) -> float:
    """Return the first time from ``earliest_s`` on that lies within none of the spans."""
    for start_s, end_s in sorted(spans_s):
        if start_s < earliest_s < end_s:
            earliest_s = end_s
    return earliest_s
