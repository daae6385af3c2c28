"""Posts as people and programs read them."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import text

from reelflow.domain.post import PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import ConfigurationError, PostNotFoundError
from reelflow.ledger import publications
from reelflow.ledger.models import Account, Media, Post
from reelflow.ledger.platform_models import Breaker
from reelflow.services.report import list_posts, show_post
from reelflow.services.workspace import Workspace
from reelflow.tiktok.limits import TikTokLimits
from tests.factories import change_account
from tests.photo_files import give_copy, image, make_photo_post, media_of
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.services.settling.asked_tiktok import POST_ID

MakePost = Callable[..., Post]


def test_the_newest_posts_are_listed_newest_last_by_state_and_account(
    workspace: Workspace, make_account: Callable[..., Account], make_post: MakePost
) -> None:
    a, b = make_account("a"), make_account("b")
    first, second = make_post(a), make_post(a, state=PostState.HELD)
    third = make_post(b, state=PostState.HELD)

    def ids(**asked: object) -> list[int]:
        return [row["id"] for row in list_posts(workspace, **asked)]  # type: ignore[arg-type]

    assert ids() == [first.id, second.id, third.id]
    assert ids(limit=2) == [second.id, third.id]
    assert ids(states=[PostState.HELD]) == [second.id, third.id]
    assert ids(account="a", states=[PostState.HELD, PostState.READY]) == [first.id, second.id]
    assert ids(account="nobody") == []


def test_a_post_is_shown_with_its_publications_and_story_as_json_and_without_secrets(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, caption="Hi", rescheduled_because="next try at noon")
    ledger = workspace.ledger
    with ledger.write() as session:
        plan = TikTokLimits().plan(1000)
        publications.open_new(session, post.id, plan=plan, now=ledger.now())
        row = publications.open_new(session, post.id, plan=plan, now=ledger.now())
        row.publish_id, row.state = "v_pub~2", PublicationState.UPLOADING
        publications.store_upload_url(row, ledger.cipher, "https://upload/secret")
    shown = show_post(workspace, post.id)
    as_text = json.dumps(shown)
    assert "secret" not in as_text
    assert "upload_url" not in as_text
    assert shown["publish_id"] == "v_pub~2"
    assert (shown["chunks"], shown["caption"]) == (1, "Hi")
    assert shown["reason"] == "next try at noon"
    assert [item["current"] for item in shown["publications"]] == [False, True]
    assert [entry["to"] for entry in shown["story"]] == ["READY"]
    (listed,) = list_posts(workspace)
    assert listed["publish_id"] == "v_pub~2"
    assert listed.items() <= shown.items()


def test_a_post_is_shown_with_everything_that_was_wished_for_it(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    wishes = {
        "disable_comment": True,
        "disable_duet": False,
        "disable_stitch": True,
        "brand_content_toggle": False,
        "brand_organic_toggle": True,
        "is_aigc": True,
        "cover_timestamp_ms": 1500,
        "repost": True,
        "auto_add_music": False,
    }
    shown = show_post(workspace, make_post(account, wanted_interactions="duet", **wishes).id)
    assert {name: shown[name] for name in wishes} == wishes
    assert (shown["wanted_interactions"], shown["cover_index"]) == (["duet"], None)
    photos = make_photo_post(workspace, account, auto_add_music=True, photo_cover_index=1)
    shown = show_post(workspace, photos.id)
    assert (shown["auto_add_music"], shown["cover_index"]) == (True, 1)
    assert shown["wanted_interactions"] == []


def test_a_post_that_is_not_there_says_so(workspace: Workspace) -> None:
    with pytest.raises(PostNotFoundError, match="no post has id 9"):
        show_post(workspace, 9)


def test_a_photo_post_is_shown_by_its_folder_with_its_images_and_cover(
    workspace: Workspace, account: Account
) -> None:
    post = make_photo_post(workspace, account, title="Lake", photo_cover_index=1)
    files = media_of(workspace, post)
    with workspace.ledger.write() as session:
        session.get_one(Media, files[1].id).thumbnail_path = "thumbnails/cover.jpg"
    shown = show_post(workspace, post.id)
    assert (shown["kind"], shown["file_name"], shown["title"]) == ("photo", "trip", "Lake")
    assert (shown["image_count"], shown["thumbnail_path"]) == (2, "thumbnails/cover.jpg")
    assert [one["file_name"] for one in shown["images"]] == ["trip/1.jpg", "trip/2.jpg"]
    assert shown["size_bytes"] == sum(media.size_bytes for media in files)
    (listed,) = list_posts(workspace)
    assert listed.items() <= shown.items()


def test_a_photo_is_shown_with_the_copy_that_tiktok_gets(
    workspace: Workspace, account: Account
) -> None:
    post = make_photo_post(workspace, account, images=[image(), image("PNG")])
    copied = give_copy(workspace, media_of(workspace, post)[1])
    first, second = show_post(workspace, post.id)["images"]
    assert first["copy"] is None
    assert second["copy"] == {
        "path": copied.prepared_path,
        "metadata": copied.prepared_facts,
        "because": ["PNG content"],
    }


@pytest.mark.parametrize("post_ids", [[], [2], [1, 3]])
def test_only_the_posts_that_were_asked_for_are_listed(
    workspace: Workspace, account: Account, make_post: MakePost, post_ids: list[int]
) -> None:
    for _ in range(3):
        make_post(account)
    assert [row["id"] for row in list_posts(workspace, post_ids=post_ids)] == post_ids


def test_a_link_needs_the_creators_handle_and_tells_photos_from_videos(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    video, photo = make_post(account), make_photo_post(workspace, account)
    for post in (video, photo):
        make_publication(workspace, post, tiktok_post_id=POST_ID)
    assert show_post(workspace, video.id)["link"] is None
    change_account(workspace, account.id, username="aurora")
    links = [show_post(workspace, post.id)["link"] for post in (video, photo)]
    assert links == [
        f"https://www.tiktok.com/@aurora/{kind}/{POST_ID}" for kind in ("video", "photo")
    ]
    assert [row["link"] for row in list_posts(workspace)] == links


def test_a_breaker_that_is_open_is_told_of_posts_that_it_stops_only(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        session.add(Breaker(id=1, opened_at=now, why="3 accounts failed", probe_at=now))
    told = {
        state: show_post(workspace, make_post(account, state=state).id)["breaker"]
        for state in PostState
    }
    stopped = {"why": "3 accounts failed", "probe_at": now.isoformat()}
    assert {state for state, what in told.items() if what == stopped} == {
        PostState.READY,
        PostState.UPLOADING,
    }
    assert set(map(str, told.values())) == {str(stopped), "None"}


@pytest.mark.parametrize(
    ("column", "value"), [("state", "BOGUS"), ("due_at", "junk"), ("mode", "zz")]
)
def test_a_post_whose_row_was_changed_by_hand_hides_no_other(
    workspace: Workspace, account: Account, make_post: MakePost, column: str, value: str
) -> None:
    first, bad, last = make_post(account), make_post(account), make_post(account)
    change = text(f"UPDATE posts SET {column} = :value WHERE id = {bad.id}")
    with workspace.ledger.write() as session:
        session.execute(change, {"value": value})
    listed = list_posts(workspace)
    assert [row["id"] for row in listed] == [first.id, bad.id, last.id]
    assert [row["id"] for row in list_posts(workspace, limit=2)] == [bad.id, last.id]
    assert [row["id"] for row in list_posts(workspace, post_ids=[bad.id])] == [bad.id]
    assert listed[1].keys() == listed[0].keys()
    assert listed[1]["state"] == (value if column == "state" else "READY")
    assert (listed[1]["account"], listed[1]["file_name"]) == ("acme", "clip.mp4")
    assert listed[1]["reason"].startswith(f"posts.{column} of row {bad.id} is {value!r}, not ")
    assert listed[1]["reason_code"] == "ledger_damaged"
    assert json.loads(json.dumps(listed)) == listed
    with pytest.raises(ConfigurationError, match=f"posts.{column} of row {bad.id} is"):
        show_post(workspace, bad.id)


def test_an_account_that_was_changed_by_hand_is_told_of_each_of_its_posts(
    workspace: Workspace, make_account: Callable[..., Account], make_post: MakePost
) -> None:
    good, bad = make_account("good"), make_account("bad")
    posts = [make_post(good), make_post(bad), make_post(bad)]
    change = text(f"UPDATE accounts SET video_source = 'zz' WHERE id = {bad.id}")
    with workspace.ledger.write() as session:
        session.execute(change)
    listed = list_posts(workspace)
    assert [row["id"] for row in listed] == [post.id for post in posts]
    assert [row["reason_code"] for row in listed] == [None, "ledger_damaged", "ledger_damaged"]
