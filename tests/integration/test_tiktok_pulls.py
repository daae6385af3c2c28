"""What TikTok pulls, cancels and shows: TikTokClient against the simulator and a media server."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reelflow.domain.chunks import plan_chunks
from reelflow.exceptions import TikTokAuthError, TikTokRejectedError
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.display import user_fields
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import (
    InitAnswer,
    PhotoPost,
    PostMode,
    PublishStatus,
    PullFromUrl,
    VideoPost,
)
from reelflow.tiktok.refusals import explain_failure
from reelflow.tiktok.verdicts import Verdict
from tests.integration.simulator_process import Simulator, wait_until

HOST = "media.example"
VIDEO = os.urandom(70_000)
JPEGS = [b"\xff\xd8\xff\xe0" + os.urandom(2_000 + n) for n in range(3)]
FILES = {"/clip.mp4": VIDEO} | {f"/{n}.jpg": jpeg for n, jpeg in enumerate(JPEGS)}
URLS = [f"https://{HOST}/{n}.jpg?signature=s3cret" for n in range(3)]
PHOTOS = PhotoPost("Spring", "🌱 #garden", "PUBLIC_TO_EVERYONE", auto_add_music=True)


class MediaHandler(BaseHTTPRequestHandler):
    """Serves FILES and nothing else."""

    def do_GET(self) -> None:
        content = FILES.get(self.path.partition("?")[0])
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture(scope="module")
def media_address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), MediaHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture
def token(simulator: Simulator, media_address: str) -> str:
    simulator.serve_domain(HOST, media_address)
    return simulator.accounts[0]["access_token"]


@pytest.fixture
def client(simulator: Simulator) -> Iterator[TikTokClient]:
    with simulator.client(TikTokLimits()) as client:
        yield client


def final_status(client: TikTokClient, token: str, opened: InitAnswer) -> PublishStatus:
    statuses: list[PublishStatus] = []

    def is_final() -> bool:
        statuses.append(client.fetch_status(token, opened.publish_id))
        return not statuses[-1].status.startswith("PROCESSING_")

    wait_until(is_final, "the pull is over")
    return statuses[-1]


def test_a_video_that_tiktok_pulls_is_published(
    client: TikTokClient, simulator: Simulator, token: str
) -> None:
    pull = PullFromUrl(f"https://{HOST}/clip.mp4?signature=s3cret")
    opened = client.init_video(token, VideoPost("", "PUBLIC_TO_EVERYONE"), pull)
    assert opened.upload_url is None
    assert final_status(client, token, opened).status == "PUBLISH_COMPLETE"
    (post,) = simulator.posts()
    assert post["sha256"] == hashlib.sha256(VIDEO).hexdigest()
    assert client.fetch_status(token, opened.publish_id).post_ids == (post["post_id"],)


def test_a_draft_that_tiktok_pulls_ends_in_the_inbox(client: TikTokClient, token: str) -> None:
    opened = client.init_draft(token, PullFromUrl(f"https://{HOST}/clip.mp4"))
    assert final_status(client, token, opened).status == "SEND_TO_USER_INBOX"


@pytest.mark.parametrize(
    ("post_mode", "ending"),
    [(PostMode.DIRECT_POST, "PUBLISH_COMPLETE"), (PostMode.MEDIA_UPLOAD, "SEND_TO_USER_INBOX")],
)
def test_a_photo_post_arrives_with_its_images_in_order(
    client: TikTokClient, simulator: Simulator, token: str, post_mode: PostMode, ending: str
) -> None:
    opened = client.init_photos(token, PHOTOS, URLS, cover_index=2, post_mode=post_mode)
    assert final_status(client, token, opened).status == ending
    (upload,) = simulator.uploads()
    assert upload["images"] == [hashlib.sha256(jpeg).hexdigest() for jpeg in JPEGS]
    assert upload["cover_index"] == 2
    assert upload["post_info"]["description"] == PHOTOS.description


def test_a_medium_that_is_not_there_fails_with_the_reason_to_correct(
    client: TikTokClient, token: str
) -> None:
    opened = client.init_photos(
        token, PHOTOS, [f"https://{HOST}/none.jpg"], cover_index=0, post_mode=PostMode.DIRECT_POST
    )
    status = final_status(client, token, opened)
    assert (status.status, status.fail_reason) == ("FAILED", "photo_pull_failed")
    assert explain_failure(status.fail_reason).verdict is Verdict.FIX


def test_a_domain_that_is_not_verified_is_not_pulled_from(client: TikTokClient, token: str) -> None:
    with pytest.raises(TikTokRejectedError, match="verify the domain") as caught:
        client.init_draft(token, PullFromUrl("https://elsewhere.example/clip.mp4?s=s3cret"))
    assert caught.value.code == "url_ownership_unverified"
    assert "s3cret" not in str(caught.value)


def test_a_task_is_cancelled_until_it_is_final(client: TikTokClient, token: str) -> None:
    opened = client.init_draft(token, plan_chunks(1_000))
    client.cancel(token, opened.publish_id)
    status = client.fetch_status(token, opened.publish_id)
    assert status == PublishStatus("FAILED", fail_reason="publish_cancelled")
    with pytest.raises(TikTokRejectedError) as caught:
        client.cancel(token, opened.publish_id)
    assert caught.value.code == "publish_not_cancellable"


def test_the_profile_is_that_of_the_account(
    client: TikTokClient, simulator: Simulator, token: str
) -> None:
    creator = simulator.accounts[0]
    fields = user_fields(["user.info.basic", "user.info.profile", "user.info.stats"])
    profile = client.user_info(token, fields)
    assert (profile.open_id, profile.username) == (creator["open_id"], creator["username"])
    assert profile.follower_count is not None
    assert client.user_info(token, user_fields(["user.info.basic"])).username is None
    with pytest.raises(TikTokAuthError):
        client.user_info("act.unknown", ["open_id"])


def test_the_videos_of_an_account_are_listed_page_by_page_and_found_by_id(
    client: TikTokClient, simulator: Simulator, token: str
) -> None:
    for n in range(3):
        pull = PullFromUrl(f"https://{HOST}/clip.mp4?n={n}")
        opened = client.init_video(token, VideoPost(f"Spring {n} 🌱", "PUBLIC_TO_EVERYONE"), pull)
        assert final_status(client, token, opened).status == "PUBLISH_COMPLETE"
    first = client.list_videos(token, max_count=2)
    second = client.list_videos(token, cursor=first.cursor, max_count=2)
    assert (len(first.videos), first.has_more, second.has_more) == (2, True, False)
    videos = first.videos + second.videos
    assert [video.title for video in videos] == ["Spring 2 🌱", "Spring 1 🌱", "Spring 0 🌱"]
    assert {video.id for video in videos} == {post["post_id"] for post in simulator.posts()}
    oldest = videos[-1]
    assert client.query_videos(token, [oldest.id, "1"]) == (oldest,)
