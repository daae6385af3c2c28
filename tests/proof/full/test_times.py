"""When: a run by hand without a logical date, and wishes in all zones and around their changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from reelflow.domain.post import PostState
from tests.proof.play import ENDLESS_S, Play

HOUR = timedelta(hours=1)
#: From one end of the world to the other, the half and the quarter hours too.
OFFSETS_H = (-12, -9.5, -3.5, 0, 1, 2, 5.75, 8, 10.5, 14)
BERLIN = ZoneInfo("Europe/Berlin")
#: Days are those of UTC; what is wished for on one, by clocks that show another day or were changed
#: on it.
ON_DAY = (
    "{day}T02:00:00+02:00",  # its first moment
    "{day}T02:30:00+02:00",
    "{day}T02:30:00+01:00",  # an hour later: a clock that goes back then shows the same
    "{day_after}T00:59:59+01:00",  # its last second
    "{day_before}T20:30:00-04:00",
)
ON_OTHER_DAYS = ("{day}T01:59:59+02:00", "{day_after}T01:00:00+01:00")


def test_a_run_by_hand_without_a_logical_date_takes_what_is_due_and_nothing_twice(
    play: Play,
) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20)
    with play.mid_stage():
        play.stack.end("triggerer")  # whose watcher would start a run for the next files
        play.wait_told(play.runs.take_no_more, "the watcher's runs to have their posts")
        late = play.drop(5, accounts=5)
        run_id = play.runs.trigger()
        play.wait_told(
            lambda: len(play.ledger.batches().get(run_id, ())) >= len(late),
            "the run by hand to take them",
        )
        taken = play.ledger.batches()[run_id]
        names = [post.file_name for post in play.ledger.posts() if post.id in taken]
        assert sorted(names) == sorted(video.file_name for video in late)
    play.let_go()
    play.stack.restart("triggerer")
    play.finish()
    assert play.runs.state_of(run_id) == "success"


def test_wishes_in_any_zone_and_around_its_changes_go_out_at_their_moment(play: Play) -> None:
    """With Airflow and its machine in zones of their own."""
    zones = {"TZ": "America/New_York", "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Europe/Berlin"}
    with play.stack.settings(zones, "dag-processor", "scheduler", "triggerer"):
        change_day = _last_change(datetime.now(UTC).date())
        due_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=60)
        # Two of each: twenty posts at one moment, by ten clocks.
        now = [_at(due_at, hours) for hours in OFFSETS_H * 2]
        later = [_at(due_at + 3 * HOUR, hours) for hours in (-12, 0, 14)]
        missed = [_at(due_at - 25 * HOUR, hours) for hours in (-12, 14)]
        past_wishes = [_around(change_day, wish) for wish in (*ON_DAY, *ON_OTHER_DAYS)]
        wishes = [*now, *later, *missed, *past_wishes]
        play.process_for(ENDLESS_S)
        videos = play.drop(
            len(wishes), accounts=8, sidecars=[{"publish_at": wish} for wish in wishes]
        )
        names = [video.file_name for video in videos]
        past = names[len(now) + len(later) :]
        play.otherwise |= dict.fromkeys(names[len(now) :][: len(later)], PostState.READY)
        on_day = past[len(missed) :][: len(ON_DAY)]
        play.otherwise |= {name: PostState.MISSED for name in past if name not in on_day}
        play.wait_told(lambda: _states(play, past) == {PostState.MISSED}, "old wishes to be missed")

        with play.mid_stage(len(now), {PostState.PROCESSING}) as sent:
            assert {post.file_name for post in sent} == set(names[: len(now)])
            assert all(post.sent_at and post.sent_at >= due_at for post in sent)
            play.runs.backfill(change_day, change_day, "none")
        play.let_go()
        play.finish()


def _at(moment: datetime, offset_h: float) -> str:
    return moment.astimezone(timezone(timedelta(hours=offset_h))).isoformat()


def _last_change(today: date) -> date:
    """Return the last day on which Berlin's clocks were changed, and that is long past."""
    days = (today - timedelta(days=back) for back in range(3, 400))
    return next(day for day in days if _offset(day) != _offset(day + timedelta(days=1)))


def _offset(day: date) -> timedelta | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).astimezone(BERLIN).utcoffset()


def _around(day: date, wish: str) -> str:
    one = timedelta(days=1)
    return wish.format(day=day, day_before=day - one, day_after=day + one)


def _states(play: Play, file_names: list[str]) -> set[PostState]:
    posts = [post for post in play.ledger.posts() if post.file_name in file_names]
    return {post.state for post in posts} if len(posts) == len(file_names) else set()
