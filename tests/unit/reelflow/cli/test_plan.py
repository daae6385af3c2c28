"""``reelflow plan``: Airflow is asked for the days, the ledger for the posts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun
from reelflow.ledger.models import Account, Post
from reelflow.services.discover import find_new_uploads
from reelflow.services.workspace import Workspace
from tests.airflow_server import TOKEN, AirflowServer, airflow_server
from tests.factories import ACTOR
from tests.unit.reelflow.cli.conftest import Run

MakePost = Callable[..., Post]
S = PostState
START = datetime(2026, 11, 9, tzinfo=UTC)
DAY = timedelta(days=1)
RANGE = ("--from", "2026-11-10", "--to", "2026-11-12")


@pytest.fixture
def airflow(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowServer]:
    """An Airflow that the command's environment leads to."""
    with airflow_server() as server:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", server.url)
        monkeypatch.setenv("REELFLOW_AIRFLOW_TOKEN", TOKEN)
        monkeypatch.setenv("COLUMNS", "160")
        yield server


def plan(run: Run, *words: str) -> dict[str, Any]:
    result = run("plan", *RANGE, "--json", *words)
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def missed(make_post: MakePost, account: Account, number: int, **other: Any) -> int:
    at = START + number * DAY
    fields = {"state": S.MISSED, "publish_at": at, "due_at": at, **other}
    return make_post(account, **fields).id


def test_the_plan_as_json_names_days_posts_and_the_order_of_what_would_be_posted(
    run: Run, airflow: AirflowServer, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    later, sooner = missed(make_post, account, 2), missed(make_post, account, 0)
    failed = missed(make_post, account, 0, state=S.FAILED)
    skipped = missed(make_post, account, 1)
    airflow.add_run(START + DAY, run_id="done")
    found = plan(run)
    assert found["would_post"] == [sooner, later]
    assert found["command"] == (
        "airflow backfill create --dag-id publish_to_tiktok --reprocess-behavior none "
        "--from-date 2026-11-10T00:00:00+00:00 --to-date 2026-11-12T00:00:00+00:00"
    )
    assert [(day["run_id"], day["runs"]) for day in found["days"]] == [
        ("backfill__2026-11-10T00:00:00+00:00", True),
        ("done", False),
        ("backfill__2026-11-12T00:00:00+00:00", True),
    ]
    assert [[(post["id"], post["status"]) for post in day["posts"]] for day in found["days"]] == [
        [(sooner, "would_post"), (failed, "failed")],
        [(skipped, "missed")],
        [(later, "would_post")],
    ]
    assert found["days"][0]["posts"][0] == {
        "id": sooner,
        "file_name": "clip.mp4",
        "image_count": None,
        "account": "acme",
        "state": "MISSED",
        "publish_at": START.isoformat(),
        "due_at": START.isoformat(),
        "status": "would_post",
        "why": None,
    }
    for day in found["days"]:
        if day["runs"]:
            span = (datetime.fromisoformat(day[name]) for name in ("start", "end"))
            taken = find_new_uploads(workspace, BackfillRun(day["run_id"], *span), actor=ACTOR)
            assert taken[0].post_id == day["posts"][0]["id"]


def test_the_behaviour_goes_to_airflow_and_brings_days_back(
    run: Run, airflow: AirflowServer, account: Account, make_post: MakePost
) -> None:
    post = missed(make_post, account, 1)
    airflow.add_run(START + DAY, run_id="done")
    assert plan(run)["would_post"] == []
    found = plan(run, "--reprocess-behavior", "completed")
    assert (found["would_post"], found["reprocess_behavior"]) == ([post], "completed")
    (asked,) = {str(body["reprocess_behavior"]) for _, _, body in airflow.asked[4:] if body}
    assert asked == "completed"
    assert "--reprocess-behavior completed " in found["command"]


def test_the_plan_on_a_screen(
    run: Run, airflow: AirflowServer, account: Account, make_post: MakePost
) -> None:
    post = missed(make_post, account, 0, file_name="a[b]c.mp4")
    missed(make_post, account, 0, state=S.PUBLISHED)
    airflow.add_run(START + DAY, run_id="red", state="failed")
    result = run("plan", *RANGE)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "2026-11-09 00:00 to 2026-11-10 00:00 UTC  run backfill__2026-11-10T00:00:00+00:00"
    )
    (told,) = [line.split() for line in lines if "a[b]c.mp4" in line]
    assert told == [str(post), "a[b]c.mp4", "acme", "2026-11-09", "00:00", "would", "post"]
    assert (
        "2026-11-10 00:00 to 2026-11-11 00:00 UTC  not run: its run red ended (failed), and "
        "--reprocess-behavior is none: failed or completed takes it again"
    ) in lines
    assert lines[-2:] == [
        "2 of 3 days run: 1 would post, 1 already posted",
        "To run them: airflow backfill create --dag-id publish_to_tiktok --reprocess-behavior none "
        "--from-date 2026-11-10T00:00:00+00:00 --to-date 2026-11-12T00:00:00+00:00",
    ]


