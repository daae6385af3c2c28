"""Fixtures of the client's tests: a small server that is real, and a client that does not wait."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reelflow.client.journal import UploadJournal
from reelflow.client.retries import Patience, Retries
from reelflow.client.server import ReelflowServer
from reelflow.client.submission import LocalPost, Submission
from reelflow.client.transport import Timeouts
from reelflow.client.uploader import LocalFile, Uploader
from reelflow.domain.photos import photo_post_sha256
from reelflow.domain.post import PostKind
from reelflow.source import open_file
from tests.scripted_intake import KEY, ScriptedIntake

PATIENCE = Patience(first_pause_s=1, longest_pause_s=8, give_up_after_s=20)


class Pauses(list[float]):
    """Waits in no time, and remembers how long it would have been."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def server() -> Iterator[ScriptedIntake]:
    with ScriptedIntake() as server:
        yield server


@pytest.fixture
def api(server: ScriptedIntake) -> Iterator[ReelflowServer]:
    timeouts = Timeouts(connect_s=5, silence_s=5, answer_s=1)
    with ReelflowServer(f"{server.url}/reelflow/api/v1", KEY, timeouts) as api:
        yield api


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def retries(pauses: Pauses) -> Callable[[], Retries]:
    return lambda: Retries(PATIENCE, tell=lambda *_: None, sleep=pauses)


@pytest.fixture
def journal(tmp_path: Path) -> UploadJournal:
    return UploadJournal(tmp_path / "state" / "uploads")


@pytest.fixture
def uploader(
    api: ReelflowServer, journal: UploadJournal, retries: Callable[[], Retries]
) -> Uploader:
    return Uploader(api, journal, retries)


@pytest.fixture
def submission(
    api: ReelflowServer, uploader: Uploader, retries: Callable[[], Retries]
) -> Submission:
    return Submission(api, uploader, retries)


def local_file(path: Path, content: bytes, media_type: str = "video") -> LocalFile:
    """Write a file, and return it as if it had been checked."""
    path.write_bytes(content)
    with open_file(path) as source:
        identity = source.identity
    sha256 = hashlib.sha256(content).hexdigest()
    content_type = "video/mp4" if media_type == "video" else "image/jpeg"
    return LocalFile(path, len(content), sha256, identity, content_type, media_type)


def local_video(file: LocalFile, **fields: object) -> LocalPost:
    """Return the post of a video."""
    given = {"caption": "Hi", "privacy_level": "SELF_ONLY", **fields}
    name = file.path.name
    return LocalPost(name, name, "acme", PostKind.VIDEO, (file,), file.sha256, given)


def local_photos(*files: LocalFile, **fields: object) -> LocalPost:
    """Return the post of images."""
    given = {"caption": "Hi", "privacy_level": "SELF_ONLY", "cover_index": 0, **fields}
    sha256 = photo_post_sha256([file.sha256 for file in files])
    return LocalPost("trail", "trail", "acme", PostKind.PHOTO, files, sha256, given)
