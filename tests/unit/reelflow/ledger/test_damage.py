"""Rows that somebody changed by hand: their columns are named, and nothing is guessed."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import select, text

from reelflow.domain.post import PostState
from reelflow.domain.publication import MediaSource
from reelflow.exceptions import ConfigurationError
from reelflow.ledger import damage, posts
from reelflow.ledger.metrics_models import PostMetrics
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests.photo_files import make_photo_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]

ENUMERATIONS = [
    ("posts", "state", "one of HELD, READY, "),
    ("posts", "mode", "one of direct, draft"),
    ("posts", "kind", "one of video, photo"),
    ("accounts", "video_source", "one of FILE_UPLOAD, PULL_FROM_URL"),
]
ANYTHING = [
    ("posts", "due_at", "a time"),
    ("posts", "state_since", "a time"),
    ("posts", "repost", "BOOLEAN"),
    ("posts", "fencing_token", "INTEGER"),
    ("media", "facts", "a JSON object"),
    ("media", "violations", "a JSON array"),
    ("media", "created_at", "a time"),
]


def tamper(workspace: Workspace, table: str, column: str, value: str = "zz") -> None:
    with workspace.ledger.write() as session:
        session.execute(text(f"UPDATE {table} SET {column} = :value"), {"value": value})


def told(workspace: Workspace, post: Post) -> str:
    with workspace.ledger.read() as session:
        return "; ".join(damage.wrong_columns(session, post.id))


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("table", "column", "expected"), ENUMERATIONS)
def test_a_value_that_is_none_of_its_column_s_is_named_with_its_row(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    table: str,
    column: str,
    expected: str,
) -> None:
    post = make_post(account)
    assert told(workspace, post) == ""
    tamper(workspace, table, column)
    assert told(workspace, post).startswith(f"{table}.{column} of row 1 is 'zz', not {expected}")
    with (
        workspace.ledger.read() as session,
        pytest.raises(ConfigurationError) as unreadable,
    ):
        posts.get(session, post.id)
    assert unreadable.value.code == "ledger_damaged"
    assert str(unreadable.value) == (
        f"post {post.id} cannot be read, because somebody changed the ledger by hand: "
        f"{told(workspace, post)}. Correct that, or put a backup of the ledger in its place"
    )


@pytest.mark.parametrize(("table", "column", "expected"), ANYTHING)
def test_sqlite_takes_anything_and_it_is_named_as_well(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    table: str,
    column: str,
    expected: str,
) -> None:
    post = make_post(account)
    tamper(workspace, table, column)
    row = post.media_id if table == "media" else post.id
    assert told(workspace, post) == f"{table}.{column} of row {row} is 'zz', not {expected}"


@ON_BOTH_DATABASES
@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [("facts", "[1]", "a JSON object"), ("violations", '{"rule": "x"}', "a JSON array")],
)
def test_json_of_another_kind_than_its_column_s_is_named_with_its_row(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    column: str,
    value: str,
    expected: str,
) -> None:
    post = make_post(account)
    with workspace.ledger.write() as session:
        session.execute(text(f"UPDATE media SET {column} = '{value}'"))
    with workspace.ledger.read() as session, pytest.raises(ConfigurationError) as unreadable:
        posts.get(session, post.id)
    assert unreadable.value.code == "ledger_damaged"
    assert f"media.{column} of row {post.media_id} is " in str(unreadable.value)
    assert f", not {expected}. Correct that" in str(unreadable.value)


@ON_BOTH_DATABASES
def test_json_that_is_null_is_nothing(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    with workspace.ledger.write() as session:
        session.execute(text("UPDATE media SET facts = 'null', violations = NULL"))
    with workspace.ledger.write() as session:
        media = posts.get(session, post.id).media
        assert (media.facts, media.violations) == (None, None)
        media.facts, media.violations = {"container": "mp4"}, [{"rule": "x"}]
    assert told(workspace, post) == ""
    with workspace.ledger.write() as session:
        media = posts.get(session, post.id).media
        assert (media.facts, media.violations) == ({"container": "mp4"}, [{"rule": "x"}])
        media.facts = None
    with workspace.ledger.read() as session:
        assert session.scalar(text("SELECT count(*) FROM media WHERE facts IS NULL")) == 1


def test_publications_and_images_are_looked_at_too(workspace: Workspace, account: Account) -> None:
    post = make_photo_post(workspace, account)
    make_publication(workspace, post, source=MediaSource.PULL_FROM_URL)
    tamper(workspace, "publications", "state", "DÖNE" * 30)
    tamper(workspace, "media", "size_bytes", "many")
    shown = told(workspace, post)
    assert shown.count("media.size_bytes of row ") == 2
    assert "publications.state of row 1 is 'DÖNEDÖNE" in shown
    assert "…, not one of INITIATING" in shown


@pytest.mark.parametrize(
    ("column", "row", "expected"),
    [("day", "zz", "DATE"), ("view_count", "2026-11-23", "BIGINT")],
)
def test_counts_are_looked_at_too_and_known_by_their_day(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    column: str,
    row: str,
    expected: str,
) -> None:
    post, day = make_post(account), date(2026, 11, 23)
    with workspace.ledger.write() as session:
        session.add(PostMetrics(post_id=post.id, day=day, collected_at=workspace.ledger.now()))
    tamper(workspace, "post_metrics", column)
    assert told(workspace, post) == f"post_metrics.{column} of row {row} is 'zz', not {expected}"


@ON_BOTH_DATABASES
def test_what_reads_many_posts_says_that_one_cannot_be_read(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    make_post(account, state=PostState.READY)
    tamper(workspace, "posts", "mode")
    with (
        workspace.ledger.read() as session,
        pytest.raises(ConfigurationError, match="`reelflow posts list` names its row"),
    ):
        session.scalars(select(Post)).all()
