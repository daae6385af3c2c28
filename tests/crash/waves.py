"""Plays cases on the stage, many at a time: drop, kill, follow up, go on until all is settled."""

from __future__ import annotations

import time
from collections.abc import Sequence

from reelflow.domain.post import DONE, PostState
from reelflow.services.accounts.revocation import ACCOUNT_REVOKED
from tests.crash.cases import Case, FollowUp
from tests.crash.points import Kind, Media
from tests.crash.stage import ACCOUNTS, Stage, wait

#: Most posts in flight: more would only wait for TikTok's six inits a minute and account.
WAVE = 30
WAVE_DEADLINE_S = 600.0
#: Most days of one backfill.
BACKFILLED_DAYS = 6
#: Each round asks Airflow's API server, which does the tasks' bookkeeping besides.
POLL_S = 1.0
#: With nothing under way this long, a run started by hand settles what is left.
IDLE_S = 5.0

ENDED = DONE | {PostState.UNKNOWN, PostState.FAILED, PostState.REJECTED, PostState.CANCELLED}


class Wave:
    """Some cases, played together.

    Posts that a backfill is to take are dated with their days already.
    """

    def __init__(self, stage: Stage, cases: Sequence[Case]) -> None:
        self._stage = stage
        self._cases = cases
        self._backfilled = [one for one in cases if one.follow_up is FollowUp.BACKFILL]
        self._backfills = 0
        self._idle_since: float | None = None
        self._rivals: list[tuple[Case, str, int]] = []

    def play(self) -> bool:
        """Bring every post to its end.

        :return: False when the deadline came before
        :raises StackError: a component of the stack died
        """
        self._stage.prepare_accounts(self._cases[0].kind, count=len(self._cases))
        for case in self._cases:
            if case.follow_up is FollowUp.RACE:
                case.at_kill = self._race
            self._stage.drop(case)
            if case.has_older_run or (case.kind.works_on_run and not case.kind.is_backfilled):
                self._wait_for_a_run_of_its_own(case)
        ends_at = time.monotonic() + WAVE_DEADLINE_S
        is_over = self._is_over()
        while not is_over and time.monotonic() < ends_at:
            self._stage.check()
            self._follow_up()
            time.sleep(POLL_S)
            is_over = self._is_over()
        for case, run_id, heard in self._rivals:
            case.has_raced = self._stage.has_acted_since(run_id, heard)
        return is_over

    def _wait_for_a_run_of_its_own(self, case: Case) -> None:
        """Wait until a run has taken a file, so that the next file has another run."""

        def is_taken() -> bool:
            self._follow_up()
            return case.is_taken

        wait(is_taken, f"a run to take {case}", stage=self._stage, deadline_s=180)

    def _follow_up(self) -> None:
        # Killed in each try that Airflow makes: a task that has told its success gets no second.
        struck = [
            one
            for one in self._cases
            if one.follow_up is FollowUp.CLEAR and one.is_struck and not one.is_followed
        ]
        for run_id in {one.kills[-1].run_id for one in struck}:
            if self._stage.runs.has_ended(run_id):
                cleared = [one for one in struck if one.kills[-1].run_id == run_id]
                self._stage.runs.clear([one.kills[-1] for one in cleared])
                for case in cleared:
                    case.is_followed = True
        if self._backfilled and self._backfills < 2:
            self._backfill()
        self._connect_again()

    def _connect_again(self) -> None:
        """Let the creators consent again whose rotated tokens died with a process."""
        if not any(one.kind.is_expired and not one.was_held for one in self._cases):
            return
        posts = self._stage.posts(self._cases)
        for case in self._cases:
            post = posts.get(case.file_name)
            if post is not None and post.reason_code == ACCOUNT_REVOKED and not case.was_held:
                case.was_held = True
                self._stage.connect(case.account)

    def _backfill(self) -> None:
        """Start the first backfill when all its posts are missed, the second when it has ended."""
        if self._backfills == 0:
            posts = self._stage.posts(self._backfilled)
            states = [post.state for post in posts.values()]
            is_time = states == [PostState.MISSED] * len(self._backfilled)
        else:
            run_ids = {one.run_id for case in self._backfilled for one in case.arrivals}
            is_time = all(case.arrivals for case in self._backfilled) and all(
                self._stage.runs.has_ended(one) for one in run_ids
            )
        if is_time:
            self._backfills += 1
            days = sorted(case.day for case in self._backfilled if case.day is not None)
            self._stage.runs.backfill(days[0], days[-1])
            for case in self._backfilled:
                case.is_followed = self._backfills == 2

    def _race(self, case: Case) -> None:
        """Let an older run of the post, or another run, begin right now."""
        case.is_followed = True
        heard = self._stage.heard()
        if case.has_older_run:
            self._stage.runs.clear(case.prelude[:1])
            rival = case.prelude[0].run_id
        else:
            rival = self._stage.runs.start_run()
        self._rivals.append((case, rival, heard))

    def _is_over(self) -> bool:
        if not self._stage.runs.is_idle():
            self._idle_since = None
            return False
        posts = self._stage.posts(self._cases)
        is_settled = len(posts) == len(self._cases) and all(
            post.state in ENDED for post in posts.values()
        )
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        if is_settled:
            return all(one.is_followed or not one.is_to_follow for one in self._cases)
        if now - self._idle_since > IDLE_S:
            self._idle_since = None
            self._stage.runs.start_run()
        return False


def in_waves(cases: Sequence[Case]) -> list[list[Case]]:
    """Divide cases so that no wave mixes follow-ups, or kinds whose runs would meet."""
    waves: list[list[Case]] = []
    for case in cases:
        last = waves[-1] if waves else []
        first = last[0] if last else None
        fits = first is not None and len(last) < _most(case.kind) and _fit(first, case)
        if fits:
            last.append(case)
        else:
            waves.append([case])
    return waves


def _most(kind: Kind) -> int:
    """Return how many cases may play together.

    Where its tokens die, an account has one; the runs of a backfill are several days' at a time;
    and of the five drafts that TikTok keeps pending for a creator, some are those of killed
    processes.
    """
    if kind.is_backfilled:
        return BACKFILLED_DAYS
    if kind.is_draft:
        return 2 * len(ACCOUNTS)
    return len(ACCOUNTS) if kind.is_expired else WAVE


def _fit(one: Case, other: Case) -> bool:
    if one.follow_up is not other.follow_up:
        return False
    return one.kind is other.kind or (
        not (_plays_alone(one.kind) or _plays_alone(other.kind))
        and (one.kind.media is Media.PULLED) is (other.kind.media is Media.PULLED)
    )


def _plays_alone(kind: Kind) -> bool:
    return kind.works_on_run or kind.is_expired or kind.is_draft
