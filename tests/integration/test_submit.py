"""`reelflow submit` as a process, against `reelflow serve` as another."""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from reelflow.domain.post import PostState
from reelflow.ledger import photo_images, posts
from reelflow.ledger.intake_models import UploadSession
from reelflow.ledger.models import Post
from tests import factories, media_files, photo_files
from tests.integration.intake_server import ON_BOTH_STORES, IntakeServer, serving_intake
from tests.integration.slow_road import SlowRoad
from tests.integration.web_process import SCRIPT

DEADLINE_S = 60.0
MIB = 1024 * 1024
#: Chunks of the server's default size take a second of it; some go at once.
ROAD_BYTES_PER_S = 16 * MIB
OPTIONS = ("--account", "acme", "--caption", "Hi", "--privacy", "SELF_ONLY")


class Sender:
    """Somebody who submits from a folder of their own."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REEL")},
            "REELFLOW_API_URL": url,
            "REELFLOW_API_KEY": key,
            "XDG_STATE_HOME": str(self.state),
        }

    def start(self, *words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SCRIPT, "submit", *map(str, words)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: object, code: int = 0) -> str:
        """Submit, and return all that was printed."""
        return ended(self.start(*words), code=code)


def ended(process: subprocess.Popen[str], *, code: int) -> str:
    """Return what a process printed in all, once it ended with this code."""
    try:
        printed = "".join(process.communicate(timeout=DEADLINE_S))
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code, printed
    return printed


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something is so, while a process runs."""
    ends_at = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, ended(process, code=process.returncode)
        assert time.monotonic() < ends_at
        time.sleep(0.01)


@pytest.fixture
def sender(serving: IntakeServer, tmp_path: Path) -> Sender:
    factories.make_account(serving.workspace, "acme")
    folder = tmp_path / "sender"
    folder.mkdir()
    return Sender(folder, serving.process.address, serving.anna)


@pytest.fixture
def road(serving: IntakeServer, sender: Sender) -> Iterator[SlowRoad]:
    """A slow road, which the sender takes."""
    with SlowRoad(serving.process.port, ROAD_BYTES_PER_S) as road:
        sender._environment["REELFLOW_API_URL"] = road.url
        yield road


def video(path: Path, *, size_mib: int = 0, letter: bytes = b"v") -> Path:
    """Write a video that is so much larger than it needs to be."""
    content = media_files.h264_mp4().read_bytes()
    if size_mib:
        size = size_mib * MIB
        content += struct.pack(">I4s", size, b"free").ljust(size, letter)
    path.write_bytes(content)
    return path


def photos(folder: Path) -> Path:
    folder.mkdir()
    for name in ("1.jpg", "2.jpg", "10.jpg"):
        (folder / name).write_bytes(photo_files.unique_image())
    return folder


def all_posts(serving: IntakeServer) -> list[Post]:
    with serving.workspace.ledger.read() as session:
        return list(session.scalars(select(Post).order_by(Post.id)))


def stored(serving: IntakeServer, post: Post) -> list[bytes]:
    """Return the bytes of a post's files, as the server keeps them."""
    with serving.workspace.ledger.read() as session:
        keys = [media.source_path for media in photo_images.media_of(session, post)]
    contents = []
    for key in keys:
        with serving.workspace.folders.store.open(key) as source:
            contents.append(source.read_at(0, source.size_bytes))
    return contents


@ON_BOTH_STORES
def test_files_and_folders_become_posts_and_the_same_again_sends_nothing(
    serving: IntakeServer, sender: Sender
) -> None:
    clip, trail = video(sender.folder / "clip.mp4", size_mib=20), photos(sender.folder / "trail")
    printed = sender.run("clip.mp4", "trail", *OPTIONS)
    assert "2 submitted." in printed
    assert serving.anna not in printed
    first, second = all_posts(serving)
    assert stored(serving, first) == [clip.read_bytes()]
    images = [(trail / name).read_bytes() for name in ("1.jpg", "2.jpg", "10.jpg")]
    assert stored(serving, second) == images
    assert (first.state, first.caption, first.user_id) == (PostState.READY, "Hi", "anna")
    shutil.rmtree(sender.state)
    assert "2 there already." in sender.run("clip.mp4", "trail", *OPTIONS)
    assert len(all_posts(serving)) == 2
    assert uploads_begun(serving) == 4


def uploads_begun(serving: IntakeServer) -> int:
    with serving.workspace.ledger.read() as session:
        return len(session.scalars(select(UploadSession.id)).all())


def test_ctrl_c_at_any_moment_says_how_to_go_on_and_nothing_is_posted_twice(
    serving: IntakeServer, sender: Sender, road: SlowRoad
) -> None:
    clip = video(sender.folder / "clip.mp4", size_mib=20)
    moments = random.Random(20261122)
    for _ in range(2):
        sent_before = road.sent_bytes
        process = sender.start("clip.mp4", *OPTIONS)
        stop_at = sent_before + moments.randrange(0, 14 * MIB)
        wait_until(lambda at=stop_at: road.sent_bytes > at, process)  # type: ignore[misc]
        pressed_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        printed = ended(process, code=130)
        assert "Run the same command again" in printed or "nothing was sent" in printed
        assert time.monotonic() - pressed_at < 5
        road.cut()  # what is on its way gets there no more
    # Another caption than the upload was begun with: what is wished last holds.
    sender.run("clip.mp4", "--account", "acme", "--caption", "Mended", "--privacy", "SELF_ONLY")
    (post,) = all_posts(serving)
    assert post.caption == "Mended"
    assert [sha256(one).digest() for one in stored(serving, post)] == [
        sha256(clip.read_bytes()).digest()
    ]
    assert uploads_begun(serving) == 1


