"""Photos from the inbox to their link, and pulled videos: TikTok fetches them from signed URLs."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
from PIL import Image

from reelflow.domain.post import PostState
from reelflow.domain.publication import MediaSource
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import (
    MediaUnreadableError,
    PostFailedError,
    PostHeldError,
    ReelflowError,
)
from reelflow.ledger.models import Account, Post
from reelflow.services.cleanup import clean_up_files
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.publishing.public_media import PUBLIC_MEDIA_PATH, PublicMedia
from reelflow.services.settling.settle import apply_status
from reelflow.services.steering.commands import retry
from tests import media_files
from tests.data_folder import data_folder
from tests.integration.public_server import PublicServer, serving
from tests.integration.publisher import OWNER, RUN, Publisher
from tests.integration.simulator_process import wait_until
from tests.photo_files import drop_folder, image, media_of

HOST = "reelflow.example"
IMAGES = {f"{number}.jpg": image(shade=number) for number in (1, 2, 10)}


@pytest.fixture
def puller(publisher: Publisher) -> Publisher:
    """A publisher with a public address."""
    return publisher.with_rules(public_url=f"https://{HOST}", inbox_quiet=timedelta(0))


@pytest.fixture
def public_server(puller: Publisher) -> Iterator[PublicServer]:
    with serving(puller.workspace) as server:
        puller.simulator.serve_domain(HOST, server.address)
        yield server


def take_in(puller: Publisher, images: Mapping[str, bytes] = IMAGES, **sidecar: object) -> Post:
    """Put a folder into the inbox and bring it to where it may be uploaded."""
    workspace = puller.workspace
    wishes = {"privacy_level": "PUBLIC_TO_EVERYONE", **sidecar}
    drop_folder(workspace, puller.account, "trip", images, wishes)
    run = NormalRun(RUN, workspace.ledger.now(), workspace.rules.max_lateness)
    (entry,) = find_new_uploads(workspace, run, actor=OWNER)
    validate(workspace, entry.post_id, run_id=RUN, actor=OWNER)
    extract_metadata(workspace, entry.post_id, run_id=RUN)
    generate_thumbnail(workspace, entry.post_id, run_id=RUN, actor=OWNER)
    with workspace.ledger.read() as session:
        return session.get_one(Post, entry.post_id)


def settle(puller: Publisher, post: Post, wanted: PostState) -> None:
    """Ask TikTok until it fetched, processed and linked the post."""
    publish_id = puller.current(post).publish_id
    assert publish_id is not None
    token = puller.simulator.accounts[0]["access_token"]

    def is_settled() -> bool:
        with puller.simulator.client(puller.limits) as client:
            status = client.fetch_status(token, publish_id)
        apply_status(puller.workspace, post.id, publish_id, status, actor=OWNER)
        return puller.read(post).state is wanted

    wait_until(is_settled, f"post {post.id} is {wanted}")


def test_a_folder_of_photos_goes_from_the_inbox_to_its_link_and_is_cleaned_up(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = take_in(puller, title="Lake", caption="Spring 🌱", cover_index=2, auto_add_music=True)
    assert puller.upload(post).state is PostState.PROCESSING
    settle(puller, post, PostState.PUBLISHED)
    (upload,) = puller.simulator.uploads()
    assert upload["publish_id"] == puller.current(post).publish_id
    assert upload["post_info"]["title"] == "Lake"
    assert upload["post_info"]["description"] == "Spring 🌱"
    files = media_of(puller.workspace, post)
    assert public_server.fetched == [media.id for media in files]
    assert puller.simulator.content(upload["publish_id"]) == b"".join(IMAGES.values())
    assert clean_up_files(puller.workspace, post.id)
    assert not any(
        data_folder(puller.workspace).path(media.source_path).exists() for media in files
    )


def placed_photo() -> bytes:
    """A photo that says where it was taken, and hides something behind its end."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    written = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(written, "JPEG", exif=exif, comment=b"at home")
    return written.getvalue() + b"PK hidden"


