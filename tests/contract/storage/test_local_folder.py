"""What only a folder has: links, pipes, permissions, full disks and other disks."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reelflow.exceptions import (
    InvalidObjectKeyError,
    MediaUnreadableError,
    ObjectNotFoundError,
    SourceChangedError,
    StorageAccessError,
    StorageFullError,
    UploadNotFoundError,
)
from reelflow.storage.local_store import LocalStore
from tests.contract.storage.disk_log import log_disk
from tests.contract.storage.stores import put_part
from tests.full_disk import fill_disk
from tests.unprivileged import as_nobody_much, reachable_folder

MIB = 1024 * 1024
KEY = "media/7.mp4"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    root.mkdir()
    return root


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    if not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no other disk")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def put(store: LocalStore, key: str, content: bytes = b"video") -> str:
    return store.put(key, content, size_bytes=len(content)).identity


def keys(store: LocalStore, folder: str = "") -> list[str]:
    return [info.key for info in store.list(folder)]


class Unread:
    """Content that nobody may ask for."""

    def read(self, count: int, /) -> bytes:
        raise AssertionError(f"{count} bytes were read")


class TestWhatIsNoPlainFile:
    @pytest.fixture(params=["link", "dangling link", "pipe"])
    def key(self, request: pytest.FixtureRequest, root: Path) -> str:
        path = root / "inbox"
        path.mkdir()
        match request.param:
            case "link":
                (root / "secret").write_text("secret")
                (path / "x").symlink_to(root / "secret")
            case "dangling link":
                (path / "x").symlink_to("nowhere")
            case "pipe":
                os.mkfifo(path / "x")
        return "inbox/x"

    def test_it_is_listed_as_such_and_never_opened(self, store: LocalStore, key: str) -> None:
        info = store.stat(key)
        assert info is not None
        assert not info.is_plain
        assert info in list(store.list("inbox"))
        with pytest.raises(MediaUnreadableError, match=f"{key} is a link"), store.open(key):
            pytest.fail("opened it")

    def test_it_is_moved_and_deleted_itself(self, store: LocalStore, key: str, root: Path) -> None:
        secrets = list(root.glob("secret"))
        assert store.move(key, "quarantine/x")
        store.delete("quarantine/x")
        assert store.stat("quarantine/x") is None
        assert [path.read_text() for path in secrets] == ["secret"] * len(secrets)

    def test_a_put_replaces_it_and_not_what_it_leads_to(
        self, store: LocalStore, key: str, root: Path
    ) -> None:
        put(store, key, b"video")
        assert (root / key).read_bytes() == b"video"
        assert all(path.read_text() == "secret" for path in root.glob("secret"))


class TestLinksToFolders:
    @pytest.fixture(autouse=True)
    def outside(self, tmp_path: Path, root: Path) -> Path:
        outside = tmp_path / "outside"
        (outside / "x").mkdir(parents=True)
        (outside / "x" / "secret").write_text("secret")
        (root / "inbox" / "acme").mkdir(parents=True)
        (root / "inbox" / "acme" / "link").symlink_to(outside)
        return outside

    def test_no_path_leads_through_one(self, store: LocalStore, outside: Path) -> None:
        key = "inbox/acme/link/x/secret"
        assert store.stat(key) is None
        assert keys(store) == ["inbox/acme/link"]
        assert list(store.list("inbox/acme/link")) == []
        assert not store.move(key, KEY)
        store.delete(key)
        with pytest.raises((ObjectNotFoundError, InvalidObjectKeyError)), store.open(key):
            pytest.fail("opened it")
        with pytest.raises(InvalidObjectKeyError, match="not a file or a link"):
            put(store, key, b"changed")
        assert (outside / "x" / "secret").read_text() == "secret"

    def test_an_administrator_may_put_a_folder_of_ours_elsewhere(
        self, store: LocalStore, root: Path, outside: Path
    ) -> None:
        (root / "media").symlink_to(outside)
        put(store, KEY)
        assert (outside / "7.mp4").read_bytes() == b"video"
        assert [info.key for info in store.list("media")] == [KEY, "media/x/secret"]


class TestWhatComesBetweenLookAndOpen:
    @pytest.fixture
    def before_open(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Let somebody do something right before the system opens a name."""
        opened = os.open

        def prepare(name: str, step: Callable[[], object]) -> None:
            def open_later(path: str, flags: int, *rest: int, dir_fd: int | None = None) -> int:
                if path == name:
                    step()
                return opened(path, flags, *rest, dir_fd=dir_fd)

            monkeypatch.setattr(os, "open", open_later)

        return prepare

    @pytest.mark.parametrize("kind", ["link", "pipe"])
    def test_it_is_never_read(
        self, store: LocalStore, root: Path, before_open: Callable[..., None], kind: str
    ) -> None:
        put(store, "inbox/x")
        path = root / "inbox" / "x"
        (root / "secret").write_text("secret")

        def swap() -> None:
            path.unlink()
            path.symlink_to(root / "secret") if kind == "link" else os.mkfifo(path)

        before_open("x", swap)
        with pytest.raises((MediaUnreadableError, InvalidObjectKeyError)), store.open("inbox/x"):
            pytest.fail("opened it")

    @pytest.mark.parametrize("becomes", ["a link", "nothing"])
    def test_a_folder_that_is_none_any_more_is_not_looked_into_and_hides_no_other(
        self,
        store: LocalStore,
        root: Path,
        before_open: Callable[..., None],
        tmp_path: Path,
        becomes: str,
    ) -> None:
        put(store, "inbox/acme/x")
        put(store, "inbox/other/y")
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret").write_text("secret")
        folder = root / "inbox" / "acme"

        def swap() -> None:
            folder.rename(root / "moved")
            if becomes == "a link":
                folder.symlink_to(tmp_path / "outside")

        before_open("acme", swap)
        assert keys(store, "inbox") == ["inbox/other/y"]
        folder.unlink(missing_ok=True)
        (root / "moved").rename(folder)
        found = [info.key for info in store.look_into("inbox", depth=2)]
        assert found == ["inbox/acme", "inbox/other", "inbox/other/y"]

    def test_a_folder_that_is_closed_by_then_hides_no_other(
        self, store: LocalStore, before_open: Callable[..., None]
    ) -> None:
        def close() -> None:  # root may open everything
            raise PermissionError(errno.EACCES, "Permission denied")

        put(store, "inbox/acme/x")
        put(store, "inbox/other/y")
        before_open("acme", close)
        found = [info.key for info in store.look_into("inbox", depth=2)]
        assert found == ["inbox/acme", "inbox/other", "inbox/other/y"]

    def test_a_file_that_is_gone_by_then_hides_no_other(
        self, store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scanned = os.scandir

        @contextmanager
        def scan(folder: int) -> Iterator[list[os.DirEntry[str]]]:
            with scanned(folder) as entries:
                found = list(entries)
            (root / "inbox" / "a").unlink(missing_ok=True)
            yield found

        put(store, "inbox/a")
        put(store, "inbox/b")
        monkeypatch.setattr(os, "scandir", scan)
        assert keys(store, "inbox") == ["inbox/b"]


class TestOtherDisks:
    def test_an_object_is_moved_from_another_disk(
        self, store: LocalStore, root: Path, other_disk: Path
    ) -> None:
        (root / "inbox").symlink_to(other_disk)
        (other_disk / "a.mp4").write_bytes(b"v" * (3 * MIB + 1))
        info = store.stat("inbox/a.mp4")
        assert info is not None
        assert store.move("inbox/a.mp4", KEY, identity=info.identity)
        assert (root / KEY).read_bytes() == b"v" * (3 * MIB + 1)
        assert list(other_disk.iterdir()) == []
        assert list(store.begun()) == []

    def test_a_second_call_finishes_what_a_crash_left(
        self, store: LocalStore, root: Path, other_disk: Path
    ) -> None:
        (root / "inbox").symlink_to(other_disk)
        (other_disk / "a.mp4").write_bytes(b"video")
        put(store, KEY)  # the copy was whole, its source not deleted yet
        info = store.stat("inbox/a.mp4")
        assert info is not None
        assert store.move("inbox/a.mp4", KEY, identity=info.identity)
        assert list(other_disk.iterdir()) == []

    def test_a_target_is_replaced(self, store: LocalStore, root: Path, other_disk: Path) -> None:
        (root / "inbox").symlink_to(other_disk)
        (other_disk / "a.mp4").write_bytes(b"new")
        put(store, KEY, b"old")
        assert store.move("inbox/a.mp4", KEY)
        assert (root / KEY).read_bytes() == b"new"

    def test_a_second_call_finishes_what_a_crash_left_of_a_link(
        self, store: LocalStore, root: Path, other_disk: Path
    ) -> None:
        (root / "inbox").symlink_to(other_disk)
        put(store, "media/other")  # makes the folder
        for link in (other_disk / "a.mp4", root / KEY):
            link.symlink_to("nowhere")
        assert store.move("inbox/a.mp4", KEY)
        assert (root / KEY).readlink() == Path("nowhere")
        assert list(other_disk.iterdir()) == []

    @pytest.mark.parametrize("in_place", [True, False])
    def test_what_comes_in_the_place_of_a_copied_file_stays(
        self,
        store: LocalStore,
        root: Path,
        other_disk: Path,
        monkeypatch: pytest.MonkeyPatch,
        in_place: bool,
    ) -> None:
        (root / "inbox").symlink_to(other_disk)
        path = other_disk / "a.mp4"
        path.write_bytes(b"video")
        synced = os.fsync

        def sync_after_somebody_wrote(fd: int) -> None:
            if stat.S_ISREG(os.fstat(fd).st_mode):  # the copy, which is whole by now
                written = path if in_place else other_disk / "new"
                written.write_bytes(b"another video")
                written.rename(path)
            synced(fd)

        monkeypatch.setattr(os, "fsync", sync_after_somebody_wrote)
        assert store.move("inbox/a.mp4", KEY)
        assert (root / KEY).read_bytes() == b"video"
        assert path.read_bytes() == b"another video"

    def test_of_two_who_move_at_once_the_first_copy_stays(
        self,
        store: LocalStore,
        root: Path,
        other_disk: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Its identity is in the ledger by the time that the second is whole."""
        (root / "inbox").symlink_to(other_disk)
        (other_disk / "a.mp4").write_bytes(b"video")
        synced = os.fsync
        first = []

        def sync_after_the_first(fd: int) -> None:
            monkeypatch.setattr(os, "fsync", synced)
            assert LocalStore(root).move("inbox/a.mp4", KEY)
            first.append(store.stat(KEY))
            synced(fd)

        put(store, "media/other.mp4")  # makes the folders
        monkeypatch.setattr(os, "fsync", sync_after_the_first)  # the copy is whole by then
        assert store.move("inbox/a.mp4", KEY)
        assert [store.stat(KEY)] == first
        assert list(other_disk.iterdir()) == []
        assert list(store.begun()) == []

    def test_nothing_is_written_to_one(
        self, store: LocalStore, root: Path, other_disk: Path
    ) -> None:
        (root / "inbox").symlink_to(other_disk)
        with pytest.raises(StorageAccessError, match="another disk"):
            put(store, "inbox/a.mp4")
        assert list(store.begun()) == []


class TestFullDisk:
    @pytest.mark.parametrize(("disk_gib", "reserve_bytes"), [(100, 2**30), (10, 2**29)])
    def test_what_is_taken_in_leaves_a_reserve(
        self,
        store: LocalStore,
        monkeypatch: pytest.MonkeyPatch,
        disk_gib: int,
        reserve_bytes: int,
    ) -> None:
        free_bytes = reserve_bytes + 5 * MIB
        fill_disk(monkeypatch, free_bytes=free_bytes, disk_bytes=disk_gib * 2**30)
        store.check_room(5 * MIB)
        told = f"{5 * MIB + 1} bytes more cannot be taken in: .* {reserve_bytes} of them are kept"
        with pytest.raises(StorageFullError, match=told):
            store.check_room(5 * MIB + 1)
        put(store, KEY)  # the work on what is there goes on

    def test_a_put_too_large_is_refused_before_a_byte_is_read(self, store: LocalStore) -> None:
        with pytest.raises(StorageFullError, match=f"{KEY}: make room for its {2**60} bytes"):
            store.put(KEY, Unread(), size_bytes=2**60)
        assert list(store.begun()) == []

    def test_an_upload_too_large_is_refused_when_it_begins(self, store: LocalStore) -> None:
        with pytest.raises(StorageFullError, match=KEY):
            store.begin(KEY, size_bytes=600 * 2**30, part_size_bytes=64 * MIB)
        assert list(store.begun()) == []

    def test_what_it_takes_in_small_pieces_is_written_whole(
        self, store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            os, "pwritev", lambda fd, blocks, offset: os.pwrite(fd, blocks[0][:3], offset)
        )
        put(store, KEY, b"0123456789")
        assert (root / KEY).read_bytes() == b"0123456789"

    def test_an_upload_has_its_room_from_the_start(self, store: LocalStore, root: Path) -> None:
        upload = store.begin(KEY, size_bytes=12 * MIB, part_size_bytes=5 * MIB)
        status = (root / ".uploads" / f"{upload.upload_id}.data").stat()
        assert status.st_size == 12 * MIB
        assert status.st_blocks * 512 >= 12 * MIB
        inode = status.st_ino
        for number, part in enumerate((bytes(5 * MIB), bytes(5 * MIB), bytes(2 * MIB)), 1):
            put_part(store, upload, number, part)
        store.complete(upload)
        assert (root / KEY).stat().st_ino == inode


class TestWritersInPlace:
    @pytest.mark.parametrize("written", [b"VIDEO", b"video and more", b"v"])
    def test_a_file_that_is_written_to_while_it_is_read_is_noticed(
        self, store: LocalStore, root: Path, written: bytes
    ) -> None:
        put(store, KEY)
        os.utime(root / KEY, ns=(0, 0))
        with store.open(KEY) as reader:
            assert reader.read_at(0, 2) == b"vi"
            (root / KEY).write_bytes(written)
            with pytest.raises(SourceChangedError, match=f"{KEY} was replaced or written to"):
                reader.read_at(0, 5)


class TestLossOfPower:
    """What the disk was told to keep, in which order."""

    @pytest.fixture
    def told(self, store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        put(store, "inbox/a")
        put(store, "media/other")  # so that the folders are there
        return log_disk(root, monkeypatch)

    def test_a_file_is_there_before_its_name_is(self, store: LocalStore, told: list[str]) -> None:
        put(store, KEY)
        assert told == [".uploads/*.data", "named 7.mp4", "media"]

    def test_a_new_folder_is_there_before_what_lies_in_it(
        self, store: LocalStore, told: list[str]
    ) -> None:
        put(store, "new/7.mp4")
        assert told == [".uploads/*.data", ".", "named 7.mp4", "new"]

    def test_the_new_name_is_there_before_the_old_one_goes(
        self, store: LocalStore, told: list[str]
    ) -> None:
        assert store.move("inbox/a", KEY)
        assert told == ["named 7.mp4", "media", "inbox"]

    def test_what_was_deleted_stays_deleted(self, store: LocalStore, told: list[str]) -> None:
        store.delete("inbox/a")
        assert told == ["inbox"]


@pytest.mark.parametrize("end", ["complete", "abort"])
def test_an_upload_that_ended_leaves_nothing_aside(store: LocalStore, root: Path, end: str) -> None:
    upload = store.begin(KEY, size_bytes=1, part_size_bytes=5 * MIB)
    put_part(store, upload, 1, b"x")
    if end == "complete":
        store.complete(upload)
    else:
        store.abort(upload)
    assert list((root / ".uploads").iterdir()) == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_disk_without_hard_links_is_told(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StorageAccessError, match=f"{KEY}.*a disk that has hard links") as caught:
        store.put(KEY, b"video", size_bytes=5, only_if_absent=True)
    assert caught.value.code == "no_hard_links"
    assert keys(store) == []


def test_an_upload_of_a_hostile_name_writes_and_drops_nothing(
    store: LocalStore, root: Path
) -> None:
    upload = store.begin(KEY, size_bytes=1, part_size_bytes=5 * MIB)
    victims = [root / "victim.data", root / "victim.received"]
    for victim in victims:
        victim.write_bytes(b"video")
    for upload_id in ("../victim", str(root / "victim")):
        hostile = replace(upload, upload_id=upload_id)
        with pytest.raises(UploadNotFoundError):
            put_part(store, hostile, 1, b"x")
        store.abort(hostile)
    assert [victim.read_bytes() for victim in victims] == [b"video"] * 2
    assert [begun.upload_id for begun in store.begun()] == [upload.upload_id]


def test_names_that_are_no_utf_8_have_keys(store: LocalStore, root: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.mp4")
    (root / "inbox").mkdir()
    (root / "inbox" / name).write_bytes(b"video")
    assert keys(store) == ["inbox/%FF%FE.mp4"]
    assert store.move("inbox/%FF%FE.mp4", KEY)
    assert keys(store) == [KEY]


def test_a_file_is_no_place_for_a_store(root: Path) -> None:
    (root / "file").touch()
    store = LocalStore(root / "file")
    for use in (lambda: store.stat(KEY), lambda: keys(store), lambda: put(store, KEY)):
        with pytest.raises(StorageAccessError, match=r"/file does not exist: make it") as caught:
            use()
        assert caught.value.code == "storage_missing"


def test_a_name_that_no_disk_takes_is_refused_before_a_byte_is_read(store: LocalStore) -> None:
    key = f"media/{'x' * 256}"
    for use in (
        lambda: store.put(key, Unread(), size_bytes=1),
        lambda: store.begin(key, size_bytes=1, part_size_bytes=5 * MIB),
    ):
        with pytest.raises(InvalidObjectKeyError, match="more than 255 bytes"):
            use()
    assert list(store.begun()) == []


def test_a_folder_that_another_process_makes_first_is_used(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def make_again(*folder: Any, **at: Any) -> None:
        make(*folder, **at)
        make(*folder, **at)

    monkeypatch.setattr(os, "mkdir", make_again)
    put(store, KEY)
    assert keys(store) == [KEY]


def test_what_another_process_deletes_first_is_gone(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = os.unlink

    def unlink_again(*file: Any, **at: Any) -> None:
        unlink(*file, **at)
        unlink(*file, **at)

    put(store, KEY)
    with monkeypatch.context() as another:
        another.setattr(os, "unlink", unlink_again)
        store.delete(KEY)
    assert keys(store) == []


@pytest.mark.parametrize("kind", ["data", "json"])
def test_what_a_dead_put_left_is_listed_and_dropped(
    store: LocalStore, root: Path, kind: str
) -> None:
    put(store, KEY)
    leftover = root / ".uploads" / f"{'0' * 32}.{kind}"
    leftover.write_bytes(b"half")
    (root / ".uploads" / "strange.data").write_bytes(b"not ours")
    (root / ".uploads" / f"{'1' * 32}.received").touch()  # completed in this moment
    [begun] = store.begun()
    assert begun.key == ""
    store.abort(begun)
    assert not leftover.exists()
    assert keys(store) == [KEY]


def test_a_file_cannot_be_a_folder_too(store: LocalStore) -> None:
    put(store, "a", b"x")
    with pytest.raises(InvalidObjectKeyError, match="must be a folder"):
        put(store, "a/b", b"x")
    put(store, "c/d", b"x")
    with pytest.raises(InvalidObjectKeyError, match="'c' cannot be a path here"):
        put(store, "c", b"x")
    assert keys(store) == ["a", "c/d"]
    assert list(store.begun()) == []


def test_a_closed_folder_is_named() -> None:
    with reachable_folder() as root:
        store = LocalStore(root)
        (root / "inbox").mkdir(mode=0)
        try:
            told = as_nobody_much(lambda: str(keys(store)))
        finally:
            (root / "inbox").chmod(0o700)
    assert re.match(r"StorageAccessError: .*inbox.*give this user permission", told)
