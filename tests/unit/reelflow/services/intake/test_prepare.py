"""Preparing a post on real files: judged once, never posted twice, quarantined with reasons."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import (
    MediaRejectedError,
    MediaToolError,
    MediaUnreadableError,
    PostNotTakeableError,
)
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Account, Post
from reelflow.services.cleanup import clean_up_files
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.duplicates import give_key
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.intake.rejection import reject
from reelflow.services.settling.sweep import expire_sessions
from reelflow.services.steering import commands
from reelflow.services.steering.covers import choose_cover
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Kept
from tests import factories, media_files
from tests.data_folder import data_folder
from tests.database_faults import before_statement
from tests.factories import ACTOR, Clock, read_post
from tests.first_files import allow_no_process, break_libav
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
Drop = Callable[..., Path]
RUN = "run"


def check(workspace: Workspace, post_id: int, run_id: str | None = RUN) -> str:
    return validate(workspace, post_id, run_id=run_id, actor=ACTOR)


def thumbnail(workspace: Workspace, post_id: int) -> str:
    return generate_thumbnail(workspace, post_id, run_id=RUN, actor=ACTOR)


def register(workspace: Workspace, run_id: str = RUN) -> list[int]:
    run = NormalRun(run_id, workspace.ledger.now(), timedelta(days=1))
    return [entry.post_id for entry in find_new_uploads(workspace, run, actor=ACTOR)]


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def fresh(account: Account, make_post: MakePost) -> Post:
    """A post of a real clip that no stage has looked at yet."""
    return make_post(account, content=media_files.h264_mp4(), validated=False)


def test_a_good_file_is_measured_hashed_and_keyed_once(workspace: Workspace, fresh: Post) -> None:
    assert check(workspace, fresh.id) == digest(media_files.h264_mp4())
    post = read_post(workspace, fresh.id)
    assert post.sha256 == post.media.sha256 == digest(media_files.h264_mp4())
    assert post.media.facts is not None
    assert post.media.facts["video_codec"] == "h264"
    workspace.folders.delete_source(post.media.source_path)
    assert check(workspace, fresh.id) == post.sha256  # a cleared task finds its work done


def test_a_post_whose_bytes_were_known_before_anybody_looked_at_them_is_judged(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    """As one that was held when it was registered, and released."""
    post = make_post(account, content=b"no video", validated=False, keyed=True)
    assert post.sha256 is not None
    with pytest.raises(MediaRejectedError, match="type: text content"):
        check(workspace, post.id)


def test_a_file_whose_hash_is_known_is_not_hashed_again(workspace: Workspace, fresh: Post) -> None:
    with workspace.ledger.write() as session:
        posts.get(session, fresh.id).media.sha256 = "a" * 64
    assert check(workspace, fresh.id) == "a" * 64


def test_a_cover_behind_the_end_is_told_instead_of_showing_the_first_frame(
    workspace: Workspace, fresh: Post
) -> None:
    with workspace.ledger.write() as session:
        posts.get(session, fresh.id).cover_timestamp_ms = 60_000
    with pytest.raises(MediaRejectedError, match="cover: 60000 ms"):
        check(workspace, fresh.id)
    choose_cover(workspace, fresh.id, actor=ACTOR, at_ms=0)
    commands.retry(workspace, fresh.id, actor=ACTOR)
    check(workspace, fresh.id)
    assert read_post(workspace, fresh.id).state is PostState.READY


def test_a_draft_is_not_rejected_for_a_cover_that_tiktok_is_not_told(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    clip, wish = media_files.h264_mp4(), {"mode": PostMode.DRAFT, "cover_timestamp_ms": 60_000}
    draft = make_post(account, content=clip, validated=False, **wish)
    check(workspace, draft.id)
    generate_thumbnail(workspace, draft.id, run_id=RUN, actor=ACTOR)
    assert read_post(workspace, draft.id).state is PostState.READY


def test_metadata_and_thumbnail_are_made_once_and_found_again(
    workspace: Workspace, fresh: Post
) -> None:
    check(workspace, fresh.id)
    measured = extract_metadata(workspace, fresh.id, run_id=RUN)
    assert (measured["display_width"], measured["display_height"]) == (640, 360)
    assert measured["duration_s"] == pytest.approx(1.5, abs=0.1)
    relative = generate_thumbnail(workspace, fresh.id, run_id=RUN, actor=ACTOR)
    picture = data_folder(workspace).path(relative)
    assert picture.read_bytes()[:3] == b"\xff\xd8\xff"
    post = read_post(workspace, fresh.id)
    assert post.media.thumbnail_path == relative
    assert post.media.display_width == 640
    made = picture.stat().st_mtime_ns
    workspace.folders.delete_source(post.media.source_path)
    assert generate_thumbnail(workspace, fresh.id, run_id=RUN, actor=ACTOR) == relative
    assert extract_metadata(workspace, fresh.id, run_id=RUN) == measured
    assert picture.stat().st_mtime_ns == made


def test_a_thumbnail_that_was_lost_is_made_again(workspace: Workspace, fresh: Post) -> None:
    check(workspace, fresh.id)
    picture = data_folder(workspace).path(thumbnail(workspace, fresh.id))
    picture.unlink()
    thumbnail(workspace, fresh.id)
    assert picture.is_file()


def test_a_bad_file_is_rejected_with_every_reason_and_set_aside(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, content=b"just text", file_name="fake.mp4", validated=False)
    with pytest.raises(
        MediaRejectedError, match=r"fake\.mp4 is rejected\.\n.*\nTo fix: "
    ) as refused:
        check(workspace, post.id)
    rejected = read_post(workspace, post.id)
    assert rejected.state is PostState.REJECTED
    assert rejected.media.violations == refused.value.violations
    assert rejected.reason_code == refused.value.violations[0]["rule"]
    assert rejected.fix
    reason = json.loads(
        (data_folder(workspace).quarantine / "acme" / f"{post.id}.reason.json").read_text()
    )
    assert reason["violations"] == refused.value.violations
    assert reason["release"] == f"reelflow posts retry {post.id}"
    same = r"\(fake\.mp4\) is rejected\.\n.*\nTo fix: "
    with pytest.raises(MediaRejectedError, match=same):  # of a cleared task
        check(workspace, post.id)


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "empty"])
def test_what_is_no_plain_file_is_rejected_and_not_followed(
    workspace: Workspace, account: Account, kind: str
) -> None:
    path = data_folder(workspace).inbox / "acme" / "clip.mp4"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "empty":
        path.touch()
    else:
        path.symlink_to(media_files.h264_mp4() if kind == "link" else "nowhere")
    (post_id,) = register(workspace)
    with pytest.raises(MediaRejectedError):
        check(workspace, post_id)
    post = read_post(workspace, post_id)
    assert post.state is PostState.REJECTED
    aside = data_folder(workspace).path(post.media.source_path)
    assert aside.parent == data_folder(workspace).quarantine / "acme"
    assert aside.is_symlink() == ("link" in kind)
    assert media_files.h264_mp4().is_file()


def test_a_file_that_changed_after_it_was_taken_is_rejected(
    workspace: Workspace, fresh: Post
) -> None:
    with data_folder(workspace).path(fresh.media.source_path).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(MediaRejectedError, match="changed after it was taken from the inbox"):
        check(workspace, fresh.id)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_is_lost_once_it_was_validated_is_not_tried_for_ever(
    workspace: Workspace, fresh: Post, is_gone: bool
) -> None:
    check(workspace, fresh.id)
    source = data_folder(workspace).path(fresh.media.source_path)
    source.unlink()
    if not is_gone:
        source.write_bytes(b"another")
    with pytest.raises(MediaRejectedError, match="put the file into the inbox again"):
        generate_thumbnail(workspace, fresh.id, run_id=RUN, actor=ACTOR)
    rejected = read_post(workspace, fresh.id)
    assert rejected.state is PostState.REJECTED
    assert rejected.fix == "put the file into the inbox again"


def test_a_post_that_is_being_sent_is_not_rejected_for_a_lost_file(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.COMMITTING)
    workspace.folders.delete_source(post.media.source_path)
    with pytest.raises(MediaUnreadableError, match="put the file into the inbox again"):
        thumbnail(workspace, post.id)
    assert read_post(workspace, post.id).state is PostState.COMMITTING


def test_a_held_post_whose_file_is_lost_is_told_of_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    content = media_files.h264_mp4()
    held = make_post(account, content=content, validated=False, state=PostState.HELD)
    check(workspace, held.id, None)
    data_folder(workspace).path(held.media.source_path).unlink()
    with pytest.raises(MediaRejectedError, match="stays held, and its release would reject it"):
        generate_thumbnail(workspace, held.id, run_id=None, actor=ACTOR)
    told = read_post(workspace, held.id)
    assert told.state is PostState.HELD
    assert [violation["rule"] for violation in told.media.violations or ()] == ["media_unreadable"]


def test_a_source_that_is_gone_is_named_and_its_post_rejected(
    workspace: Workspace, fresh: Post
) -> None:
    workspace.folders.delete_source(fresh.media.source_path)
    with pytest.raises(MediaRejectedError) as refused:
        check(workspace, fresh.id)
    assert str(refused.value).splitlines() == [
        f"{fresh.media.file_name} is rejected.",
        f"media_unreadable: the source of post {fresh.id} ({fresh.media.file_name}) is gone from"
        f" {fresh.media.source_path} (allowed: a plain file that nobody writes to any more)",
        "To fix: put the file into the inbox again",
    ]
    rejected = read_post(workspace, fresh.id)
    place = str(data_folder(workspace).root)  # which is nothing for users who ask about their post
    assert place not in f"{rejected.reason} {rejected.fix} {rejected.media.violations}"
    assert (rejected.state, rejected.media.source_path) == (
        PostState.REJECTED,
        fresh.media.source_path,  # it is not in the quarantine
    )
    with pytest.raises(MediaUnreadableError, match="is gone: put it into the inbox again"):
        commands.retry(workspace, fresh.id, actor=ACTOR)


def test_where_no_process_can_be_started_the_post_is_kept(
    workspace: Workspace, fresh: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in (check, thumbnail):
        with monkeypatch.context() as bare:
            allow_no_process(bare)
            with pytest.raises(MediaToolError, match="no process could be started"):
                stage(workspace, fresh.id)
        assert read_post(workspace, fresh.id).state is PostState.READY
        assert stage(workspace, fresh.id)


def test_a_published_post_whose_file_was_cleaned_up_needs_no_thumbnail(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=PostState.PUBLISHED)
    assert clean_up_files(workspace, post.id)
    assert thumbnail(workspace, post.id) == ""


def test_bytes_that_become_another_post_while_they_are_written_down_are_a_duplicate(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    """PostgreSQL alone lets somebody else write between our look and our write."""
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account, clip = factories.make_account(workspace), media_files.h264_mp4()
    post = factories.make_post(workspace, account, content=clip, validated=False)

    def post_the_same() -> None:
        factories.make_post(workspace, account, content=clip)

    with (
        before_statement(workspace, "UPDATE posts SET sha256", post_the_same),
        pytest.raises(PostNotTakeableError, match="has the same bytes as post"),
    ):
        check(workspace, post.id)
    assert read_post(workspace, post.id).state is PostState.CANCELLED


@pytest.mark.parametrize(
    "loaded", ["raise ImportError('no libavcodec')", "import os; os.abort()"], ids=str
)
def test_without_libav_a_video_is_posted_without_a_thumbnail(
    loaded: str,
    workspace: Workspace,
    fresh: Post,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    break_libav(monkeypatch, tmp_path, loading=loaded)
    check(workspace, fresh.id)
    assert extract_metadata(workspace, fresh.id, run_id=RUN)["container"] == "mp4"
    assert generate_thumbnail(workspace, fresh.id, run_id=RUN, actor=ACTOR) == ""
    post = read_post(workspace, fresh.id)
    assert (post.state, post.media.thumbnail_path) == (PostState.READY, None)
    assert "goes without a thumbnail" in caplog.messages[-1]


def test_a_post_that_another_run_rejected_keeps_its_first_reasons(
    workspace: Workspace, fresh: Post
) -> None:
    first = {"rule": "duration", "value": "0.5 s", "limit": "3 s", "fix": "longer"}
    reject(workspace, fresh.id, [first], actor=ACTOR)
    reject(workspace, fresh.id, [{**first, "rule": "size"}], actor="the other run")
    post = read_post(workspace, fresh.id)
    assert (post.reason_code, post.media.violations) == ("duration", [first])


def test_a_crash_between_rejecting_and_setting_aside_is_finished_by_the_sweep(
    workspace: Workspace, fresh: Post
) -> None:
    reject(
        workspace,
        fresh.id,
        [{"rule": "duration", "value": "0.5 s", "limit": "3 s", "fix": "longer"}],
        actor=ACTOR,
    )
    media = read_post(workspace, fresh.id).media
    aside = media.source_path
    back = workspace.folders.bring_back(Kept(aside, media.source_identity), fresh.media.source_path)
    with workspace.ledger.write() as session:
        post = session.get_one(Post, fresh.id)
        post.media.source_path, post.source_settled_at = back.key, None

    def ask(*_: str) -> Any:
        pytest.fail("nothing is settled here")

    expire_sessions(workspace, ask, actor=ACTOR, longest_put_s=60)
    assert read_post(workspace, fresh.id).media.source_path == aside
    assert data_folder(workspace).path(aside).is_file()


# The same bytes again


def drop_clip(drop: Drop, account: Account, name: str, **sidecar: Any) -> None:
    drop(account, name, media_files.h264_mp4(), sidecar=sidecar or None)


def test_the_same_bytes_again_are_cancelled_as_a_duplicate(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    drop_clip(drop, account, "a.mp4")
    drop_clip(drop, account, "b.mp4")
    first, second = register(workspace)
    check(workspace, first)
    with pytest.raises(PostNotTakeableError, match=f"the same bytes as post {first}"):
        check(workspace, second)
    post = read_post(workspace, second)
    assert (post.state, post.reason_code) == (PostState.CANCELLED, "duplicate")
    assert post.reason == f"duplicate of post {first}"
    assert '"repost": true' in str(post.fix)


def test_other_accounts_may_post_the_same_bytes(
    workspace: Workspace, make_account: Callable[..., Account], drop: Drop
) -> None:
    for name in ("a", "b"):
        drop_clip(drop, make_account(name), "clip.mp4")
    assert len({check(workspace, post_id) for post_id in register(workspace)}) == 1


def test_a_repost_that_was_asked_for_gets_a_slot_of_its_own(
    workspace: Workspace, account: Account, drop: Drop
) -> None:
    drop_clip(drop, account, "a.mp4")
    drop_clip(drop, account, "b.mp4", repost=True)
    drop_clip(drop, account, "c.mp4", repost=True)
    ids = register(workspace)
    for post_id in ids:
        check(workspace, post_id)
    assert [read_post(workspace, post_id).slot for post_id in ids] == [0, 1, 2]


def test_bytes_that_failed_before_may_be_posted_again(
    workspace: Workspace, account: Account, make_post: MakePost, drop: Drop
) -> None:
    failed = make_post(account, content=media_files.h264_mp4(), state=PostState.FAILED)
    drop_clip(drop, account, "again.mp4")
    (post_id,) = register(workspace)
    check(workspace, post_id)
    assert read_post(workspace, failed.id).state is PostState.FAILED


WISHES: dict[str, Any] = {
    "caption": "now with privacy",
    "privacy_level": "SELF_ONLY",
    "disable_duet": True,
    "cover_timestamp_ms": 700,
}


def test_a_post_held_for_privacy_takes_over_the_newcomers_fields_and_goes(
    workspace: Workspace, make_account: Callable[..., Account], drop: Drop, clock: Clock
) -> None:
    account = make_account(inbox_privacy_level=None)
    drop_clip(drop, account, "a.mp4", caption="without")
    register(workspace, "first")
    clock.advance(timedelta(hours=2))
    drop_clip(drop, account, "b.mp4", **WISHES)
    (newcomer,) = register(workspace, "second")
    with pytest.raises(PostNotTakeableError):
        check(workspace, newcomer)
    held = read_post(workspace, 1)
    assert held.state is PostState.READY
    assert {name: getattr(held, name) for name in WISHES} == WISHES
    assert held.due_at == read_post(workspace, newcomer).due_at
    assert read_post(workspace, newcomer).state is PostState.CANCELLED
    check(workspace, held.id, "third")


def test_a_held_post_stays_held_for_privacy_when_its_bytes_come_again_without(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    clip = media_files.h264_mp4()
    held = {"state": PostState.HELD, "reason_code": "no_privacy", "privacy_level": None}
    first = make_post(account, content=clip, **held)
    newcomer = make_post(account, content=clip, validated=False, **held)
    with pytest.raises(PostNotTakeableError):
        check(workspace, newcomer.id, run_id=None)
    assert read_post(workspace, newcomer.id).state is PostState.CANCELLED
    assert read_post(workspace, first.id).state is PostState.HELD


def test_a_cover_is_made_again_when_another_moment_is_wished_for(
    workspace: Workspace, make_account: Callable[..., Account], drop: Drop, clock: Clock
) -> None:
    account = make_account(inbox_privacy_level=None)
    drop_clip(drop, account, "a.mp4")
    register(workspace, "first")
    check(workspace, 1, None)
    path = generate_thumbnail(workspace, 1, run_id=None, actor=ACTOR)
    before = data_folder(workspace).path(path).read_bytes()
    clock.advance(timedelta(hours=2))
    drop_clip(drop, account, "b.mp4", **WISHES)
    (newcomer,) = register(workspace, "second")
    with pytest.raises(PostNotTakeableError):
        check(workspace, newcomer)
    assert generate_thumbnail(workspace, 1, run_id="third", actor=ACTOR) == path
    assert data_folder(workspace).path(path).read_bytes() != before


def test_a_post_held_for_another_reason_takes_the_fields_over_and_stays_held(
    workspace: Workspace, account: Account, make_post: MakePost, drop: Drop
) -> None:
    held = make_post(
        account,
        content=media_files.h264_mp4(),
        state=PostState.HELD,
        reason_code="access_token_invalid",
    )
    make_publication(workspace, held)
    drop_clip(drop, account, "b.mp4", **WISHES)
    (newcomer,) = register(workspace)
    with pytest.raises(PostNotTakeableError):
        check(workspace, newcomer)
    now = read_post(workspace, held.id)
    assert (now.state, now.caption) == (PostState.HELD, "now with privacy")
    with workspace.ledger.read() as session:
        assert f"came again as post {newcomer}" in audit.story(session, held.id)[-1].why
        # It was opened with the old fields, and going on with it would publish by those.
        (opened,) = publications.of_post(session, held.id)
    assert opened.state is PublicationState.SUPERSEDED


def test_a_held_post_that_is_released_meanwhile_takes_nothing_over(
    tmp_path: Path, clock: Clock, postgresql_url: str
) -> None:
    workspace = factories.open_workspace(tmp_path, clock, database_url=postgresql_url)
    account = factories.make_account(workspace)
    held = factories.make_post(workspace, account, content=b"same", state=PostState.HELD)
    newcomer = factories.make_post(workspace, account, content=b"same", keyed=False, caption="new")

    def release() -> None:
        commands.release(workspace, held.id, actor="person")

    with workspace.ledger.write() as session:
        post = posts.get(session, newcomer.id, lock=True)
        with before_statement(workspace, "FOR UPDATE", release):  # the twin was found by then
            give_key(session, post, str(held.sha256), now=clock(), actor=ACTOR)
    assert read_post(workspace, held.id).caption == ""
    assert read_post(workspace, newcomer.id).state is PostState.CANCELLED


def test_a_held_draft_is_complete_without_privacy(
    workspace: Workspace, make_account: Callable[..., Account], drop: Drop
) -> None:
    account = make_account(inbox_privacy_level=None)
    drop_clip(drop, account, "a.mp4")
    register(workspace, "first")
    drop_clip(drop, account, "b.mp4", mode="draft")
    (newcomer,) = register(workspace, "second")
    with pytest.raises(PostNotTakeableError):
        check(workspace, newcomer)
    held = read_post(workspace, 1)
    assert (held.state, held.mode) == (PostState.READY, PostMode.DRAFT)


def test_a_released_post_whose_bytes_went_out_meanwhile_is_cancelled(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    clip = media_files.h264_mp4()
    make_post(account, content=clip, state=PostState.PUBLISHED)
    held = make_post(account, content=clip, state=PostState.HELD, validated=False)
    commands.release(workspace, held.id, actor="person")
    with pytest.raises(PostNotTakeableError):
        check(workspace, held.id)
    assert read_post(workspace, held.id).state is PostState.CANCELLED


def test_a_video_over_the_houses_size_is_rejected(workspace: Workspace, fresh: Post) -> None:
    house = replace(workspace.rules.house, max_size_bytes=1000)
    strict = replace(workspace, rules=replace(workspace.rules, house=house))
    with pytest.raises(MediaRejectedError, match=r"size: .* \(allowed: at most 0.0 MiB"):
        check(strict, fresh.id)
    assert read_post(workspace, fresh.id).state is PostState.REJECTED
