"""A row that somebody changed by hand is told, and the posts of everybody else go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from reelflow.domain.post import PostState
from reelflow.domain.schedule import BackfillRun, NormalRun
from reelflow.ledger import batches, publications
from reelflow.ledger.models import Account, Media, Post
from reelflow.ledger.platform_models import WebhookEvent
from reelflow.services.accounts.revocation import mark_revoked, release_reconnected
from reelflow.services.discover import BatchPost, find_new_uploads
from reelflow.services.intake.moves import finish_moves
from reelflow.services.settling.latecomers import ask_about_latecomers
from reelflow.services.settling.missing_video import find_missing_videos
from reelflow.services.settling.reconcile import reconcile
from reelflow.services.settling.sweep import SweepReport, expire_sessions
from reelflow.services.summarize import summarize
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from tests.factories import ACTOR, Clock, change_account, change_post, read_post
from tests.photo_files import make_photo_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import POST_ID, AskedTikTok, video

MakePost = Callable[..., Post]
S = PostState
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
LINKED = PublishStatus("PUBLISH_COMPLETE", post_ids=(POST_ID,))

#: What a person can write into either database: column, value, and how it is named.
EITHER = [
    ("posts.mode", "zz"),
    ("posts.kind", "zz"),
    ("media.facts", "[1]"),
    ("accounts.video_source", "zz"),
]
#: What SQLite takes besides.
SQLITE_ONLY = [
    ("media.facts", "{"),
    ("media.violations", "zz"),
    ("posts.state_since", "zz"),
    ("posts.fencing_token", "zz"),
    ("accounts.created_at", "zz"),
]
PUBLICATION = [("publications.source", "zz")]
DAMAGE = pytest.mark.parametrize(("column", "value"), [*EITHER, *SQLITE_ONLY])


@pytest.fixture
def tiktok() -> AskedTikTok:
    return AskedTikTok()


@pytest.fixture
def other(make_account: Callable[..., Account]) -> Account:
    """The account whose rows nobody touched."""
    return make_account("other")


def tamper(workspace: Workspace, post: Post, column: str, value: str) -> str:
    """Write something else into a column of a post's rows than belongs there.

    :return: how the damage is told
    """
    table, name = column.split(".")
    key, row = {
        "posts": ("id", post.id),
        "media": ("id", post.media_id),
        "accounts": ("id", post.account_id),
        "publications": ("post_id", post.id),
    }[table]
    with workspace.ledger.write() as session:
        change = text(f"UPDATE {table} SET {name} = '{value}' WHERE {key} = :row")
        session.execute(change, {"row": row})
    return f"{column} of row "


def normal(clock: Clock, run_id: str = "run") -> NormalRun:
    return NormalRun(run_id, clock(), DAY)


def sweep(workspace: Workspace, tiktok: AskedTikTok) -> SweepReport:
    return expire_sessions(workspace, tiktok, actor=ACTOR, longest_put_s=1090.0)


def put_in_batch(workspace: Workspace, *posts: Post) -> None:
    with workspace.ledger.write() as session:
        batches.append(session, "run", [post.id for post in posts], now=workspace.ledger.now())


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), EITHER)
def test_a_run_takes_what_is_due_beside_a_damaged_post_and_sums_both_up(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock,
    column: str, value: str,
) -> None:  # fmt: skip
    bad, good = make_post(account), make_post(other)
    told = tamper(workspace, bad, column, value)
    found = find_new_uploads(workspace, normal(clock), actor=ACTOR)
    assert found == [BatchPost(bad.id, "clip.mp4"), BatchPost(good.id, "clip.mp4")]
    change_post(workspace, good.id, state=S.PUBLISHED)
    summary = summarize(workspace, "run")
    assert summary.counts == {"damaged": 1, "PUBLISHED": 1}
    assert summary.problems == summary.lines[:1]
    assert summary.problems[0].startswith(f"post {bad.id} cannot be read, because somebody ")
    assert told in summary.problems[0]
    assert read_post(workspace, good.id).claimed_by is None


@pytest.mark.parametrize(("column", "value"), SQLITE_ONLY[:3])
def test_sqlite_takes_anything_and_a_run_goes_on_all_the_same(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock,
    column: str, value: str,
) -> None:  # fmt: skip
    bad, good = make_post(account), make_post(other)
    told = tamper(workspace, bad, column, value)
    found = find_new_uploads(workspace, normal(clock), actor=ACTOR)
    assert [post.post_id for post in found] == [bad.id, good.id]
    summary = summarize(workspace, "run")
    assert summary.counts == {"damaged": 1, "READY": 1}
    assert told in summary.problems[0]


def test_a_folder_of_photos_keeps_its_name_beside_damage(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    bad = make_photo_post(workspace, account)
    tamper(workspace, bad, "posts.mode", "zz")
    assert find_new_uploads(workspace, normal(clock), actor=ACTOR) == [BatchPost(bad.id, "trip")]


def test_a_row_that_was_deleted_by_hand_fails_its_own_tasks_only(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock
) -> None:
    bad, good = make_post(account), make_post(other)
    put_in_batch(workspace, bad, good)
    by_hand = sqlite3.connect(str(workspace.ledger.engine.url.database))
    with closing(by_hand), by_hand:
        by_hand.execute("DELETE FROM media WHERE id = ?", (bad.media_id,))
    found = find_new_uploads(workspace, normal(clock), actor=ACTOR)
    assert found == [BatchPost(bad.id, f"post {bad.id}"), BatchPost(good.id, "clip.mp4")]
    summary = summarize(workspace, "run")
    assert summary.problems[0] == f"no post has id {bad.id}: see `reelflow posts list`"
    assert summary.counts == {"damaged": 1, "READY": 1}


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), EITHER)
def test_a_backfill_recalls_what_was_missed_beside_a_damaged_post(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost,
    column: str, value: str,
) -> None:  # fmt: skip
    start = datetime(2026, 11, 1, tzinfo=UTC)
    missed = {"state": S.MISSED, "publish_at": start, "due_at": start}
    bad, good = make_post(account, **missed), make_post(other, **missed)
    tamper(workspace, bad, column, value)
    run = BackfillRun("backfill", start, start + DAY)
    found = find_new_uploads(workspace, run, actor=ACTOR)
    assert {post.post_id for post in found} == {bad.id, good.id}
    assert read_post(workspace, good.id).state is S.READY


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), EITHER)
def test_what_is_too_late_is_missed_beside_damaged_posts(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock,
    caplog: pytest.LogCaptureFixture, column: str, value: str,
) -> None:  # fmt: skip
    hasty = replace(workspace, rules=replace(workspace.rules, missed_at_once=1))
    bad = [make_post(account, due_at=clock() - 2 * DAY) for _ in range(2)]
    good = make_post(other, due_at=clock() - DAY)
    told = [tamper(workspace, post, column, value) for post in bad]
    assert find_new_uploads(hasty, normal(clock), actor=ACTOR) == []
    assert read_post(workspace, good.id).state is S.MISSED
    assert all(f"post {post.id} is left as it is: " in caplog.text for post in bad)
    assert told[0] in caplog.text


@ON_BOTH_DATABASES
def test_the_inbox_of_others_is_taken_beside_a_damaged_account(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock,
    drop: Callable[..., Path],
) -> None:  # fmt: skip
    tamper(workspace, make_post(account, state=S.PUBLISHED), "accounts.video_source", "zz")
    kept = drop(account, "kept.mp4")
    drop(other, "new.mp4")
    (found,) = find_new_uploads(workspace, normal(clock), actor=ACTOR)
    assert found.file_name == "new.mp4"
    assert kept.exists()


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), EITHER)
def test_files_leave_the_inbox_beside_those_of_a_damaged_post(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost,
    caplog: pytest.LogCaptureFixture, column: str, value: str,
) -> None:  # fmt: skip
    bad, good = make_post(account), make_post(other)
    with workspace.ledger.write() as session:
        for media in session.scalars(select(Media)):
            media.moved_at = None
    told = tamper(workspace, bad, column, value)
    finish_moves(workspace, actor=ACTOR)
    with workspace.ledger.read() as session:
        assert session.get_one(Media, good.media_id).moved_at is not None
    assert f"the files of post {bad.id} stay in the inbox" in caplog.text
    assert told in caplog.text


@DAMAGE
def test_stalled_uploads_are_given_back_beside_a_damaged_one(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost,
    tiktok: AskedTikTok, caplog: pytest.LogCaptureFixture, column: str, value: str,
) -> None:  # fmt: skip
    bad, good = (make_post(one, state=S.UPLOADING) for one in (account, other))
    make_publication(workspace, bad)
    told = tamper(workspace, bad, column, value)
    assert good.id in sweep(workspace, tiktok).returned_to_ready
    assert read_post(workspace, good.id).state is S.READY
    assert told in caplog.text
    with workspace.ledger.read() as session:
        stored = session.scalar(text(f"SELECT state FROM posts WHERE id = {bad.id}"))
        steps = text(f"SELECT count(*) FROM audit WHERE post_id = {bad.id}")
        assert (stored, session.scalar(steps)) == ("UPLOADING", 1)


@ON_BOTH_DATABASES
def test_expired_uploads_are_given_up_beside_a_damaged_publication(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock,
    tiktok: AskedTikTok, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    bad, good = make_post(account), make_post(other)
    for post in (bad, good):
        make_publication(workspace, post, url_expires_at=clock())
    told = tamper(workspace, bad, "publications.source", "zz")
    sweep(workspace, tiktok)
    with workspace.ledger.read() as session:
        assert publications.current(session, good.id) is None
    assert told in caplog.text


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), [*EITHER, *PUBLICATION])
def test_sent_posts_are_settled_beside_a_damaged_one_that_is_told(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost,
    tiktok: AskedTikTok, column: str, value: str,
) -> None:  # fmt: skip
    bad, good = (make_post(one, state=S.PROCESSING) for one in (account, other))
    for post in (bad, good):
        tiktok.told(make_publication(workspace, post), LINKED)
    told = tamper(workspace, bad, column, value)
    report = sweep(workspace, tiktok)
    assert report.settled == {good.id: S.PUBLISHED}
    assert told in report.still_unsettled[bad.id]


@pytest.mark.parametrize(("column", "value"), SQLITE_ONLY)
def test_sqlite_takes_anything_and_sent_posts_are_settled_all_the_same(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost,
    tiktok: AskedTikTok, column: str, value: str,
) -> None:  # fmt: skip
    bad, good = (make_post(one, state=S.PROCESSING) for one in (account, other))
    for post in (bad, good):
        tiktok.told(make_publication(workspace, post), LINKED)
    tamper(workspace, bad, column, value)
    assert sweep(workspace, tiktok).settled[good.id] is S.PUBLISHED


@ON_BOTH_DATABASES
def test_a_damaged_post_that_an_upload_holds_is_told(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, tiktok: AskedTikTok
) -> None:
    bad = make_post(account, state=S.COMMITTING, lease_until=clock() + MINUTE)
    good = make_post(account, state=S.COMMITTING, lease_owner="x", lease_until=clock() + MINUTE)
    told = tamper(workspace, bad, "posts.mode", "zz")
    learnt = reconcile(workspace, tiktok, actor=ACTOR, longest_put_s=1090.0, despite_claims=True)
    assert told in learnt.left[bad.id]
    assert "x uploads it until" in learnt.left[good.id]


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), [*EITHER, *PUBLICATION, ("posts.state", "zz")])
def test_latecomers_are_asked_about_beside_a_damaged_one_that_is_told(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock,
    tiktok: AskedTikTok, caplog: pytest.LogCaptureFixture, column: str, value: str,
) -> None:  # fmt: skip
    bad, good = (make_post(one, state=S.FAILED) for one in (account, other))
    for post in (bad, good):
        tiktok.told(make_publication(workspace, post, state="FAILED"), LINKED)
    told = tamper(workspace, bad, column, value)
    settled: dict[int, PostState] = {}
    for _ in range(2):  # the damaged one lets others go first
        ask_about_latecomers(workspace, tiktok, settled, actor=ACTOR, limit=1)
    assert settled == {good.id: S.PUBLISHED}
    assert told in caplog.text


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), [*EITHER, *PUBLICATION])
def test_videos_are_found_beside_a_damaged_post_of_another_account(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock,
    tiktok: AskedTikTok, caplog: pytest.LogCaptureFixture, column: str, value: str,
) -> None:  # fmt: skip
    public = {"state": S.PUBLISHED_NO_LINK, "privacy_level": "PUBLIC_TO_EVERYONE"}
    posts = [make_post(one, caption="Lake", **public) for one in (account, other)]
    for post in posts:
        make_publication(workspace, post)
        change_account(workspace, post.account_id, scopes="video.list")
    tiktok.videos[other.id] = [video(POST_ID, "Lake", clock())]
    told = tamper(workspace, posts[0], column, value)
    settled: dict[int, PostState] = {}
    ids = [post.id for post in posts]
    find_missing_videos(workspace, tiktok, ids, settled, actor=ACTOR, expected_for=HOUR)
    assert settled == {posts[1].id: S.PUBLISHED}
    assert told in caplog.text or column == "posts.kind"  # then it is no video


@ON_BOTH_DATABASES
def test_no_video_is_linked_while_a_post_that_it_could_be_cannot_be_read(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock,
    tiktok: AskedTikTok, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    public = {"state": S.PUBLISHED_NO_LINK, "privacy_level": "PUBLIC_TO_EVERYONE"}
    posts = [make_post(account, caption="Lake", **public) for _ in range(2)]
    for post in posts:
        make_publication(workspace, post)
    change_account(workspace, account.id, scopes="video.list")
    tiktok.videos[account.id] = [video(POST_ID, "Lake", clock())]
    tamper(workspace, posts[0], "posts.mode", "zz")
    settled: dict[int, PostState] = {}
    find_missing_videos(workspace, tiktok, [posts[1].id], settled, actor=ACTOR, expected_for=HOUR)
    assert settled == {}
    assert f"the videos of acme cannot be listed: post {posts[0].id} cannot be read" in caplog.text


@DAMAGE
def test_finished_posts_are_cleaned_and_announced_beside_a_damaged_one(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost,
    tiktok: AskedTikTok, column: str, value: str,
) -> None:  # fmt: skip
    bad, good = (make_post(one, state=S.PUBLISHED) for one in (account, other))
    for post in (bad, good):
        make_publication(workspace, post)
    tamper(workspace, bad, column, value)
    report = sweep(workspace, tiktok)
    assert good.id in report.cleaned
    assert good.id in [news.post_id for news in report.to_announce]


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), EITHER[:3])
def test_an_account_is_revoked_and_connected_again_beside_its_damaged_post(
    workspace: Workspace, account: Account, make_post: MakePost,
    caplog: pytest.LogCaptureFixture, column: str, value: str,
) -> None:  # fmt: skip
    bad, good = make_post(account), make_post(account)
    told = tamper(workspace, bad, column, value)
    assert mark_revoked(workspace, account.id, why="it left", actor=ACTOR) == [good.id]
    assert told in caplog.text
    with workspace.ledger.write() as session:
        held = text("UPDATE posts SET state = 'HELD', reason_code = 'account_revoked'")
        session.execute(held)
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        assert release_reconnected(session, account.id, now=now, actor=ACTOR) == [good.id]
    assert read_post(workspace, good.id).state is S.READY


@ON_BOTH_DATABASES
@pytest.mark.parametrize(("column", "value"), [*EITHER, *PUBLICATION])
def test_a_webhook_about_a_damaged_post_waits_until_it_is_mended(
    workspace: Workspace, account: Account, other: Account, make_post: MakePost, clock: Clock,
    tiktok: AskedTikTok, column: str, value: str,
) -> None:  # fmt: skip
    bad, good = (make_post(one, state=S.PROCESSING) for one in (account, other))
    for post in (bad, good):
        publish_id = make_publication(workspace, post).publish_id
        event: dict[str, Any] = {
            "digest": f"of {post.id}",
            "event": "post.publish.complete",
            "open_id": post.account.open_id,
            "happened_at": clock(),
            "received_at": clock(),
        }
        with workspace.ledger.write() as session:
            session.add(WebhookEvent(publish_id=publish_id, **event))
    tamper(workspace, bad, column, value)
    sweep(workspace, tiktok)
    assert read_post(workspace, good.id).state is S.PUBLISHED_NO_LINK
    with workspace.ledger.read() as session:
        (waiting_event,) = session.scalars(
            select(WebhookEvent).where(WebhookEvent.applied_at.is_(None))
        )
        assert waiting_event.digest == f"of {bad.id}"


def test_a_webhook_whose_own_row_is_damaged_stops_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock,
    tiktok: AskedTikTok, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    post = make_post(account, state=S.PROCESSING)
    publication = make_publication(workspace, post)
    tiktok.told(publication, LINKED)
    with workspace.ledger.write() as session:
        session.add(
            WebhookEvent(
                digest="1", event="post.publish.complete", open_id=account.open_id,
                publish_id=publication.publish_id, happened_at=clock(), received_at=clock(),
            )
        )  # fmt: skip
        session.flush()
        session.execute(text("UPDATE webhook_events SET happened_at = 'zz'"))
    assert sweep(workspace, tiktok).settled == {post.id: S.PUBLISHED}
    assert "the ledger holds 'zz' where a time belongs" in caplog.text
