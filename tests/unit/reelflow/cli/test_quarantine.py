"""``reelflow quarantine``: what was rejected, where it lies, and letting it try again."""

import json
from collections.abc import Callable

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Post
from reelflow.services.intake.rejection import quarantine, reject
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.unit.reelflow.cli.conftest import Run

FIX = "ffmpeg -i tiny.mp4 -vf " + "scale=720:-2," * 20 + " out.mp4"
VIOLATION = {"rule": "picture_size", "value": "100x100", "limit": "360 to 4096", "fix": FIX}


@pytest.fixture
def rejected(workspace: Workspace, account: Account, make_post: Callable[..., Post]) -> Post:
    post = make_post(account, file_name="tiny.mp4")
    reject(workspace, post.id, [VIOLATION], actor="tests")
    quarantine(workspace, post.id)
    return post


def test_a_rejected_file_is_listed_with_its_rule_its_fix_and_where_it_lies(
    run: Run, workspace: Workspace, rejected: Post
) -> None:
    path = data_folder(workspace).path(f"quarantine/acme/{rejected.id}.mp4")
    assert path.exists()
    assert run("quarantine", "list").stdout.splitlines() == [
        f"{rejected.id}  acme/tiny.mp4",
        "   why: picture_size: 100x100 (allowed: 360 to 4096)",
        f"   fix: {FIX}",
        f"   file: {path}",
        "`reelflow quarantine release ID` validates a file again, once it or the rule is mended.",
    ]
    (row,) = json.loads(run("quarantine", "list", "--json").stdout)
    assert (row["id"], row["path"], row["fix"]) == (rejected.id, str(path), FIX)


def test_of_a_file_that_was_deleted_no_place_is_told(
    run: Run, workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    post = make_post(account)
    data_folder(workspace).path(post.media.source_path).unlink()
    reject(workspace, post.id, [VIOLATION], actor="tests")
    assert "file: " not in run("quarantine", "list").stdout
    (row,) = json.loads(run("quarantine", "list", "--json").stdout)
    assert (row["id"], row["path"]) == (post.id, None)


def test_an_empty_quarantine_says_so(
    run: Run, account: Account, make_post: Callable[..., Post]
) -> None:
    make_post(account, state=PostState.FAILED)
    assert run("quarantine", "list").stdout == "The quarantine is empty.\n"
    assert run("quarantine", "list", "--json").stdout == "[]\n"


def test_the_list_keeps_to_an_account_and_a_limit(
    run: Run, make_account: Callable[..., Account], make_post: Callable[..., Post]
) -> None:
    acme, other = make_account("acme"), make_account("other")
    posts = [make_post(one, state=PostState.REJECTED) for one in (acme, other, other)]

    def ids(*options: object) -> list[int]:
        return [
            row["id"] for row in json.loads(run("quarantine", "list", "--json", *options).stdout)
        ]

    assert ids("--account", "acme") == [posts[0].id]
    assert ids("--limit", 2) == [posts[1].id, posts[2].id]
    assert "The newest 2; --limit shows more." in run("quarantine", "list", "--limit", 2).stdout
    nobody = run("quarantine", "list", "--account", "nobody")
    assert (nobody.exit_code, "no account is called 'nobody'" in nobody.stderr) == (2, True)


def test_a_released_file_is_brought_back_and_validated_again(
    run: Run, workspace: Workspace, rejected: Post, read_post: Callable[[int], Post]
) -> None:
    result = run("quarantine", "release", rejected.id)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"Post {rejected.id} is READY, due ")
    after = read_post(rejected.id)
    assert (after.media.validated_at, after.media.violations) == (None, None)
    assert data_folder(workspace).path(after.media.source_path).exists()
    with workspace.ledger.read() as session:
        assert audit.story(session, rejected.id)[-1].actor == "person:mia"


@pytest.mark.parametrize("state", [state for state in PostState if state is not PostState.REJECTED])
def test_only_a_rejected_post_has_a_file_to_release(
    run: Run,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
    state: PostState,
) -> None:
    post = make_post(account, state=state)
    result = run("quarantine", "release", post.id)
    assert result.exit_code == 2
    assert "only a REJECTED one has a file in the quarantine" in result.stderr
    assert read_post(post.id).state is state
