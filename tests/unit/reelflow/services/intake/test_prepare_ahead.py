"""Preparing ahead of time: judged before it is due, and never in the way of who publishes it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import MediaRejectedError, PostNotTakeableError
from reelflow.ledger import audit, claims
from reelflow.ledger.models import Account, Post
from reelflow.media import decoder
from reelflow.media.thumbnail import make_thumbnail
from reelflow.services.intake.ahead import find_unprepared_media, waiting_media
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.steering import commands
from reelflow.services.steering.covers import choose_cover
from reelflow.services.workspace import Workspace
from reelflow.source import open_file
from tests import media_files
from tests.contract.ledger.racing import race
from tests.data_folder import data_folder
from tests.database_faults import before_statement
from tests.factories import ACTOR, Clock, change_post, read_post
from tests.first_files import break_libav
from tests.photo_files import image, make_photo_post, media_of
from tests.postgresql import ON_BOTH_DATABASES

MakePost = Callable[..., Post]
WEEK = timedelta(days=7)
RUN = "the run that publishes"
#: A child that has no memory left after the cover.
ONE_COVER = """
from reelflow.media.child import service
from reelflow.media.child.service import FAILURES, VERSION

class Service(service.Service):
    def answer(self, question):
        if question["question"] == "candidates":
            raise service.NoPictureError("reading it takes more memory than allowed")
        return super().answer(question)
"""


def check(workspace: Workspace, post: Post) -> str:
    return validate(workspace, post.id, run_id=None, actor=ACTOR)


def picture(workspace: Workspace, post: Post) -> str:
    return generate_thumbnail(workspace, post.id, run_id=None, actor=ACTOR)


def publish_stages(workspace: Workspace, post: Post) -> str:
    """Do what a publishing run does before it uploads; return the cover's key."""
    validate(workspace, post.id, run_id=RUN, actor=ACTOR)
    extract_metadata(workspace, post.id, run_id=RUN)
    return generate_thumbnail(workspace, post.id, run_id=RUN, actor=ACTOR)


def is_found(workspace: Workspace, post: Post) -> bool:
    return f"post:{post.id}" in waiting_media(workspace)


def story(workspace: Workspace, post: Post) -> list[str]:
    with workspace.ledger.read() as session:
        return [entry.why for entry in audit.story(session, post.id)]


@pytest.fixture
def future(account: Account, make_post: MakePost, clock: Clock) -> Post:
    """A good video of next week."""
    content = media_files.h264_mp4()
    return make_post(account, content=content, validated=False, due_at=clock() + WEEK)


@pytest.fixture
def held(account: Account, make_post: MakePost) -> Post:
    """A good video that a person has to release."""
    content = media_files.h264_mp4()
    return make_post(account, content=content, validated=False, state=PostState.HELD)


def bad(make_post: MakePost, account: Account, **fields: object) -> Post:
    return make_post(account, content=b"text", file_name="fake.mp4", validated=False, **fields)


@pytest.mark.parametrize("which", ["future", "held"])
def test_what_is_prepared_waits_as_before_and_a_publishing_run_finds_it_done(
    workspace: Workspace, which: str, request: pytest.FixtureRequest, clock: Clock
) -> None:
    post: Post = request.getfixturevalue(which)
    check(workspace, post)
    extract_metadata(workspace, post.id, run_id=None)
    cover = picture(workspace, post)
    after = read_post(workspace, post.id)
    assert (after.state, after.due_at, after.claimed_by) == (post.state, post.due_at, None)
    assert after.sha256 == after.media.sha256
    assert after.media.display_width == 640
    assert not is_found(workspace, post)
    workspace.folders.delete_source(post.media.source_path)  # so nothing of it is read again
    if post.state is PostState.HELD:
        commands.release(workspace, post.id, actor="mia")
    clock.set(post.due_at)
    assert publish_stages(workspace, post) == cover