def test_a_connection_that_is_lost_is_waited_for(
    serving: IntakeServer, sender: Sender, road: SlowRoad
) -> None:
    clip = video(sender.folder / "clip.mp4", size_mib=20)
    process = sender.start("clip.mp4", *OPTIONS)
    for sent_bytes in (4 * MIB, 12 * MIB):
        wait_until(lambda at=sent_bytes: road.sent_bytes > at, process)  # type: ignore[misc]
        road.cut()
    printed = ended(process, code=0)
    assert "Trying again in 1 s" in printed
    (post,) = all_posts(serving)
    assert stored(serving, post) == [clip.read_bytes()]
    assert uploads_begun(serving) == 1


def test_a_server_that_is_killed_and_started_anew_is_gone_on_with(
    serving: IntakeServer, sender: Sender, road: SlowRoad
) -> None:
    clip = video(sender.folder / "clip.mp4", size_mib=20)
    process = sender.start("clip.mp4", *OPTIONS)
    wait_until(lambda: road.sent_bytes > 8 * MIB, process)
    serving.process.process.kill()
    serving.process.wait()
    road.cut()
    with serving_intake(serving.settings) as again:
        road.port = again.process.port
        ended(process, code=0)
        (post,) = all_posts(again)
        assert stored(again, post) == [clip.read_bytes()]
    assert uploads_begun(serving) == 1


def table(sender: Sender, *rows: str) -> None:
    lines = ["file,account,caption,privacy_level,repost", *rows]
    (sender.folder / "posts.csv").write_text("\n".join(lines))


def test_a_table_with_a_wrong_row_sends_nothing(serving: IntakeServer, sender: Sender) -> None:
    video(sender.folder / "clip.mp4")
    shutil.copyfile(media_files.text_mp4(), sender.folder / "text.mp4")
    table(
        sender,
        "clip.mp4,acme,First,SELF_ONLY,",
        "text.mp4,acme,Second,SELF_ONLY,",
        "clip.mp4,acme,Third,EVERYBODY,",
        "none.mp4,acme,Fourth,SELF_ONLY,",
    )
    printed = sender.run("--from", "posts.csv", code=1)
    assert "3 of 4 posts cannot go, so nothing was sent" in printed
    assert "row 3, text.mp4" in printed
    assert "row 4: privacy_level is 'EVERYBODY'" in printed
    assert "row 5: " in printed
    assert uploads_begun(serving) == 0
    table(sender, "clip.mp4,acme,First,SELF_ONLY,", "clip.mp4,nobody,First,SELF_ONLY,")
    printed = sender.run("--from", "posts.csv", code=1)
    assert "row 3, clip.mp4: " in printed
    assert uploads_begun(serving) == 0


def test_a_table_run_again_sends_only_what_is_missing(
    serving: IntakeServer, sender: Sender
) -> None:
    video(sender.folder / "a.mp4", size_mib=1, letter=b"a")
    video(sender.folder / "b.mp4", size_mib=1, letter=b"b")
    photos(sender.folder / "trail")
    rows = [
        "a.mp4,acme,First,SELF_ONLY,",
        "trail,acme,Photos,SELF_ONLY,",
        "a.mp4,acme,Once more,SELF_ONLY,true",
    ]
    table(sender, *rows)
    assert "3 submitted." in sender.run("--from", "posts.csv")
    shutil.rmtree(sender.state)
    table(sender, *rows, "b.mp4,acme,New,SELF_ONLY,no")
    assert "1 submitted, 3 there already." in sender.run("--from", "posts.csv")
    assert [post.caption for post in all_posts(serving)] == ["First", "Photos", "Once more", "New"]
    assert uploads_begun(serving) == 6


@pytest.mark.parametrize(
    ("state", "code"),
    [(PostState.PUBLISHED, 0), (PostState.HELD, 3)],
)
def test_a_post_is_followed_to_its_end(
    serving: IntakeServer, sender: Sender, state: PostState, code: int
) -> None:
    video(sender.folder / "clip.mp4")
    process = sender.start("clip.mp4", *OPTIONS, "--watch")
    wait_until(lambda: bool(all_posts(serving)), process)
    with serving.workspace.ledger.write() as session:
        now = serving.workspace.ledger.now()
        posts.move(session, 1, state, now=now, actor="tests", why="as a test wants it")
    printed = ended(process, code=code)
    assert f"Post 1 (clip.mp4) is {state}" in printed
    if code:
        assert "why: as a test wants it." in printed


def test_a_key_that_may_only_read_is_refused(serving: IntakeServer, sender: Sender) -> None:
    video(sender.folder / "clip.mp4")
    sender._environment["REELFLOW_API_KEY"] = serving.carl
    printed = sender.run("clip.mp4", *OPTIONS, code=2)
    assert "write" in printed
    assert serving.carl not in printed
    assert uploads_begun(serving) == 0


def test_what_another_user_posted_is_refused_without_telling_which(
    serving: IntakeServer, sender: Sender
) -> None:
    clip = video(sender.folder / "clip.mp4")
    sender.run("clip.mp4", *OPTIONS)
    (post,) = all_posts(serving)
    # As validating does: of what is only told, others are not kept from posting the same.
    factories.change_post(serving.workspace, post.id, sha256=sha256(clip.read_bytes()).hexdigest())
    sender._environment["REELFLOW_API_KEY"] = serving.ben
    printed = sender.run("clip.mp4", *OPTIONS, code=1)
    assert "clip.mp4 was refused: the same bytes are another post on acme already" in printed
    assert len(all_posts(serving)) == 1
