"""``reelflow metrics``: the counts of posts, and the accounts of which there are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from reelflow.ledger.models import Account
from reelflow.services.post_metrics.collect import Refusal, collect_metrics
from reelflow.services.post_metrics.troubles import tell_troubles
from reelflow.services.workspace import Workspace
from tests.factories import Clock, make_account
from tests.unit.reelflow.cli.conftest import Run
from tests.unit.reelflow.services.post_metrics.counted_tiktok import CountedTikTok, make_published


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 23, 1, 10, tzinfo=UTC))


@pytest.fixture
def two_days(workspace: Workspace, account: Account, clock: Clock) -> int:
    """The id of a post with the counts of two days."""
    tiktok = CountedTikTok()
    post, video_id = make_published(workspace, account, file_name="clip\x1b[2J.mp4")
    for views in (1_200, 2_500_000):
        tiktok.count(video_id, views, share_count=None)
        collect_metrics(workspace, tiktok)
        clock.advance(timedelta(days=1))
    return post.id


def test_the_last_counts_are_shown_as_people_read_numbers(run: Run, two_days: int) -> None:
    shown = run("metrics").stdout
    assert "2,500,000" in shown
    assert "1,200" not in shown
    assert "clip\ufffd[2J.mp4" in shown
    assert shown.rstrip().endswith("?")  # shares, which TikTok did not tell


def test_every_day_since_one_is_shown_or_printed_as_json(run: Run, two_days: int) -> None:
    shown = run("metrics", "--since", "2026-11-23", "--account", "acme").stdout
    assert shown.index("1,200") < shown.index("2,500,000")
    printed = json.loads(run("metrics", "--since", "2026-11-24", "--json").stdout)
    (row,) = printed["metrics"]
    assert (row["post_id"], row["day"]) == (two_days, "2026-11-24")
    assert (row["view_count"], row["share_count"]) == (2_500_000, None)
    assert printed["uncollected"] == []


def test_a_limit_that_was_reached_is_told(run: Run, two_days: int) -> None:
    assert "--limit shows more" in run("metrics", "--limit", 1, "--since", "2026-11-23").stdout
    assert "--limit shows more" not in run("metrics").stdout


def test_without_counts_it_says_who_asks_for_them(run: Run) -> None:
    assert run("metrics").stdout.startswith("No counts: the DAG `collect_post_metrics` asks")


def test_accounts_that_wait_for_a_person_are_named_below(
    run: Run, workspace: Workspace, account: Account
) -> None:
    tell_troubles(workspace, {account.id: Refusal("account_revoked", "it ended")}, run="run_1")
    assert "not collected since 2026-11-23: it ended" in run("metrics").stdout
    (one,) = json.loads(run("metrics", "--json").stdout)["uncollected"]
    assert (one["account"], one["code"]) == ("acme", "account_revoked")


def test_another_accounts_trouble_is_left_out_where_one_is_asked_for(
    run: Run, workspace: Workspace, account: Account
) -> None:
    make_account(workspace, "bella")
    tell_troubles(workspace, {account.id: Refusal("account_revoked", "it ended")}, run="run_1")
    assert "it ended" not in run("metrics", "--account", "bella").stdout
    assert "it ended" in run("metrics", "--account", "acme").stdout


@pytest.mark.parametrize("words", [("metrics",), ("posts", "show", "1")])
def test_counts_that_somebody_changed_by_hand_are_named(
    run: Run, workspace: Workspace, two_days: int, words: tuple[str, ...]
) -> None:
    with workspace.ledger.write() as session:
        session.execute(text("UPDATE post_metrics SET collected_at = 'zz'"))
    result = run(*words)
    assert result.exit_code == 2
    assert f"post {two_days} cannot be read" in result.stderr
    assert "post_metrics.collected_at of row 2026-11-23 is 'zz'" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "'yesterday' is no day such as 2026-11-10"),
        (("--account", "nobody"), "no account is called 'nobody'"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_what_is_wrong_is_said(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run("metrics", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