def test_a_bad_file_of_next_week_is_rejected_now(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = bad(make_post, account, due_at=clock() + WEEK)
    with pytest.raises(MediaRejectedError, match=r"fake\.mp4 is rejected\.\n.*\nTo fix: "):
        check(workspace, post)
    after = read_post(workspace, post.id)
    assert after.state is PostState.REJECTED
    assert after.media.source_path.startswith("quarantine/")
    with pytest.raises(MediaRejectedError):
        check(workspace, post)  # a cleared task says the same again


def test_a_bad_file_of_a_held_post_is_told_and_rejected_once_it_is_released(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = bad(make_post, account, state=PostState.HELD)
    for _ in range(2):  # a cleared task says the same again
        with pytest.raises(
            MediaRejectedError, match=r"fake\.mp4 stays held, and its release would reject it\.\n"
        ) as refused:
            check(workspace, post)
    after = read_post(workspace, post.id)
    assert (after.state, after.media.source_path) == (PostState.HELD, post.media.source_path)
    assert after.media.violations == refused.value.violations
    assert after.media.facts is not None
    told = [why for why in story(workspace, post) if why.startswith("its release would reject it")]
    assert len(told) == 1
    assert not is_found(workspace, post)
    commands.release(workspace, post.id, actor="mia")
    with pytest.raises(MediaRejectedError, match="is rejected"):
        validate(workspace, post.id, run_id=RUN, actor=ACTOR)
    assert read_post(workspace, post.id).state is PostState.REJECTED


def test_a_held_post_whose_file_is_gone_is_told_once(workspace: Workspace, held: Post) -> None:
    workspace.folders.delete_source(held.media.source_path)
    with pytest.raises(MediaRejectedError, match="put the file into the inbox again"):
        check(workspace, held)
    assert read_post(workspace, held.id).state is PostState.HELD
    assert not is_found(workspace, held)


def test_a_publishing_run_leaves_a_post_alone_that_was_held_while_it_was_judged(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = bad(make_post, account)

    def hold() -> None:
        change_post(workspace, post.id, state=PostState.HELD)

    with (
        before_statement(workspace, "BEGIN", hold, nth=3),
        pytest.raises(PostNotTakeableError, match="is HELD"),
    ):
        validate(workspace, post.id, run_id=RUN, actor=ACTOR)
    assert read_post(workspace, post.id).media.violations is None


def test_a_post_that_is_released_while_it_is_judged_is_rejected(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = bad(make_post, account, state=PostState.HELD)

    def release() -> None:
        commands.release(workspace, post.id, actor="mia")

    with (
        before_statement(workspace, "BEGIN", release, nth=2),
        pytest.raises(MediaRejectedError, match="is rejected"),
    ):
        check(workspace, post)
    assert read_post(workspace, post.id).state is PostState.REJECTED


def test_the_same_bytes_as_a_later_post_are_cancelled_at_once(
    workspace: Workspace, future: Post, account: Account, make_post: MakePost, clock: Clock
) -> None:
    content = media_files.h264_mp4()
    twin = make_post(account, content=content, validated=False, due_at=clock() + 2 * WEEK)
    check(workspace, future)
    with pytest.raises(PostNotTakeableError, match=f"the same bytes as post {future.id}"):
        check(workspace, twin)
    assert read_post(workspace, twin.id).state is PostState.CANCELLED


# A publishing run and this at the same time


@ON_BOTH_DATABASES
def test_two_that_validate_at_once_leave_what_one_would(workspace: Workspace, future: Post) -> None:
    def prepare() -> str:
        return check(workspace, future)

    def publish() -> str:
        return validate(workspace, future.id, run_id=RUN, actor=ACTOR)

    first, published, second = race([prepare, publish, prepare])
    after = read_post(workspace, future.id)
    assert published == after.sha256
    # Or the publishing run had claimed it before that began.
    assert {first, second} <= {after.sha256, PostNotTakeableError}
    assert (after.state, after.media.sha256) == (PostState.READY, after.sha256)
    assert after.media.validated_at is not None
    assert story(workspace, future) == ["made by a test"]


def test_two_that_copy_a_photo_at_once_leave_the_copy_that_the_ledger_tells_of(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    post = make_photo_post(
        workspace,
        account,
        images=[image() + b"what may be hidden behind an image"],
        validated=False,
        sha256=None,
        due_at=clock() + WEEK,
    )

    def prepare() -> str:
        return check(workspace, post)

    def publish() -> str:
        return validate(workspace, post.id, run_id=RUN, actor=ACTOR)

    first, published, second = race([prepare, publish, prepare])
    assert published == read_post(workspace, post.id).sha256
    assert {first, second} <= {published, PostNotTakeableError}
    media = read_post(workspace, post.id).media
    info = workspace.folders.store.stat(str(media.prepared_path))
    assert info is not None
    assert info.identity == media.prepared_identity


@ON_BOTH_DATABASES
def test_two_that_reject_at_once_reject_it_once(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = bad(make_post, account, due_at=clock() + WEEK)

    def prepare() -> str:
        return check(workspace, post)

    def publish() -> str:
        return validate(workspace, post.id, run_id=RUN, actor=ACTOR)

    first, published, second = race([prepare, publish, prepare])
    assert published is MediaRejectedError
    assert {first, second} <= {MediaRejectedError, PostNotTakeableError}
    after = read_post(workspace, post.id)
    assert (after.state, after.reason_code) == (PostState.REJECTED, "type")
    assert len(story(workspace, post)) == 2
    assert data_folder(workspace).path(after.media.source_path).read_bytes() == b"text"


def test_publishing_begins_while_it_is_still_prepared(
    workspace: Workspace, future: Post, clock: Clock
) -> None:
    """The file is judged for both; the run goes on, and what is left ahead of time is left."""

    def publish() -> None:
        clock.set(future.due_at)
        publish_stages(workspace, future)
        change_post(workspace, future.id, state=PostState.UPLOADING)

    with before_statement(workspace, "BEGIN", publish, nth=2):
        check(workspace, future)
    after = read_post(workspace, future.id)
    assert (after.state, after.claimed_by) == (PostState.UPLOADING, RUN)
    cover = after.media.thumbnail_path
    for stage in (check, picture):
        with pytest.raises(PostNotTakeableError, match="is UPLOADING"):
            stage(workspace, future)
    assert read_post(workspace, future.id).media.thumbnail_path == cover


def test_a_post_that_a_run_claimed_is_left_to_it(
    workspace: Workspace, future: Post, clock: Clock
) -> None:
    with workspace.ledger.write() as session:
        claims.claim(session, [future.id], run_id=RUN, now=clock(), claim=timedelta(minutes=15))
    for stage in (check, picture):
        with pytest.raises(PostNotTakeableError, match=f"is prepared by the run {RUN}"):
            stage(workspace, future)


def test_a_bad_file_found_after_its_run_began_to_send_it_rejects_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = bad(make_post, account, due_at=clock() + WEEK)

    def publish() -> None:
        change_post(workspace, post.id, state=PostState.UPLOADING)

    with (
        before_statement(workspace, "BEGIN", publish, nth=2),
        pytest.raises(PostNotTakeableError, match="is UPLOADING"),
    ):
        check(workspace, post)
    assert read_post(workspace, post.id).media.violations is None


# Pictures


def test_ahead_of_time_there_are_pictures_to_choose_a_cover_from(
    workspace: Workspace, future: Post
) -> None:
    check(workspace, future)
    cover = picture(workspace, future)
    media = read_post(workspace, future.id).media
    assert media.thumbnail_path == cover
    assert media.candidates is not None
    assert len(media.candidates) == 4
    moments_ms = [one["at_ms"] for one in media.candidates]
    assert moments_ms == sorted(set(moments_ms))
    assert 0 <= moments_ms[0] < moments_ms[-1] <= 1500
    kept = [data_folder(workspace).path(key).read_bytes() for key in
            [cover, *(one["key"] for one in media.candidates)]]  # fmt: skip
    assert {data[:3] for data in kept} == {b"\xff\xd8\xff"}
    assert len(set(kept[1:])) == 4
    workspace.folders.delete_source(media.source_path)
    assert picture(workspace, future) == cover  # a cleared task finds its work done


def test_a_publishing_run_makes_the_cover_alone_and_what_is_left_is_made_ahead_of_time(
    workspace: Workspace, held: Post
) -> None:
    change_post(workspace, held.id, state=PostState.READY)
    cover = publish_stages(workspace, held)
    assert read_post(workspace, held.id).media.candidates is None
    change_post(workspace, held.id, state=PostState.HELD)
    assert picture(workspace, held) == cover
    assert len(read_post(workspace, held.id).media.candidates or []) == 4


@pytest.mark.parametrize("which", ["future", "held"])
def test_a_cover_that_is_chosen_is_made_at_once_and_the_others_stay(
    workspace: Workspace, which: str, request: pytest.FixtureRequest
) -> None:
    post: Post = request.getfixturevalue(which)
    check(workspace, post)
    (found,) = find_unprepared_media(workspace, run_id="the first")
    assert (found.post_id, is_found(workspace, post)) == (post.id, False)
    before = data_folder(workspace).path(picture(workspace, post)).read_bytes()
    to_choose = read_post(workspace, post.id).media.candidates or []
    folder = data_folder(workspace).thumbnails
    kept = {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if "-" in path.name}
    choose_cover(workspace, post.id, actor="mia", at_ms=to_choose[-1]["at_ms"])
    assert is_found(workspace, post)
    made = data_folder(workspace).path(picture(workspace, post)).read_bytes()
    assert made not in (before, b"")
    assert made == data_folder(workspace).path(to_choose[-1]["key"]).read_bytes()
    assert not is_found(workspace, post)
    assert read_post(workspace, post.id).media.candidates == to_choose
    now = {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if "-" in path.name}
    assert now == kept


def test_a_cover_that_is_chosen_while_another_is_made_is_made_at_once(
    workspace: Workspace, future: Post
) -> None:
    check(workspace, future)

    def choose() -> None:
        choose_cover(workspace, future.id, actor="mia", at_ms=1000)

    with before_statement(workspace, "BEGIN", choose, nth=2):
        cover = picture(workspace, future)
    assert read_post(workspace, future.id).media.thumbnail_path == cover
    with open_file(media_files.h264_mp4()) as source:
        wanted = make_thumbnail(source, at_s=1.0)
    assert data_folder(workspace).path(cover).read_bytes() == wanted.jpeg
    assert not is_found(workspace, future)


def test_a_held_photo_post_gets_the_cover_that_the_same_images_wish(
    workspace: Workspace, account: Account
) -> None:
    images = [image(shade=1), image(shade=2)]
    held = make_photo_post(workspace, account, images=images, state=PostState.HELD)
    picture(workspace, held)
    assert not is_found(workspace, held)
    newcomer = make_photo_post(
        workspace, account, images=images, validated=False, sha256=None, photo_cover_index=1
    )
    with pytest.raises(PostNotTakeableError, match=f"the same bytes as post {held.id}"):
        validate(workspace, newcomer.id, run_id=RUN, actor=ACTOR)
    assert is_found(workspace, held)
    cover = picture(workspace, held)
    assert cover == media_of(workspace, held)[1].thumbnail_path
    assert not is_found(workspace, held)


def test_a_photo_post_has_a_cover_and_no_other_to_choose(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    post = make_photo_post(
        workspace,
        account,
        images=[image(shade=1), image(shade=2)],
        photo_cover_index=1,
        due_at=clock() + WEEK,
    )
    assert picture(workspace, post).endswith(".jpg")
    assert read_post(workspace, post.id).media.candidates == []
    assert len(list(data_folder(workspace).thumbnails.iterdir())) == 1


def test_without_libav_there_is_nothing_to_choose(
    workspace: Workspace, future: Post, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    break_libav(monkeypatch, tmp_path, loading="raise ImportError('no libavcodec')")
    check(workspace, future)
    assert picture(workspace, future) == ""
    assert read_post(workspace, future.id).media.candidates == []
    assert not is_found(workspace, future)
    choose_cover(workspace, future.id, actor="mia", at_ms=1000)
    assert is_found(workspace, future)
    assert picture(workspace, future) == ""
    assert not is_found(workspace, future)


def test_without_libav_what_there_is_to_choose_from_stays(
    workspace: Workspace, future: Post, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check(workspace, future)
    picture(workspace, future)
    to_choose = read_post(workspace, future.id).media.candidates
    break_libav(monkeypatch, tmp_path, loading="raise ImportError('no libavcodec')")
    choose_cover(workspace, future.id, actor="mia", at_ms=1000)
    assert picture(workspace, future) == ""
    assert read_post(workspace, future.id).media.candidates == to_choose


def test_a_video_that_has_a_cover_is_not_refused_for_having_no_other(
    workspace: Workspace, future: Post, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "one_cover").mkdir()
    (tmp_path / "one_cover" / "__init__.py").write_text(ONE_COVER)
    monkeypatch.syspath_prepend(tmp_path)
    program = replace(decoder.LIBAV, service="one_cover", packages=("av", "PIL", "one_cover"))
    monkeypatch.setattr(decoder, "LIBAV", program)
    cover = picture(workspace, future)
    assert workspace.folders.store.stat(cover) is not None
    after = read_post(workspace, future.id)
    assert (after.state, after.media.candidates) == (PostState.READY, [])


@pytest.mark.parametrize("state", [PostState.READY, PostState.HELD])
def test_a_video_that_no_picture_can_be_made_of_is_rejected_or_told(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock, state: PostState
) -> None:
    content = media_files.h264_mp4().read_bytes()
    start = content.index(b"mdat") + 4
    hollow = content[:start] + bytes(len(content) - start)
    post = make_post(account, content=hollow, state=state, due_at=clock() + WEEK)
    with pytest.raises(MediaRejectedError):
        picture(workspace, post)
    after = read_post(workspace, post.id)
    assert after.state is (PostState.HELD if state is PostState.HELD else PostState.REJECTED)
    assert [one["rule"] for one in after.media.violations or []] == ["undecodable"]


def test_pictures_of_a_file_that_was_deleted_meanwhile_are_deleted_too(
    workspace: Workspace, future: Post, clock: Clock
) -> None:
    check(workspace, future)

    def published_and_cleaned_up() -> None:
        with workspace.ledger.write() as session:
            session.get_one(Post, future.id).media.deleted_at = clock()

    with before_statement(workspace, "BEGIN", published_and_cleaned_up, nth=2):
        cover = picture(workspace, future)
    assert [path.name for path in data_folder(workspace).thumbnails.iterdir()] == [
        cover.rpartition("/")[2]
    ]
    assert read_post(workspace, future.id).media.candidates is None
