"""Each way into Reelflow over HTTP, on a running stack: what was sent, and the post made of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import requests

from demo import environment as settings
from demo.stack import PRIVACY, Stack
from tests.e2e.scene import unique_video
from tests.integration.raw_client import CHUNK, RawClient
from tests.photo_files import unique_image

TIMEOUT_S: Final = 60


@dataclass(frozen=True)
class Sent:
    """A post that was made over HTTP, and what TikTok has to get for it.

    :param images: of a photo post; else there is ``video``
    """

    post_id: int
    video: bytes = b""
    images: tuple[bytes, ...] = ()

    @property
    def image_hashes(self) -> list[str]:
        """What the simulator tells of the images that it fetched."""
        return [sha256(image).hexdigest() for image in self.images]


@dataclass(frozen=True)
class Sender:
    """Somebody who sends files to one of a stack's servers.

    :param account: what the posts go to
    """

    client: RawClient
    folder: Path
    account: str

    def chunked(self) -> Sent:
        """Send a video in two chunks, and have its post made at the end."""
        video = self._video(size_bytes=CHUNK + 100_000)
        upload_id = self.client.sent(video)
        return Sent(_made(self.client.finalize(upload_id, post=self._post())), video)

    def form_chunked(self) -> Sent:
        """Send a chunk as a form, for a post that waits."""
        video = self._video()
        wanted = {**self._post(), "kind": "video"}
        post_id = _ok(self.client.call("POST", "/posts", json=wanted))["post_id"]
        upload_id = self.client.opened(video, post_id=post_id)
        _ok(self.client.put_form(upload_id, 0, video))
        assert _made(self.client.finalize(upload_id)) == post_id
        return Sent(post_id, video)

    def simple(self) -> Sent:
        """Send a video in one request."""
        video = self._video()
        fields = {"post": json.dumps(self._post())}
        files = {"file": ("clip.mp4", video, "video/mp4")}
        answer = self.client.call("POST", "/media/upload/simple", data=fields, files=files)
        return Sent(_made(answer), video)

    def images(self) -> Sent:
        """Send two images in one request, and make a post of them in the other order."""
        images = (unique_image(), unique_image())
        files = [("images", (f"{number}.jpg", data)) for number, data in enumerate(images)]
        taken = _ok(self.client.call("POST", "/media/upload/images", files=files))
        ids = [one["media_id"] for one in reversed(taken["media"])]
        answer = self.client.call("POST", "/posts", json={**self._post(), "media_ids": ids})
        return Sent(_ok(answer)["post_id"], images=images[::-1])

    def dashboard(self) -> Sent:
        """Send a video to the dashboard, and make a post of it afterwards."""
        video = self._video()
        session = _ok(self.client.call("POST", "/dashboard/upload"))["session_id"]
        files = {"file": ("clip.mp4", video, "video/mp4")}
        kept = _ok(self.client.call("POST", f"/dashboard/upload/{session}", files=files))
        wanted = {**self._post(), "media_ids": [kept["video_id"]]}
        return Sent(_ok(self.client.call("POST", "/posts", json=wanted))["post_id"], video)

    def direct(self) -> Sent:
        """Send a video straight to S3."""
        video = self._video()
        announced = {"filename": "clip.mp4", "file_size": len(video), "content_type": "video/mp4"}
        form = _ok(self.client.call("POST", "/upload/presigned-url", json=announced))
        with requests.Session() as session:
            session.trust_env = False
            stored = session.post(
                form["upload_url"],
                data=form["upload_fields"],
                files={"file": video},
                timeout=TIMEOUT_S,
            )
        assert stored.ok, stored.text
        job = {name: form[name] for name in ("job_id", "s3_key", "file_type")}
        answer = self.client.call("POST", "/upload/create-job", json={**job, "post": self._post()})
        return Sent(_made(answer), video)

    def _post(self) -> dict[str, Any]:
        caption = f"over HTTP {uuid.uuid4().hex[:6]}"
        return {"account": self.account, "caption": caption, "privacy_level": PRIVACY}

    def _video(self, *, size_bytes: int = 0) -> bytes:
        path = unique_video(self.folder / f"{uuid.uuid4().hex}.mp4", size_bytes=size_bytes)
        return path.read_bytes()


Flow = Callable[[Sender], Sent]
#: Each way in, wherever files are kept.
FLOWS: Final[list[Flow]] = [
    Sender.chunked,
    Sender.form_chunked,
    Sender.simple,
    Sender.images,
    Sender.dashboard,
]


def servers_of(stack: Stack) -> Iterator[RawClient]:
    """Give a client of `reelflow serve`, and one of Airflow's API server."""
    yield RawClient(stack.web_url, stack.api_key)
    body = {"username": settings.USER, "password": stack.password}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{stack.url}/auth/token", json=body, timeout=TIMEOUT_S)
    yield RawClient(f"{stack.url}{settings.API_PATH}", _ok(answer)["access_token"])


def _made(answer: requests.Response) -> int:
    """Return the id of the post that came of an upload."""
    post_id: int = _ok(answer)["post"]["post_id"]
    return post_id


def _ok(answer: requests.Response) -> dict[str, Any]:
    assert answer.ok, answer.text
    told: dict[str, Any] = answer.json()
    return told
