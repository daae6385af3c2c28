"""What TikTok counts of posts is collected, and whose counts cannot be had is told once."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from reelflow.domain.post import DONE, PostState
from tests.proof.play import ENDLESS_S, Play
from tests.proof.runs import Runs

REFUSED = "north.trail"
#: So many accounts have so many published posts each, and so many more are on their way.
ACCOUNTS, EACH, UNDER_WAY = 4, 5, 8
METRICS = "reelflow_post_metrics"
COLLECT, MISSING = "collect_post_metrics", "collect_missing_metrics"


def test_an_account_that_cannot_be_asked_fails_one_run_and_delays_no_other(play: Play) -> None:
    play.drop(EACH * ACCOUNTS, accounts=ACCOUNTS)
    play.finish()
    names = play.stack.account_names[:ACCOUNTS]
    play.process_for(ENDLESS_S)
    play.drop(UNDER_WAY, accounts=UNDER_WAY)
    with play.mid_stage(UNDER_WAY, {PostState.PROCESSING}), play.unpaused(COLLECT) as dag:
        count(play, 777)
        assert run(play, dag) == ("success", {COLLECT: "success", MISSING: "success"})
        assert views(play) == dict.fromkeys(names, [777] * EACH)
        assert told(play) == (EACH * ACCOUNTS, ACCOUNTS, 0)

        scopes = grant(play, ["video.publish", "video.upload"])
        count(play, 888)
        red = trigger(play, dag)
        assert states(dag, red) == {COLLECT: "success", MISSING: "failed"}
        assert views(play) == {**dict.fromkeys(names, [888] * EACH), REFUSED: [777] * EACH}
        assert told(play) == (EACH * (ACCOUNTS - 1), ACCOUNTS - 1, 1)
        (trouble,) = uncollected(play)
        assert (trouble["account"], trouble["code"]) == (REFUSED, "scope_not_authorized")
        said = dag.log_of(red, MISSING)
        assert "accounts whose counts need a person: 1, and 0 told of before" in said
        assert f"account {REFUSED}: TikTok refused video/query" in said
        assert "reconnect the account and grant it" in said

        still = trigger(play, dag)
        assert states(dag, still) == {COLLECT: "success", MISSING: "success"}
        assert "still, since" in dag.log_of(still, MISSING)

        grant(play, scopes)
        dag.clear(red, [MISSING])
        play.wait_told(lambda: dag.state_of(red) == "success", "the cleared run to end well")
        assert views(play) == dict.fromkeys(names, [888] * EACH)
        assert told(play) == (EACH, 1, 0)
        assert uncollected(play) == []
    play.let_go()
    play.finish()


def count(play: Play, views: int) -> None:
    """Let TikTok count so many views of each post that is published."""
    published = [post.publish_id for post in play.ledger.posts() if post.state in DONE]
    for publish_id in published:
        play.simulator("POST", f"/posts/{publish_id}/counts", {"view_count": views})


def grant(play: Play, scopes: list[str]) -> list[str]:
    """Change what the creator of an account lets us do; return what that was."""
    known = play.simulator("GET", "/accounts")["accounts"]
    before: list[str] = next(one["scopes"] for one in known if one["username"] == REFUSED)
    play.simulator("POST", f"/accounts/{REFUSED}", {"scopes": scopes})
    return before


def trigger(play: Play, dag: Runs) -> str:
    run_id = dag.trigger()
    play.wait_told(dag.is_idle, f"{run_id} to end")
    return run_id


def run(play: Play, dag: Runs) -> tuple[str, dict[str, str | None]]:
    run_id = trigger(play, dag)
    return dag.state_of(run_id), states(dag, run_id)


def states(dag: Runs, run_id: str) -> dict[str, str | None]:
    return {task.task_id: task.state for task in dag.tasks(run_id)}


def told(play: Play) -> tuple[int, int, int]:
    """Return what the newest event of the asset says: posts, accounts, and how many lack some."""
    event = play.runs.events(METRICS)[0]
    return event["posts"], event["accounts"], event["missing_accounts"]


def metrics(play: Play) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(play.stack.run_reelflow("metrics", "--json"))
    return answer


def views(play: Play) -> dict[str, list[int]]:
    """Return the last counts of each account's posts."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for row in metrics(play)["metrics"]:
        found[row["account"]].append(row["view_count"])
    return dict(found)


def uncollected(play: Play) -> list[dict[str, str]]:
    found: list[dict[str, str]] = metrics(play)["uncollected"]
    return found
