"""How a stage begins: it asks the ledger first, whoever cleared it and whenever."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import (
    MediaRejectedError,
    MediaToolError,
    MediaUnreadableError,
    PostNotTakeableError,
    SourceChangedError,
)
from reelflow.ledger import audit
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.stage import begin, open_video, postpone
from reelflow.services.workspace import Workspace
from reelflow.storage.folders import Kept
from tests.data_folder import data_folder
from tests.factories import Clock, change_post, read_post

MakePost = Callable[..., Post]
LEFT_ALONE = {"HELD", "CANCELLED", "MISSED", "FAILED", "UNKNOWN"}


@pytest.mark.parametrize("state", PostState)
def test_a_stage_works_on_what_a_run_may_touch_and_says_why_it_leaves_the_rest(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state, fix="do this")
    if state is PostState.REJECTED:
        with pytest.raises(MediaRejectedError, match=r"\(clip\.mp4\) is rejected: .*do this"):
            begin(workspace, post.id, run_id="run")
    elif state in LEFT_ALONE:
        with pytest.raises(PostNotTakeableError, match=f"is {state}: made by a test. do this"):
            begin(workspace, post.id, run_id="run")
    else:
        assert begin(workspace, post.id, run_id="run").id == post.id


@pytest.mark.parametrize("state", PostState)
def test_ahead_of_time_only_what_waits_is_worked_on_and_nothing_is_claimed(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    post = make_post(account, state=state, fix="do this", due_at=clock() + timedelta(days=7))
    if state is PostState.REJECTED:
        with pytest.raises(MediaRejectedError, match=r"\(clip\.mp4\) is rejected: .*do this"):
            begin(workspace, post.id, run_id=None)
    elif state in (PostState.READY, PostState.HELD):
        assert begin(workspace, post.id, run_id=None).id == post.id
    else:
        with pytest.raises(PostNotTakeableError, match=f"is {state}: made by a test. do this"):
            begin(workspace, post.id, run_id=None)
    assert read_post(workspace, post.id).claimed_by is None


def test_ahead_of_time_what_a_run_publishes_or_is_about_to_is_left_to_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    later = clock() + timedelta(minutes=5)
    with pytest.raises(PostNotTakeableError, match="is due: the run that publishes it"):
        begin(workspace, make_post(account, due_at=clock()).id, run_id=None)
    claimed = make_post(account, due_at=later, claimed_by="run-7", claimed_until=later)
    with pytest.raises(PostNotTakeableError, match="is prepared by the run run-7"):
        begin(workspace, claimed.id, run_id=None)
    lapsed = make_post(account, due_at=later, claimed_by="run-7", claimed_until=clock())
    assert begin(workspace, lapsed.id, run_id=None).id == lapsed.id
    # What is held is published by nobody.
    held = make_post(account, state=PostState.HELD, claimed_by="run-7", claimed_until=later)
    assert begin(workspace, held.id, run_id=None).id == held.id


@pytest.mark.parametrize("state", [PostState.READY, PostState.HELD])
def test_ahead_of_time_a_file_in_the_inbox_is_left_to_the_run_that_takes_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    post = make_post(account, state=state, due_at=clock() + timedelta(days=7))
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).moved_at = None
    with pytest.raises(PostNotTakeableError, match="is still in the inbox"):
        begin(workspace, post.id, run_id=None)


@pytest.mark.parametrize("state", [PostState.REJECTED, PostState.FAILED])
def test_a_reason_that_is_a_sentence_gets_no_second_full_stop(
    workspace: Workspace, account: Account, make_post: MakePost, state: PostState
) -> None:
    post = make_post(account, state=state, reason="It is too short.", fix="do this")
    with pytest.raises(
        (MediaRejectedError, PostNotTakeableError), match=r": It is too short\. do this$"
    ):
        begin(workspace, post.id, run_id="run")


def test_each_stage_renews_its_runs_claim_and_no_other_runs(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    begin(workspace, post.id, run_id="run")
    clock.advance(timedelta(minutes=10))
    begin(workspace, post.id, run_id="run")
    begin(workspace, post.id, run_id="other")
    claimed = read_post(workspace, post.id)
    assert (claimed.claimed_by, claimed.claimed_until) == ("run", clock() + timedelta(minutes=15))


@pytest.mark.parametrize(("after_s", "left_s"), [(90, 810), (91, 900)])
def test_a_claim_of_which_nine_tenths_are_left_is_not_renewed(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
    after_s: float,
    left_s: float,
) -> None:
    post = make_post(account)
    begin(workspace, post.id, run_id="run")
    clock.advance(timedelta(seconds=after_s))
    begun = begin(workspace, post.id, run_id="run")
    assert begun.claimed_until == clock() + timedelta(seconds=left_s)


def test_a_post_that_was_given_free_is_claimed_by_the_next_stage(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account)
    for claimed_by, until in (("other", clock()), (None, None), ("run", None)):
        change_post(workspace, post.id, claimed_by=claimed_by, claimed_until=until)
        begun = begin(workspace, post.id, run_id="run")
        assert (begun.claimed_by, begun.claimed_until) == ("run", clock() + timedelta(minutes=15))


def test_a_post_whose_file_still_lies_in_the_inbox_is_left_to_a_later_run(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).moved_at = None
    with pytest.raises(PostNotTakeableError, match="is still in the inbox: a later run takes it"):
        begin(workspace, post.id, run_id="run")


def read_video(workspace: Workspace, post: Post) -> bytes:
    with open_video(workspace, post) as source:
        return source.read_at(0, source.size_bytes)


def test_a_source_that_another_stage_moved_is_found_by_asking_again(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    before = make_post(account, content=b"video")
    media = before.media
    kept = workspace.folders.set_aside(
        Kept(media.source_path, media.source_identity),
        account="acme",
        post_id=before.id,
        reason={},
    )
    with pytest.raises(MediaUnreadableError, match=r"\(clip\.mp4\) is gone"):
        read_video(workspace, before)
    with workspace.ledger.write() as session:
        session.get_one(Media, before.media_id).source_path = kept.key
    assert read_video(workspace, before) == b"video"


def test_a_source_that_grew_or_was_touched_is_another_file(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    path = data_folder(workspace).path(post.media.source_path)
    read_video(workspace, post)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(
        SourceChangedError, match=r"clip\.mp4 changed .*, of the same size; put it into the"
    ):
        read_video(workspace, post)
    size_bytes = post.media.size_bytes
    path.write_bytes(b"x")
    with pytest.raises(
        SourceChangedError, match=f": it had {size_bytes} bytes and has 1; put it into the"
    ):
        read_video(workspace, post)


def test_a_source_that_is_written_to_while_it_is_read_gives_no_more_bytes(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, content=b"video")
    with open_video(workspace, post) as source:
        data_folder(workspace).path(post.media.source_path).write_bytes(b"other bytes")
        with pytest.raises(SourceChangedError, match="was replaced or written to"):
            source.read_at(0, 1)


def test_a_validated_source_that_gets_other_rights_is_read_on(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, content=b"video")
    path = data_folder(workspace).path(post.media.source_path)
    with open_video(workspace, post) as source:
        before_ns = path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == before_ns:
            path.chmod(0o640)
        assert source.read_at(0, 5) == b"video"


def test_a_stage_that_cannot_work_keeps_the_post_for_later_and_says_why(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, rescheduled_because="an earlier failure of another kind")
    missing = MediaToolError("ffmpeg is not installed: install it", code="ffmpeg_missing")

    postpone(workspace, post.id, missing, actor="run")

    kept = read_post(workspace, post.id)
    assert (kept.state, kept.reason_code) == (PostState.READY, "ffmpeg_missing")
    assert kept.reason == str(missing)
    assert kept.rescheduled_because is None, "a person must look, so the run fails"
    assert kept.due_at == clock() + workspace.rules.unreachable_retry
    with workspace.ledger.read() as session:
        assert audit.story(session, post.id)[-1].why.endswith(str(missing))


def test_a_post_with_a_time_for_its_next_try_keeps_it(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    later = clock() + timedelta(minutes=1)
    post = make_post(account, due_at=later)
    postpone(workspace, post.id, MediaToolError("no room"), actor="run")
    assert read_post(workspace, post.id).due_at == later