def test_tiktok_gets_copies_of_photos_it_must_not_get_as_they_are(
    puller: Publisher, public_server: PublicServer
) -> None:
    large = image("WEBP", (2400, 1200))
    images = {
        "1.jpg": IMAGES["1.jpg"],
        "2.jpg": placed_photo(),
        "3.png": image("PNG"),
        "4.webp": large,
    }
    post = take_in(puller, images)
    assert puller.upload(post).state is PostState.PROCESSING
    settle(puller, post, PostState.PUBLISHED)
    (upload,) = puller.simulator.uploads()
    files = media_of(puller.workspace, post)
    assert public_server.fetched == [media.id for media in files]
    copies = [
        data_folder(puller.workspace).path(str(media.prepared_path)).read_bytes()
        for media in files[1:]
    ]
    sent = puller.simulator.content(upload["publish_id"])
    assert sent == images["1.jpg"] + b"".join(copies)
    assert puller.current(post).size_bytes == len(sent)
    assert not any(word in sent for word in (b"Exif", b"at home", b"hidden", b"PNG", b"WEBP"))
    for copy in copies:
        with Image.open(io.BytesIO(copy)) as picture:
            assert (picture.format, max(picture.size) <= 1920) == ("JPEG", True)
            assert not picture.getexif()
    assert clean_up_files(puller.workspace, post.id)
    assert list((data_folder(puller.workspace).root / "prepared").iterdir()) == []


def test_a_copy_that_is_lost_fails_the_post_and_a_retry_publishes_it(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = take_in(puller, {"1.jpg": placed_photo()})
    (media,) = media_of(puller.workspace, post)
    data_folder(puller.workspace).path(str(media.prepared_path)).write_bytes(placed_photo())
    with pytest.raises(PostFailedError, match=f"`reelflow posts retry {post.id}`"):
        puller.upload(post)
    assert puller.simulator.uploads() == []
    retry(puller.workspace, post.id, actor=OWNER)
    validate(puller.workspace, post.id, run_id=RUN, actor=OWNER)
    puller.upload(post)
    settle(puller, post, PostState.PUBLISHED)
    (upload,) = puller.simulator.uploads()
    assert b"Exif" not in puller.simulator.content(upload["publish_id"])


def test_photos_of_a_draft_end_in_the_creators_inbox(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = take_in(puller, mode="draft")
    puller.upload(post)
    settle(puller, post, PostState.IN_INBOX)
    assert len(public_server.fetched) == 3


def test_a_video_of_an_account_set_so_is_pulled(
    puller: Publisher, public_server: PublicServer
) -> None:
    with puller.workspace.ledger.write() as session:
        account = session.get_one(Account, puller.account.id)
        account.video_source = MediaSource.PULL_FROM_URL
    content = media_files.h264_mp4().read_bytes()
    post = puller.make_post(content)
    puller.upload(post)
    settle(puller, post, PostState.PUBLISHED)
    puller.assert_published_once(post)
    assert public_server.fetched == [post.media_id]


def test_a_domain_that_is_not_verified_is_refused_and_nothing_is_fetched(
    puller: Publisher, public_server: PublicServer
) -> None:
    elsewhere = puller.with_rules(public_url="https://elsewhere.example")
    post = take_in(elsewhere)
    with pytest.raises((PostFailedError, PostHeldError)) as refused:
        elsewhere.upload(post)
    assert refused.value.code == "url_ownership_unverified"
    assert puller.read(post).state in (PostState.HELD, PostState.FAILED)
    assert (public_server.fetched, puller.simulator.uploads()) == ([], [])


def test_an_init_whose_answer_is_lost_is_unknown_and_never_sent_again(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = take_in(puller)
    puller.simulator.fault("init", when="after")
    with pytest.raises(PostHeldError) as lost:
        puller.upload(post)
    assert lost.value.code == "init_answer_lost"
    assert puller.read(post).state is PostState.UNKNOWN
    with pytest.raises(ReelflowError):
        puller.upload(post)
    assert len(puller.simulator.uploads()) == 1


def test_without_a_public_address_the_post_is_kept_with_the_fix(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = take_in(puller)
    private = puller.with_rules(public_url="")
    with pytest.raises(ReelflowError, match="REELFLOW_PUBLIC_URL is not set"):
        private.upload(post)
    after = puller.read(post)
    assert (after.state, after.reason_code) == (PostState.READY, "public_url_missing")
    puller.clock.set(after.due_at)
    assert puller.upload(post).state is PostState.PROCESSING


def test_an_image_that_changes_before_tiktok_fetches_it_is_not_served(
    puller: Publisher, public_server: PublicServer
) -> None:
    post = take_in(puller)
    puller.simulator.switch(pull_attempts=1)
    first = media_of(puller.workspace, post)[0]
    url = PublicMedia(puller.workspace).url(first)
    media_id, expires, signature, _ = url.partition(f"{PUBLIC_MEDIA_PATH}/")[2].split("/")
    data_folder(puller.workspace).path(first.source_path).write_bytes(b"changed")
    with (
        pytest.raises(MediaUnreadableError),
        PublicMedia(puller.workspace).open(media_id, expires, signature),
    ):
        pass
    with pytest.raises(PostFailedError, match="changed after it was taken from the inbox"):
        puller.upload(post)
    assert puller.simulator.uploads() == []
