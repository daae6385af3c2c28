from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests.photo_files import make_photo_post
from tests.unit.reelflow.cli.conftest import Run

HOSTILE = "[red]x[/red] \x1b[2J\u202e:smile:\nnext"
SHOWN = "[red]x[/red] �[2J�:smile:⏎ next"


@pytest.fixture
def hostile(account: Account, make_post: Callable[..., Post]) -> Post:
    """A post whose every text is hostile."""
    return make_post(
        account, file_name=HOSTILE, caption=HOSTILE, reason=HOSTILE, fix=HOSTILE, state="FAILED"
    )


def test_the_table_tells_each_post_in_a_line(
    run: Run, account: Account, make_post: Callable[..., Post]
) -> None:
    due_at = datetime(2126, 5, 4, 3, 2, 1, tzinfo=UTC)
    waiting = make_post(account, file_name="waiting.mp4", due_at=due_at)
    done = make_post(account, file_name="done.mp4", state=PostState.PUBLISHED, due_at=due_at)
    lines = run("posts", "list").stdout.splitlines()
    [first] = [line.split() for line in lines if "waiting.mp4" in line]
    assert first == [
        *(str(waiting.id), "waiting.mp4", "acme", "READY"),
        *("made", "by", "a", "test", "2126-05-04", "03:02"),
    ]
    [second] = [line for line in lines if "done.mp4" in line]
    assert second.split()[:4] == [str(done.id), "done.mp4", "acme", "PUBLISHED"]
    assert "2126" not in second  # nothing is due any more


def test_a_full_list_says_how_to_see_more(
    run: Run, account: Account, make_post: Callable[..., Post]
) -> None:
    for _ in range(2):
        make_post(account)
    assert "The newest 2; --limit shows more." in run("posts", "list", "--limit", 2).stdout
    assert "--limit" not in run("posts", "list", "--limit", 3).stdout


@pytest.mark.parametrize("columns", ["20", "60", "100", "200"])
@pytest.mark.parametrize("words", [("list",), ("show", "1")])
def test_hostile_text_is_shown_and_obeyed_at_no_width(
    run: Run, hostile: Post, monkeypatch: pytest.MonkeyPatch, columns: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    result = run("posts", *words)
    assert result.exit_code == 0
    assert "[red]x" in result.stdout
    assert not set(result.stdout) & {"\x1b", "\u202e", "\N{SMILING FACE WITH OPEN MOUTH}"}


def test_a_narrow_screen_gets_lines_that_are_whole(
    run: Run, account: Account, make_post: Callable[..., Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    post = make_post(account, file_name="clip.mp4", state=PostState.FAILED)
    assert [line.rstrip() for line in run("posts", "list").stdout.splitlines()] == [
        f"{post.id}  FAILED  acme",
        "   clip.mp4",
        "   made by a test",
    ]


def test_a_fix_that_is_a_command_line_is_not_wrapped(
    run: Run, account: Account, make_post: Callable[..., Post], workspace: Workspace
) -> None:
    fix = "ffmpeg -i in.avi " + "-c:v libx264 " * 20 + "out.mp4"
    post = make_post(account, state=PostState.REJECTED, fix=fix)
    violation = {"rule": "type", "value": "avi", "limit": ".mp4", "fix": fix}
    with workspace.ledger.write() as session:
        session.get_one(Post, post.id).media.violations = [violation]
    shown = run("posts", "show", post.id).stdout
    assert "broken rule type: avi (allowed: .mp4)\n" in shown
    assert f"\n  fix: {fix}\n" in shown
    assert shown.count("fix: ") == 1


@pytest.mark.parametrize("state", PostState)
def test_every_state_can_be_listed_and_shown(
    run: Run, account: Account, make_post: Callable[..., Post], state: PostState
) -> None:
    post = make_post(account, state=state)
    for words in (("list",), ("show", post.id)):
        result = run("posts", *words)
        assert result.exit_code == 0
        assert state in result.stdout


def test_a_photo_post_is_listed_by_its_folder_and_shown_with_its_images(
    run: Run, account: Account, workspace: Workspace
) -> None:
    post = make_photo_post(workspace, account, title="Lake")
    assert "trip (2 photos)" in " ".join(run("posts", "list").stdout.split())
    shown = [line.split() for line in run("posts", "show", post.id).stdout.splitlines()]
    for line in ("folder trip (2 photos)", "images 1.jpg, 2.jpg", "title Lake"):
        assert line.split() in shown


@pytest.mark.parametrize("columns", ["60", "200"])
def test_a_post_that_was_changed_by_hand_is_listed_with_what_is_wrong(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    good, bad = make_post(account, file_name="good.mp4"), make_post(account, file_name="bad.mp4")
    with workspace.ledger.write() as session:
        session.execute(text(f"UPDATE posts SET state = 'BOGUS' WHERE id = {bad.id}"))
    result = run("posts", "list")
    assert result.exit_code == 0
    for shown in ("good.mp4", "bad.mp4", "BOGUS"):
        assert shown in result.stdout
    assert f"posts.state of row {bad.id} is" in " ".join(result.stdout.split())
    shown_alone = run("posts", "show", bad.id)
    assert shown_alone.exit_code == 2
    assert shown_alone.stderr.startswith(f"post {bad.id} cannot be read, because somebody changed")
    assert run("posts", "release", bad.id).exit_code == 2
    assert run("posts", "show", good.id).exit_code == 0


def test_a_quarantined_file_whose_row_was_changed_by_hand_is_listed(
    run: Run, workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    make_post(account, state=PostState.REJECTED)
    with workspace.ledger.write() as session:
        session.execute(text("UPDATE posts SET mode = 'zz'"))
        session.execute(text("UPDATE media SET source_path = 'quarantine/acme/1.mp4'"))
    result = run("quarantine", "list")
    assert result.exit_code == 0
    assert "quarantine/acme/1.mp4" in result.stdout
