import getpass
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger import audit
from reelflow.ledger.models import Account, AuditEntry, Post
from reelflow.services import report
from reelflow.services.workspace import Workspace
from tests.factories import change_account
from tests.unit.reelflow.cli.conftest import Run


def last_step(workspace: Workspace, post: Post) -> AuditEntry:
    with workspace.ledger.read() as session:
        return audit.story(session, post.id)[-1]


def test_list_as_json_is_what_the_report_gives(
    run: Run, workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    make_post(account)
    make_post(account, state=PostState.PUBLISHED)
    rows = json.loads(run("posts", "list", "--json").stdout)
    assert rows == report.list_posts(workspace)
    assert [row["state"] for row in rows] == ["READY", "PUBLISHED"]


def test_an_empty_ledger_gives_an_empty_list(run: Run) -> None:
    assert run("posts", "list", "--json").stdout == "[]\n"
    assert run("posts", "list").stdout == "No posts.\n"


def test_list_keeps_to_states_account_and_limit(
    run: Run, make_account: Callable[..., Account], make_post: Callable[..., Post]
) -> None:
    acme, other = make_account("acme"), make_account("other")
    held = make_post(acme, state=PostState.HELD)
    failed = make_post(acme, state=PostState.FAILED)
    ready = make_post(acme)
    theirs = make_post(other)

    def ids(*options: object) -> list[int]:
        result = run("posts", "list", "--json", *options)
        return [row["id"] for row in json.loads(result.stdout)]

    assert ids() == [held.id, failed.id, ready.id, theirs.id]
    assert ids("--state", "held", "--state", "FAILED") == [held.id, failed.id]
    assert ids("--account", "other") == [theirs.id]
    assert ids("--limit", 2) == [ready.id, theirs.id]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--account", "nobody"], "no account is called 'nobody'"),
        (["--limit", "0"], "greater than or equal to 1"),
        (["--state", "LOST"], "'LOST' is not one of"),
    ],
)
def test_list_refuses_filters_that_match_nothing_that_exists(
    run: Run, options: list[str], said: str
) -> None:
    result = run("posts", "list", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_show_as_json_is_the_whole_story(
    run: Run, workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    post = make_post(account)
    shown = json.loads(run("posts", "show", post.id, "--json").stdout)
    assert shown == {**report.show_post(workspace, post.id), "thumbnail_location": None}
    assert [step["to"] for step in shown["story"]] == ["READY"]


@pytest.mark.parametrize("command", ["show", "release", "cancel", "retry"])
@pytest.mark.parametrize(
    ("post_id", "said"),
    [("99", "no post has id 99"), ("x", "valid integer"), ("0", "greater"), ("9" * 30, "less")],
)
def test_an_id_that_is_none_is_refused(run: Run, command: str, post_id: str, said: str) -> None:
    result = run("posts", command, post_id)
    assert result.exit_code == 2
    assert said in result.stderr


def test_release_lets_a_held_post_go_in_the_person_s_name(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    post = make_post(account, state=PostState.HELD, privacy_level=None)
    result = run("posts", "release", post.id, "--privacy", "self_only")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"Post {post.id} is READY, due ")
    assert read_post(post.id).privacy_level == "SELF_ONLY"
    assert last_step(workspace, post).actor == "person:mia"


def test_cover_chooses_the_frame_in_the_person_s_name(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    post = make_post(account, state=PostState.READY)
    result = run("posts", "cover", post.id, "--at-ms", "1200")
    assert (result.exit_code, result.stdout) == (
        0,
        f"The cover of post {post.id} is the frame at 1200 ms.\n",
    )
    assert read_post(post.id).cover_timestamp_ms == 1200
    assert last_step(workspace, post).actor == "person:mia"


def test_release_without_a_privacy_level_says_how_to_give_one(
    run: Run, account: Account, make_post: Callable[..., Post], read_post: Callable[[int], Post]
) -> None:
    post = make_post(account, state=PostState.HELD, privacy_level=None)
    result = run("posts", "release", post.id)
    assert result.exit_code == 2
    assert "release it with --privacy" in result.stderr
    assert read_post(post.id).state is PostState.HELD


@pytest.mark.parametrize("text", ["2096-12-24T18:00:00+01:00", "2096-12-24T17:00Z"])
def test_release_takes_a_time_with_its_zone(
    run: Run,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
    text: str,
) -> None:
    post = make_post(account, state=PostState.HELD)
    result = run("posts", "release", post.id, "--at", text)
    assert result.stdout == f"Post {post.id} is READY, due 2096-12-24 17:00 UTC.\n"
    assert read_post(post.id).due_at == datetime(2096, 12, 24, 17, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2096-12-24T18:00:00", "tomorrow", "", "2096-13-01T00:00Z"])
def test_release_refuses_a_time_that_could_mean_several(
    run: Run,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
    text: str,
) -> None:
    post = make_post(account, state=PostState.HELD)
    result = run("posts", "release", post.id, "--at", text)
    assert result.exit_code == 2
    assert "is no ISO 8601 time with a time zone" in result.stderr
    assert read_post(post.id).state is PostState.HELD


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("9999-12-31T23:59:59-23:59", 9999),
        ("0001-01-01T00:00:00+14:00", 1),
        ("2100-01-01T00:00Z", 2100),
        ("1999-12-31T23:59Z", 1999),
    ],
)
@pytest.mark.parametrize(("command", "state"), [("release", "HELD"), ("retry", "FAILED")])
def test_a_year_that_no_sidecar_may_have_is_refused(
    run: Run,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
    command: str,
    state: str,
    text: str,
    year: int,
) -> None:
    post = make_post(account, state=PostState(state))
    result = run("posts", command, post.id, "--at", text)
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", "").split())
    assert f"is in the year {year}: years from 2000 to 2099 are taken" in said
    assert read_post(post.id).state == state


@pytest.mark.parametrize(("command", "state"), [("release", "HELD"), ("retry", "CANCELLED")])
def test_a_time_that_is_past_is_told_to_mean_now(
    run: Run, account: Account, make_post: Callable[..., Post], command: str, state: str
) -> None:
    post = make_post(account, state=PostState(state))
    result = run("posts", command, post.id, "--at", "2020-05-04T05:06+02:00")
    first, second = result.stdout.splitlines()
    assert first.startswith(f"Post {post.id} is READY, due 20")
    assert second == "2020-05-04 03:06 UTC is past: the next run takes it."


def test_a_waiting_post_gets_another_time_by_cancelling_and_trying_it_again(
    run: Run, account: Account, make_post: Callable[..., Post], read_post: Callable[[int], Post]
) -> None:
    post = make_post(account, publish_at=datetime(2095, 1, 1, tzinfo=UTC))
    refused = run("posts", "release", post.id, "--at", "2096-01-01T00:00Z")
    assert (
        "`reelflow posts cancel` stops it, and `reelflow posts retry --at TIME` then gives it "
        "another time"
    ) in refused.stderr
    assert run("posts", "cancel", post.id).exit_code == 0
    result = run("posts", "retry", post.id, "--at", "2096-01-01T00:00Z")
    assert result.stdout == f"Post {post.id} is READY, due 2096-01-01 00:00 UTC.\n"
    wished_for = datetime(2096, 1, 1, tzinfo=UTC)
    assert (read_post(post.id).publish_at, read_post(post.id).due_at) == (wished_for, wished_for)


def test_what_was_chosen_when_a_post_was_let_go_is_in_its_story(
    run: Run, workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    post = make_post(account, state=PostState.HELD)
    options = ["--privacy", "SELF_ONLY", "--at", "2096-12-24T18:00+01:00", "--disable-duet"]
    run("posts", "release", post.id, *options, "--disable-comment")
    assert last_step(workspace, post).why == (
        "released by hand with privacy SELF_ONLY, for 2096-12-24 17:00 UTC, without comment, "
        "without duet"
    )
    run("posts", "cancel", post.id)
    run("posts", "retry", post.id, "--at", "2096-12-25T17:00Z")
    assert last_step(workspace, post).why == "tried again by hand for 2096-12-25 17:00 UTC"


def test_cancel_ends_a_post_in_the_person_s_name(
    run: Run, workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    post = make_post(account)
    result = run("posts", "cancel", post.id)
    assert (result.exit_code, result.stdout) == (0, f"Post {post.id} is CANCELLED.\n")
    assert last_step(workspace, post).actor == "person:mia"


def test_retry_makes_a_failed_post_due_again(
    run: Run, account: Account, make_post: Callable[..., Post]
) -> None:
    post = make_post(account, state=PostState.FAILED)
    result = run("posts", "retry", post.id)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Post {post.id} is READY, due ")


def test_a_command_that_is_not_for_the_state_says_what_is(
    run: Run, account: Account, make_post: Callable[..., Post]
) -> None:
    post = make_post(account, state=PostState.UNKNOWN)
    result = run("posts", "cancel", post.id)
    assert result.exit_code == 2
    assert result.stderr == (
        "cannot cancel a post that is UNKNOWN: look at the account on TikTok, then use `reelflow "
        "posts resolve`\n"
    )


def test_a_post_that_tiktok_has_is_not_cancelled_without_asking_it(
    run: Run,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    post = make_post(account, state=PostState.PROCESSING)
    result = run("posts", "cancel", post.id)
    assert result.exit_code == 2
    assert result.stderr.startswith("AIRFLOW_CONN_TIKTOK_APP is not set")
    assert read_post(post.id).state is PostState.PROCESSING


def test_release_for_a_revoked_account_says_what_to_do_first(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    post = make_post(account, state=PostState.HELD, reason_code="account_revoked")
    change_account(workspace, account.id, revoked=True, revoked_because="its creator ended it")
    result = run("posts", "release", post.id)
    assert result.exit_code == 2
    assert "its creator ended it" in result.stderr
    assert "`reelflow accounts connect acme`" in result.stderr
    assert read_post(post.id).state is PostState.HELD


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--published"], "is PUBLISHED_NO_LINK.\n"),
        (["--published", "--tiktok-post", "7678907398077074696"], "is PUBLISHED.\n"),
        (["--not-published"], "is FAILED.\nTo go on: `reelflow posts retry 1` posts it.\n"),
    ],
)
def test_resolve_settles_an_unknown_post_in_the_person_s_name(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    options: list[str],
    said: str,
) -> None:
    post = make_post(account, state=PostState.UNKNOWN)
    result = run("posts", "resolve", post.id, *options)
    assert (result.exit_code, result.stdout) == (0, f"Post {post.id} {said}")
    assert last_step(workspace, post).actor == "person:mia"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "say what you see on the account: --published or --not-published"),
        (["--not-published", "--tiktok-post", "7678907398077074696"], "has no address"),
        (["--published", "--tiktok-post", "tiktok.com/7"], "is no id of a TikTok post"),
    ],
)
def test_resolve_needs_one_clear_answer(
    run: Run,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
    options: list[str],
    said: str,
) -> None:
    post = make_post(account, state=PostState.UNKNOWN)
    result = run("posts", "resolve", post.id, *options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert read_post(post.id).state is PostState.UNKNOWN


def test_a_user_without_a_name_can_still_act(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nameless() -> str:  # Python 3.11 raises KeyError for a user id without a name, 3.13 OSError
        raise KeyError("getpwuid(): uid not found: 50000")

    monkeypatch.setattr(getpass, "getuser", nameless)
    post = make_post(account)
    assert run("posts", "cancel", post.id).exit_code == 0
    assert last_step(workspace, post).actor == "person:unknown"