def test_where_no_day_runs_no_command_is_told(run: Run, airflow: AirflowServer) -> None:
    airflow.add_run(START, run_id="done")
    result = run("plan", "--from", "2026-11-10", "--to", "2026-11-10")
    assert result.stdout.splitlines()[-1] == "0 of 1 days run: no posts"


def test_the_command_names_the_moments_in_utc_that_the_plan_was_asked_for(
    run: Run, airflow: AirflowServer
) -> None:
    result = run("plan", "--from", "2026-11-10T01:00+01:00", "--to", "2026-11-11", "--json")
    command = json.loads(result.stdout)["command"]
    asked = airflow.asked[1][2]
    assert command.split()[-4:] == [
        *("--from-date", "2026-11-10T00:00:00+00:00"),
        *("--to-date", "2026-11-11T00:00:00+00:00"),
    ]
    assert (asked["from_date"], asked["to_date"]) == tuple(command.split()[-3::2])


def test_a_range_without_a_day_that_is_over_is_said(run: Run, airflow: AirflowServer) -> None:
    airflow.now = START
    result = run("plan", "--from", "2026-11-08T05:00Z", "--to", "2026-11-08T07:00+01:00")
    assert result.stdout == "No day that is over ends in this range, so there is nothing to run.\n"
    asked = airflow.asked[1][2]
    assert (asked["from_date"], asked["to_date"]) == (
        "2026-11-08T05:00:00+00:00",
        "2026-11-08T06:00:00+00:00",
    )


def test_an_account_that_there_is_not_is_refused_before_airflow_is_asked(
    run: Run, airflow: AirflowServer
) -> None:
    result = run("plan", *RANGE, "--account", "nobody")
    assert result.exit_code == 2
    assert "nobody" in result.stderr
    assert airflow.asked == []


@pytest.mark.parametrize(("words", "setting"), [(["--plain-http"], ""), ([], "true")])
def test_the_token_goes_unencrypted_to_another_machine_only_by_option_or_setting(
    run: Run,
    airflow: AirflowServer,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    setting: str,
) -> None:
    # It leads to this machine and is none of its loopback addresses, so it counts as another's.
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", airflow.url.replace("127.0.0.1", "0.0.0.0"))
    refused = run("plan", *RANGE)
    assert (refused.exit_code, airflow.asked) == (2, [])
    assert "unencrypted to another machine" in refused.stderr
    monkeypatch.setenv("REELFLOW_AIRFLOW_PLAIN_HTTP", setting)
    assert len(plan(run, *words)["days"]) == 3


@pytest.mark.parametrize("wrong", ["soon", "2026-11-10T05:00", "2026-13-01"])
def test_a_date_that_means_nothing_or_several_times_is_refused(
    run: Run, airflow: AirflowServer, wrong: str
) -> None:
    result = run("plan", "--from", wrong, "--to", "2026-11-12")
    assert result.exit_code == 2
    assert "is no date such as 2026-11-10" in result.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("AIRFLOW__API__BASE_URL", "", "Airflow's address is not known"),
        ("AIRFLOW__API__BASE_URL", "http://127.0.0.1:1", "127.0.0.1:1 does not answer"),
        ("REELFLOW_AIRFLOW_TOKEN", "", "REELFLOW_AIRFLOW_TOKEN is not set"),
        ("REELFLOW_AIRFLOW_TOKEN", "old", "Airflow refuses (HTTP 403: Invalid JWT token)"),
    ],
)
def test_what_is_missing_is_one_sentence_with_the_fix_and_exit_code_2(
    run: Run,
    airflow: AirflowServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.setenv(name, value)
    result = run("plan", *RANGE)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1
