"""One post on the screen: everything that is known of it, at every width."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.ledger.ledger import utc_now
from reelflow.ledger.models import Account, Media, Post
from reelflow.ledger.platform_models import Breaker, WebhookEvent
from reelflow.services.post_metrics.collect import collect_metrics
from reelflow.services.steering.covers import choose_cover
from reelflow.services.workspace import Workspace
from tests import factories
from tests.data_folder import data_folder
from tests.factories import Clock, change_account, change_post
from tests.photo_files import give_copy, image, make_photo_post, media_of
from tests.unit.reelflow.cli.conftest import Run
from tests.unit.reelflow.services.post_metrics.counted_tiktok import CountedTikTok, make_published
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
S, P = PostState, PublicationState
HOSTILE = "[red]x[/red] \x1b[2J\u202e:smile:\nnext"
SHOWN = "[red]x[/red] �[2J�:smile:⏎ next"
CANDIDATE = {"at_ms": 150, "key": "thumbnails/1-1.jpg"}
POST_ID = "7678907398077074696"
MINUTE = timedelta(minutes=1)
OTHER_COUNTS = ("like_count", "comment_count", "share_count")


def fields(shown: str) -> dict[str, str]:
    """Return the fields by their names, as they are shown on a wide screen."""
    lines = [line.rstrip().partition("  ") for line in shown.partition("\n\n")[0].splitlines()]
    return {name: value.strip() for name, _, value in lines}


def sections(shown: str) -> dict[str, str]:
    """Return what is shown below each title."""
    parts = [part.partition("\n") for part in shown.split("\n\n")[1:]]
    return {title: body for title, _, body in parts}


def change_media(workspace: Workspace, post: Post, **values: Any) -> None:
    with workspace.ledger.write() as session:
        media = session.get_one(Media, post.media_id)
        for name, value in values.items():
            setattr(media, name, value)


@pytest.fixture
def show(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[[Post], str]:
    monkeypatch.setenv("COLUMNS", "200")
    return lambda post: run("posts", "show", post.id).stdout


def test_a_post_is_shown_with_all_that_is_known(
    show: Callable[[Post], str], workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    hostile = make_post(
        account, file_name=HOSTILE, caption=HOSTILE, reason=HOSTILE, fix=HOSTILE, state=S.FAILED
    )
    make_publication(
        workspace,
        hostile,
        state=P.FAILED,
        publish_id="v_pub_file~v2-1.1",
        tiktok_status="FAILED",
        fail_reason="picture_size_check_failed",
    )
    shown = show(hostile)
    assert shown.startswith(f"Post {hostile.id}  FAILED  since ")
    for name in ("why", "file", "caption"):
        assert fields(shown)[name] == SHOWN
    assert f"fix: {SHOWN}\n" in shown
    assert fields(shown)["media"] == "mp4, h264, 640x360, 1.5 s"
    publication = sections(shown)["Publications"]
    assert publication.startswith("1  FAILED  v_pub_file~v2-1.1\n")
    assert f"upload, 0 of {hostile.media.size_bytes} bytes sent, begun 20" in publication
    assert "TikTok said FAILED picture_size_check_failed" in publication
    assert factories.ACTOR in sections(shown)["Story (UTC)"]


def test_a_published_post_shows_how_often_it_was_viewed_and_as_of_when(
    show: Callable[[Post], str], workspace: Workspace, account: Account, clock: Clock
) -> None:
    tiktok = CountedTikTok()
    post, video_id = make_published(workspace, account)
    assert "counts" not in fields(show(post))
    for counts, told in (
        ({"like_count": 9, "share_count": None}, "1,200 views, 9 likes, 0 comments"),
        (dict.fromkeys(("view_count", *OTHER_COUNTS)), "none told"),
    ):
        tiktok.count(video_id, **{"view_count": 1200, **counts})  # type: ignore[arg-type]
        collect_metrics(workspace, tiktok)
        assert fields(show(post))["counts"] == f"{told} (as of {clock():%Y-%m-%d %H:%M} UTC)"


def test_a_linked_post_shows_where_it_is_and_what_tiktok_said_when(
    show: Callable[[Post], str],
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
) -> None:
    change_account(workspace, account.id, username="aurora.kitchen")
    post = make_post(account, state=S.PUBLISHED)
    make_publication(workspace, post, state=P.SUPERSEDED, is_current=False, tiktok_status="FAILED")
    current = make_publication(
        workspace,
        post,
        source=MediaSource.PULL_FROM_URL,
        tiktok_status="PUBLISH_COMPLETE",
        tiktok_status_at=clock() - MINUTE,
        tiktok_post_id=POST_ID,
    )
    with workspace.ledger.write() as session:
        for number, outcome in enumerate(("post 1 is PUBLISHED", None)):
            session.add(
                WebhookEvent(
                    digest=str(number),
                    event="post.publish.complete",
                    open_id=account.open_id,
                    publish_id=current.publish_id,
                    happened_at=clock(),
                    received_at=clock() + number * MINUTE,
                    outcome=outcome,
                )
            )
    shown = show(post)
    link = f"https://www.tiktok.com/@aurora.kitchen/video/{POST_ID}"
    assert fields(shown)["TikTok post"] == link
    _, _, current_lines = sections(shown)["Publications"].partition("2  DONE")
    begun, said = f"{clock():%Y-%m-%d %H:%M} UTC", f"{clock() - MINUTE:%Y-%m-%d %H:%M} UTC"
    size = post.media.size_bytes
    assert current_lines == (
        f"  {current.publish_id}\n   pull of {size} bytes, begun {begun}\n"
        f"   TikTok said PUBLISH_COMPLETE, {said}\n   {link}"
    )
    assert [line[18:] for line in sections(shown)["Webhooks"].splitlines()] == [
        "post.publish.complete  publication 2: post 1 is PUBLISHED",
        "post.publish.complete  publication 2: not applied yet",
    ]


def test_what_was_wished_for_a_post_is_shown_where_it_is_not_the_usual(
    show: Callable[[Post], str], workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    names = ("viewers may not", "insists on", "marked as", "cover", "music", "repost")
    names += ("approval", "made by")
    usual = fields(show(make_post(account)))
    assert not set(names) & usual.keys()
    video = make_post(
        account,
        disable_comment=True,
        disable_stitch=True,
        wanted_interactions="duet",
        is_aigc=True,
        brand_content_toggle=True,
        brand_organic_toggle=True,
        cover_timestamp_ms=1500,
        repost=True,
        wants_approval=True,
        user_id="ann",
    )
    shown = fields(show(video))
    assert {name: shown.get(name) for name in names} == {
        "viewers may not": "comment, stitch",
        "insists on": "duet",
        "marked as": "AI-generated, branded content, the creator's own brand",
        "cover": "the picture at 1500 ms",
        "music": None,
        "repost": "asked for: the same bytes once more",
        "approval": "asked for: a person is to approve it",
        "made by": "ann",
    }
    photos = make_photo_post(workspace, account, auto_add_music=True, photo_cover_index=1)
    shown = fields(show(photos))
    assert (shown["cover"], shown["music"]) == ("image 2", "TikTok may add some")


def test_the_pictures_that_a_cover_may_be_chosen_from_are_shown_with_their_times(
    show: Callable[[Post], str], workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.HELD)
    assert "Pictures for a cover" not in show(post)
    other = {"at_ms": 1350, "key": "thumbnails/1-2.jpg"}
    change_media(workspace, post, candidates=[CANDIDATE, other])
    told = sections(show(post))["Pictures for a cover"]
    first, second = (data_folder(workspace).thumbnails / f"1-{number}.jpg" for number in (1, 2))
    assert told == (
        f"150 ms  {first}\n1350 ms  {second}\nto choose: reelflow posts cover {post.id} --at-ms MS"
    )


def test_the_cover_is_shown_where_it_can_be_opened_or_who_makes_it(
    show: Callable[[Post], str], workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.HELD)
    assert "thumbnail" not in fields(show(post))
    change_media(workspace, post, thumbnail_path="thumbnails/1.jpg", candidates=[CANDIDATE])
    shown = fields(show(post))["thumbnail"]
    assert shown == str(data_folder(workspace).thumbnails / "1.jpg")
    choose_cover(workspace, post.id, actor="mia", at_ms=150)
    assert fields(show(post))["thumbnail"] == "it is made before the post goes out"
    change_post(workspace, post.id, state=S.FAILED)
    assert "thumbnail" not in fields(show(post))


def test_pictures_in_a_bucket_are_shown_by_their_uris_and_without_its_connection_by_their_keys(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = make_post(account)
    change_media(workspace, post, thumbnail_path="thumbnails/1.jpg", candidates=[CANDIDATE])
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://media-bucket/house?connection=bucket")

    def told() -> tuple[str, list[dict[str, Any]]]:
        shown = json.loads(run("posts", "show", post.id, "--json").stdout)
        assert shown["thumbnail_path"] == "thumbnails/1.jpg"
        return shown["thumbnail_location"], shown["candidates"]

    assert told() == ("thumbnails/1.jpg", [{**CANDIDATE, "location": CANDIDATE["key"]}])
    connection = {"conn_type": "aws", "login": "AKIA", "password": "secret"}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
    house = "s3://media-bucket/house"
    assert told() == (
        f"{house}/thumbnails/1.jpg",
        [{**CANDIDATE, "location": f"{house}/thumbnails/1-1.jpg"}],
    )


def test_of_which_images_tiktok_gets_copies_is_shown_and_why(
    show: Callable[[Post], str], workspace: Workspace, account: Account
) -> None:
    images = [image(), image("PNG"), image("PNG", (2000, 100))]
    post = make_photo_post(workspace, account, images=images)
    assert "sent as copies" not in fields(show(post))
    for media in media_of(workspace, post)[1:]:
        give_copy(workspace, media)
    shown = fields(show(post))["sent as copies"]
    assert shown == "2.jpg (PNG content), 3.jpg (PNG content)"


def test_who_works_on_a_post_now_is_shown_and_who_did_is_not(
    show: Callable[[Post], str],
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
) -> None:
    later = utc_now() + timedelta(hours=1)
    holders: dict[str, Any] = {"claimed_by": "run-1", "lease_owner": "run-1/upload[4]"}
    post = make_post(account, state=S.UPLOADING, claimed_until=later, lease_until=later, **holders)
    shown = fields(show(post))
    assert shown["claimed by"] == f"run-1, until {later:%Y-%m-%d %H:%M} UTC unless renewed"
    assert shown["uploaded by"].startswith("run-1/upload[4], until ")
    long_ago = utc_now()
    change_post(workspace, post.id, claimed_until=long_ago, lease_until=long_ago)
    assert not {"claimed by", "uploaded by"} & fields(show(post)).keys()


def test_what_keeps_a_post_from_going_on_is_shown(
    show: Callable[[Post], str],
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    clock: Clock,
) -> None:
    post = make_post(account, rescheduled_because="next try at noon: 6 inits a minute are used")
    change_account(workspace, account.id, revoked=True, revoked_because="its creator ended it")
    with workspace.ledger.write() as session:
        row = Breaker(id=1, opened_at=clock(), why="3 accounts failed", probe_at=clock() + MINUTE)
        session.add(row)
    shown = fields(show(post))
    assert shown["why"] == "next try at noon: 6 inits a minute are used"
    assert shown["due"] == f"{clock():%Y-%m-%d %H:%M} UTC"
    assert shown["revoked"] == "the access to account acme ended: its creator ended it"
    assert shown["stopped"].endswith(" UTC: 3 accounts failed")


@pytest.mark.parametrize("state", [S.PROCESSING, S.UNKNOWN, S.PUBLISHED_NO_LINK, S.FAILED])
def test_that_tiktok_was_asked_to_cancel_is_shown_while_it_matters(
    show: Callable[[Post], str],
    account: Account,
    make_post: MakePost,
    clock: Clock,
    state: PostState,
) -> None:
    shown = fields(show(make_post(account, state=state, cancel_requested_at=clock())))
    assert shown.get("cancelling") == (
        f"TikTok was asked to at {clock():%Y-%m-%d %H:%M} UTC; if it fails it, it is not posted "
        "again by itself"
        if state in (S.PROCESSING, S.UNKNOWN)
        else None
    )


def test_a_lost_init_has_no_id_to_show(
    show: Callable[[Post], str], workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, state=S.UNKNOWN)
    make_publication(workspace, post, publish_id=None, source=MediaSource.PULL_FROM_URL)
    publication = sections(show(post))["Publications"]
    assert publication.startswith("1  COMMITTING  its publish_id is not known\n   pull of ")


@pytest.mark.parametrize("columns", ["20", "80", "160"])
def test_links_and_ids_can_be_copied_at_every_width(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    change_account(workspace, account.id, username="aurora")
    post = make_post(account, state=S.PUBLISHED)
    publication = make_publication(workspace, post, tiktok_post_id=POST_ID)
    publications = sections(run("posts", "show", post.id).stdout)["Publications"]
    assert f"1  DONE  {publication.publish_id}\n" in publications
    assert f"\n   https://www.tiktok.com/@aurora/video/{POST_ID}" in publications
