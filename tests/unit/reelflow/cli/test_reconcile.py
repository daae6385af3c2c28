"""``reelflow reconcile``, and ``posts cancel`` of what TikTok has, against the simulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import MediaSource
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests import factories
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow.cli.conftest import Run
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
S = PostState


@pytest.fixture
def creator(
    run: Run, workspace: Workspace, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Account:
    """The simulator's first creator, and the connection of its app."""
    fields = {"conn_type": "tiktok", "host": simulator.api, "login": simulator.client_key}
    fields["password"] = simulator.client_secret
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(fields))
    monkeypatch.setenv("COLUMNS", "200")
    one = simulator.accounts[0]
    return factories.make_account(
        workspace, "aurora", open_id=one["open_id"], access_token=one["access_token"]
    )


def reconcile(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("reconcile", "--json").stdout)
    return found


def test_nothing_to_settle_is_said(run: Run, creator: Account) -> None:
    result = run("reconcile")
    assert (result.exit_code, result.stdout) == (0, "Nothing to settle.\n")


def test_without_the_apps_connection_nothing_is_asked(
    run: Run, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    make_publication(workspace, make_post(account, state=S.PROCESSING))
    result = run("reconcile")
    assert result.exit_code == 2
    assert result.stderr.startswith("AIRFLOW_CONN_TIKTOK_APP is not set")


def test_a_lost_init_is_for_a_person_and_the_command_says_so_by_its_exit_code(
    run: Run, workspace: Workspace, creator: Account, make_post: MakePost
) -> None:
    post = make_post(creator, state=S.COMMITTING, file_name="lost.mp4")
    make_publication(workspace, post, publish_id=None, source=MediaSource.PULL_FROM_URL)
    for said in ("is UNKNOWN now", "Reelflow cannot know"):
        result = run("reconcile")
        assert result.exit_code == 1
        assert said in result.stdout
    assert result.stdout.splitlines()[1:4] == [
        "Reelflow cannot know what became of these; a person must look:",
        f"{post.id}  aurora/lost.mp4",
        "   why: TikTok was asked to fetch the post and its answer was lost",
    ]
    assert f"`reelflow posts resolve {post.id} --published`" in result.stdout
    found = reconcile(run)
    assert ([row["id"] for row in found["for_a_person"]], found["settled"]) == ([post.id], {})


def test_what_tiktok_does_not_know_is_told_with_its_post(
    run: Run, workspace: Workspace, creator: Account, make_post: MakePost
) -> None:
    post = make_post(creator, state=S.PROCESSING, file_name="sent.mp4")
    make_publication(workspace, post, publish_id="v_pub_file~v2-1.1")
    result = run("reconcile")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{post.id}  aurora/sent.mp4  is not settled yet: ")
    found = reconcile(run)
    assert list(found["unsettled"]) == [str(post.id)]
    assert [row["id"] for row in found["posts"]] == [post.id]


def test_a_claim_stops_nobody_who_asks_by_hand_and_a_held_post_is_told(
    run: Run, workspace: Workspace, creator: Account, make_post: MakePost
) -> None:
    until = workspace.ledger.now() + timedelta(hours=1)
    claimed = make_post(
        creator, state=S.PROCESSING, claimed_by="a run that ended", claimed_until=until
    )
    make_publication(workspace, claimed, publish_id="v_pub_file~v2-1.1")
    held = make_post(
        creator, state=S.COMMITTING, file_name="held.mp4", lease_owner="run/7", lease_until=until
    )
    make_publication(workspace, held, publish_id="v_pub_file~v2-1.2")
    told = run("reconcile").stdout.splitlines()
    assert told[0].startswith(f"{claimed.id}  aurora/clip.mp4  is not settled yet: ")
    assert told[1:] == [
        f"{held.id}  aurora/held.mp4  was left alone: it is COMMITTING and run/7 uploads it until "
        f"{until:%Y-%m-%d %H:%M} UTC unless renewed"
    ]
    assert list(reconcile(run)["left"]) == [str(held.id)]


def test_an_upload_that_stopped_is_ready_again(
    run: Run, workspace: Workspace, creator: Account, make_post: MakePost
) -> None:
    post = make_post(creator, state=S.UPLOADING, file_name="stopped.mp4")
    make_publication(workspace, post)
    assert run("reconcile").stdout == (
        f"{post.id}  aurora/stopped.mp4  stopped before its last byte: it is READY again\n"
    )


def test_cancel_tells_when_it_is_too_late(
    run: Run,
    workspace: Workspace,
    creator: Account,
    make_post: MakePost,
    read_post: Callable[[int], Post],
) -> None:
    post = make_post(creator, state=S.PROCESSING)
    make_publication(workspace, post, publish_id="v_pub_file~v2-1.1")  # not one of TikTok's
    result = run("posts", "cancel", post.id)
    assert result.exit_code == 2
    assert "publish" in result.stderr
    assert read_post(post.id).state is S.PROCESSING
