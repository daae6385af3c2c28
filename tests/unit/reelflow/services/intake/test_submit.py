"""Posts that users make: of their media, before these are there, and of bytes that came before."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from reelflow.domain.post import UNKEYED, PostKind, PostState
from reelflow.domain.user import User
from reelflow.exceptions import (
    AccountNotFoundError,
    IllegalTransitionError,
    PostNotFoundError,
    TerminalError,
)
from reelflow.ledger import audit, photo_images
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.submit import Submitted, attach_media, create_post, media_of_user
from reelflow.services.steering.commands import cancel, release, retry
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, Clock, change_account, change_post, read_post
from tests.intake_users import ADMIN, ANN, BOB, upload
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]


def wish_of(media_type: str = "video", **fields: Any) -> PostWish:
    data = {"account": "acme", "privacy_level": "SELF_ONLY", **fields}
    return PostWish.parse(data, media_type)


def submit(
    workspace: Workspace, media: Sequence[Media] = (), user: User = ANN, **fields: Any
) -> Submitted:
    media_type = fields.pop("media_type", "video")
    with workspace.ledger.write() as session:
        return create_post(
            session,
            user=user,
            wish=wish_of(media_type, **fields),
            media=media_of_user(session, user, [one.id for one in media]),
            now=workspace.ledger.now(),
            actor=user.actor,
        )


def attach(workspace: Workspace, post: Post, media: Sequence[Media], user: User = ANN) -> Post:
    with workspace.ledger.write() as session:
        return attach_media(
            session,
            user=user,
            post_id=post.id,
            media=media_of_user(session, user, [one.id for one in media]),
            now=workspace.ledger.now(),
            actor=user.actor,
        )


def story(workspace: Workspace, post: Post) -> list[str]:
    with workspace.ledger.read() as session:
        return [f"{row.actor}: {row.why}" for row in audit.story(session, post.id)]


def images_of(workspace: Workspace, post: Post) -> list[str]:
    with workspace.ledger.read() as session:
        return [one.id for one in photo_images.media_of(session, read_post(workspace, post.id))]


def count_media(workspace: Workspace) -> int:
    with workspace.ledger.read() as session:
        return session.scalar(select(func.count()).select_from(Media)) or 0


def test_a_post_of_a_video_may_go_at_once(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    media = upload(workspace)
    made = submit(workspace, [media], caption="hi")
    post = read_post(workspace, made.post.id)
    assert made.created
    assert (post.state, post.kind, post.user_id) == (PostState.READY, PostKind.VIDEO, "ann")
    assert (post.media_id, post.caption, post.due_at) == (media.id, "hi", clock())
    assert story(workspace, post) == ["user:ann: made by ann"]


def test_a_post_with_a_time_is_due_then(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    at = clock() + timedelta(days=2)
    post = submit(workspace, [upload(workspace)], publish_at=at.isoformat()).post
    assert (post.publish_at, post.due_at) == (at, at)


def test_a_post_of_photos_has_them_in_the_order_they_were_given(
    workspace: Workspace, account: Account
) -> None:
    photos = [upload(workspace, file_name=f"{number}.jpg") for number in range(3)]
    wanted = [photos[2], photos[0], photos[1]]
    post = submit(workspace, wanted, media_type="image", cover_index=2).post
    assert (post.kind, post.photo_cover_index) == (PostKind.PHOTO, 2)
    assert images_of(workspace, post) == [one.id for one in wanted]


def test_a_post_without_media_waits_until_an_upload_names_it(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    post = submit(workspace, caption="soon").post
    assert (post.state, post.reason_code) == (PostState.HELD, "no_media")
    assert post.fix == f"upload them for post {post.id}"
    clock.advance(timedelta(days=3))
    media = upload(workspace)
    after = attach(workspace, post, [media])
    assert (after.state, after.media_id, after.due_at) == (PostState.READY, media.id, clock())
    assert (after.reason_code, after.fix, after.caption) == (None, None, "soon")
    assert story(workspace, post) == [
        "user:ann: made by ann; it has no media yet",
        "user:ann: its media came: clip.mp4",
    ]
    assert count_media(workspace) == 1, "the row that stood for the file is still there"


def test_photos_come_to_a_post_that_waits_for_them(workspace: Workspace, account: Account) -> None:
    post = submit(workspace, media_type="image", cover_index=1).post
    photos = [upload(workspace, file_name=f"{number}.png") for number in range(2)]
    with pytest.raises(TerminalError, match="cover_index is 1, but it has 1 photos"):
        attach(workspace, post, photos[:1])
    assert attach(workspace, post, photos).state is PostState.READY
    assert images_of(workspace, post) == [one.id for one in photos]


def test_the_cover_that_was_chosen_before_the_media_came_is_made_of_them(
    workspace: Workspace, account: Account, make_account: Callable[..., Account]
) -> None:
    make_account("beta")
    media = upload(workspace)
    submit(workspace, [media], account="beta")
    with workspace.ledger.write() as session:
        session.get_one(Media, media.id).thumbnail_path = "thumbnails/first-frame.jpg"
    post = submit(workspace, cover_timestamp_ms=500).post
    assert attach(workspace, post, [media]).media.thumbnail_path is None


def test_the_same_media_once_more_change_nothing(workspace: Workspace, account: Account) -> None:
    post = submit(workspace).post
    media = upload(workspace)
    first = attach(workspace, post, [media])
    assert attach(workspace, post, [media]).state_since == first.state_since
    assert len(story(workspace, post)) == 2


def test_a_post_gets_no_other_media_than_its_first(workspace: Workspace, account: Account) -> None:
    post = submit(workspace, [upload(workspace)]).post
    with pytest.raises(IllegalTransitionError, match="has its media already"):
        attach(workspace, post, [upload(workspace)])


def test_a_post_that_was_cancelled_before_its_media_gets_none_and_never_goes(
    workspace: Workspace, account: Account
) -> None:
    post = submit(workspace).post
    cancel(workspace, post.id, actor=ANN.actor)
    with pytest.raises(IllegalTransitionError, match="is CANCELLED"):
        attach(workspace, post, [upload(workspace)])
    with pytest.raises(IllegalTransitionError, match="has no media yet"):
        retry(workspace, post.id, actor=ANN.actor)


def test_nobody_releases_a_post_without_media(workspace: Workspace, account: Account) -> None:
    post = submit(workspace).post
    with pytest.raises(IllegalTransitionError, match="has no media yet"):
        release(workspace, post.id, actor=ANN.actor)
    assert read_post(workspace, post.id).reason_code == "no_media"


def test_a_post_waits_for_its_media_first_and_for_approval_then(
    workspace: Workspace, account: Account
) -> None:
    post = submit(workspace, approval=True).post
    assert post.reason_code == "no_media"
    after = attach(workspace, post, [upload(workspace)])
    assert (after.state, after.reason_code) == (PostState.HELD, "approval")
    assert after.fix is not None
    assert f"reelflow posts release {post.id}" in after.fix
    released = release(workspace, post.id, actor="person:boss")
    assert (released.state, released.approved_at) == (PostState.READY, workspace.ledger.now())


def test_a_cancelled_post_that_nobody_approved_is_not_approved_by_its_retry(
    workspace: Workspace, account: Account
) -> None:
    post = submit(workspace, [upload(workspace)], approval=True).post
    cancel(workspace, post.id, actor=ANN.actor)
    again = retry(workspace, post.id, actor=ANN.actor)
    assert (again.state, again.reason_code) == (PostState.HELD, "approval")
    release(workspace, post.id, actor=ANN.actor)
    cancel(workspace, post.id, actor=ANN.actor)
    assert retry(workspace, post.id, actor=ANN.actor).state is PostState.READY


def test_a_post_for_an_account_without_access_waits_for_that(
    workspace: Workspace, account: Account
) -> None:
    change_account(workspace, account.id, revoked=True)
    post = submit(workspace, [upload(workspace)]).post
    assert (post.state, post.reason_code) == (PostState.HELD, "account_revoked")
    approved = submit(workspace, [upload(workspace)], approval=True).post
    assert approved.reason_code == "approval", "reconnecting would release it"


def test_an_account_that_there_is_not_is_named_with_those_there_are(
    workspace: Workspace, account: Account
) -> None:
    for name in ("nope", "nul\0", "\ud800", "x" * 5000):
        with pytest.raises(AccountNotFoundError, match=r"no account is called .*accounts: acme\)"):
            submit(workspace, account=name)


def test_media_and_posts_of_somebody_else_are_as_if_there_were_none(
    workspace: Workspace, account: Account
) -> None:
    theirs = upload(workspace, ANN)
    photo = upload(workspace, ANN, file_name="secret.jpg")
    post = submit(workspace).post
    for media in (theirs, photo):
        with pytest.raises(TerminalError, match="no media of yours") as refused:
            submit(workspace, [media], BOB)
        assert refused.value.code == "media_not_found"
    with pytest.raises(PostNotFoundError) as hidden:
        attach(workspace, post, [upload(workspace, BOB)], BOB)
    with pytest.raises(PostNotFoundError) as missing:
        attach(workspace, Post(id=post.id + 1), [upload(workspace, BOB)], BOB)
    assert str(hidden.value).replace(str(post.id), "") == str(missing.value).replace(
        str(post.id + 1), ""
    )
    assert submit(workspace, [theirs], ADMIN).created


def test_what_stands_for_a_file_to_come_is_no_medium(
    workspace: Workspace, account: Account
) -> None:
    post = submit(workspace).post
    with pytest.raises(TerminalError, match="no media of yours"):
        submit(workspace, [post.media])


@pytest.mark.parametrize("media_id", ["", "nul\0", "\ud800", "f" * 32, "../etc/passwd"])
def test_any_text_is_an_id_of_media_that_are_not_there(
    workspace: Workspace, account: Account, media_id: str
) -> None:
    with workspace.ledger.read() as session, pytest.raises(TerminalError) as refused:
        media_of_user(session, ANN, [media_id])
    assert refused.value.code == "media_not_found"


@pytest.mark.parametrize(
    ("names", "media_type", "expected"),
    [
        (["a.mp4", "b.mp4"], "video", "it has 2 media, and a video has at most 1"),
        (["a.jpg"], "video", "is a photo, and it is to be a video"),
        (["a.jpg", "b.mp4"], "image", "is a video, and it is to be a photo"),
        ([f"{number}.jpg" for number in range(36)], "image", "a post has at most 35"),
    ],
)
def test_media_that_are_not_one_post_are_refused(
    workspace: Workspace, account: Account, names: list[str], media_type: str, expected: str
) -> None:
    media = [upload(workspace, file_name=name) for name in names]
    with pytest.raises(TerminalError, match=expected) as refused:
        submit(workspace, media, media_type=media_type)
    assert refused.value.code == "invalid_post"


def test_one_photo_is_not_posted_twice_in_one_post(workspace: Workspace, account: Account) -> None:
    photo = upload(workspace, file_name="a.jpg")
    with pytest.raises(TerminalError, match="one of its media twice"):
        submit(workspace, [photo, photo], media_type="image")


def test_a_file_that_clean_up_deleted_or_is_about_to_delete_becomes_no_post(
    workspace: Workspace, account: Account, make_account: Callable[..., Account], clock: Clock
) -> None:
    make_account("beta")
    media = upload(workspace)
    post = submit(workspace, [media]).post
    assert submit(workspace, [media], account="beta").created, "two accounts may have one file"
    other = upload(workspace)
    change_post(workspace, submit(workspace, [other]).post.id, state=PostState.PUBLISHED)
    with pytest.raises(TerminalError, match="upload it again") as refused:
        submit(workspace, [other], account="beta")
    assert refused.value.code == "media_deleted"
    with workspace.ledger.write() as session:
        session.get_one(Media, media.id).deleted_at = clock()
    with pytest.raises(TerminalError, match="upload it again"):
        submit(workspace, [media], repost=True)
    assert read_post(workspace, post.id).state is PostState.READY


# The same bytes again


def test_the_same_media_for_the_same_account_are_the_post_that_is_there(
    workspace: Workspace, account: Account
) -> None:
    media = upload(workspace)
    first = submit(workspace, [media]).post
    again = submit(workspace, [media], caption="other")
    assert (again.created, again.post.id) == (False, first.id)
    assert read_post(workspace, first.id).caption == "", "it may be on its way by now"
    assert submit(workspace, [media], repost=True).created


def test_bytes_that_were_declared_or_validated_before_are_the_post_that_is_there(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    declared = submit(workspace, [upload(workspace, content=b"one", declared=True)]).post
    validated = make_post(account, content=b"two", user_id="ann", state=PostState.PUBLISHED)
    for content, known in ((b"one", declared), (b"two", validated)):
        again = submit(workspace, [upload(workspace, content=content, declared=True)])
        assert (again.created, again.post.id) == (False, known.id)
    undeclared = submit(workspace, [upload(workspace, content=b"one")])
    assert undeclared.created, "nobody knows before it is validated"


def test_photos_in_another_order_are_another_post(workspace: Workspace, account: Account) -> None:
    photos = [
        upload(workspace, file_name=f"{number}.jpg", content=b"%d" % number, declared=True)
        for number in range(2)
    ]
    again = [
        upload(workspace, file_name=f"{number}.jpg", content=b"%d" % number, declared=True)
        for number in range(2)
    ]
    first = submit(workspace, photos, media_type="image")
    assert submit(workspace, again, media_type="image").post.id == first.post.id
    assert submit(workspace, again[::-1], media_type="image").created


@pytest.mark.parametrize("state", sorted(UNKEYED))
def test_bytes_whose_post_ended_unpublished_are_a_new_post(
    workspace: Workspace, account: Account, state: PostState
) -> None:
    media = upload(workspace, declared=True)
    change_post(workspace, submit(workspace, [media]).post.id, state=state)
    assert submit(workspace, [media]).created


def test_a_held_post_takes_over_what_is_wished_now_and_goes_if_that_settles_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    fields = {"state": PostState.HELD, "reason_code": "no_privacy", "privacy_level": None}
    held = make_post(account, content=b"same", user_id="ann", caption="old", **fields)
    media = upload(workspace, content=b"same", declared=True)
    again = submit(workspace, [media], caption="new")
    after = read_post(workspace, held.id)
    assert (again.created, again.post.id) == (False, held.id)
    assert (after.state, after.caption) == (PostState.READY, "new")
    assert after.privacy_level == "SELF_ONLY"


def test_a_held_post_that_is_to_be_approved_now_waits_for_that(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    fields = {"state": PostState.HELD, "reason_code": "no_privacy", "privacy_level": None}
    held = make_post(account, content=b"same", user_id="ann", **fields)
    submit(workspace, [upload(workspace, content=b"same", declared=True)], approval=True)
    after = read_post(workspace, held.id)
    assert (after.state, after.reason_code) == (PostState.HELD, "approval")
    assert release(workspace, held.id, actor=ANN.actor).state is PostState.READY


@pytest.mark.parametrize("user", [BOB, ADMIN])
def test_a_hash_that_somebody_only_declares_keeps_nobody_else_from_posting_the_bytes(
    workspace: Workspace, account: Account, user: User
) -> None:
    declared = hashlib.sha256(b"theirs").hexdigest()
    squatter = submit(workspace, [upload(workspace, content=b"junk", sha256=declared)]).post
    honest = submit(workspace, [upload(workspace, user, content=b"theirs", declared=True)], user)
    assert honest.created
    assert honest.post.id != squatter.id


def test_a_hash_that_was_read_keeps_others_from_posting_the_bytes_before_they_are_validated(
    workspace: Workspace, account: Account
) -> None:
    media = upload(workspace, content=b"same")
    with workspace.ledger.write() as session:
        session.get_one(Media, media.id).sha256 = hashlib.sha256(b"same").hexdigest()
    submit(workspace, [media])
    with pytest.raises(TerminalError, match="another post on acme already"):
        submit(workspace, [upload(workspace, BOB, content=b"same", declared=True)], BOB)


@pytest.mark.parametrize("owner", ["ann", None])
def test_bytes_of_another_users_post_are_refused_without_telling_which(
    workspace: Workspace, account: Account, make_post: MakePost, owner: str | None
) -> None:
    held = make_post(
        account, content=b"same", user_id=owner, state=PostState.HELD, caption=uuid.uuid4().hex
    )
    media = upload(workspace, BOB, content=b"same", declared=True)
    with pytest.raises(TerminalError, match="another post on acme already") as refused:
        submit(workspace, [media], BOB)
    assert (refused.value.code, refused.value.context) == ("duplicate", {})
    assert str(held.id) not in str(refused.value)
    assert read_post(workspace, held.id).caption == held.caption
    assert submit(workspace, [media], BOB, repost=True).created
    admins = upload(workspace, ADMIN, content=b"same", declared=True)
    assert submit(workspace, [admins], ADMIN).post.id == held.id


def test_the_actor_of_every_step_is_its_user(workspace: Workspace, account: Account) -> None:
    post = submit(workspace, [upload(workspace)]).post
    assert ACTOR not in story(workspace, post)[0]
