"""What only a folder has of uploads in parts: what is on the disk when, and who ends them."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reelflow.exceptions import (
    ContentMismatchError,
    ObjectExistsError,
    StorageUnavailableError,
    UploadNotFoundError,
)
from reelflow.storage import local_marks
from reelflow.storage.base import MultipartUpload
from reelflow.storage.local_store import LocalStore
from tests.contract.storage.disk_log import log_disk
from tests.contract.storage.stores import DEADLINE_S, put_part
from tests.integration.simulator_process import wait_until

MIB = 1024 * 1024
KEY = "media/7.mp4"
PART = b"1" * 5 * MIB


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    root.mkdir()
    return root


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


@pytest.fixture
def relaxed(root: Path) -> LocalStore:
    return LocalStore(root, durable=False)


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the machine says which boot this is, in a file that can be changed."""
    path = tmp_path / "boot_id"
    path.write_text("00000000-0000-0000-0000-000000000001\n")
    monkeypatch.setattr(local_marks, "_BOOT_ID", path)
    local_marks._boot_id.cache_clear()
    yield path
    local_marks._boot_id.cache_clear()


def start_anew(boot: Path) -> None:
    boot.write_text("00000000-0000-0000-0000-000000000002\n")
    local_marks._boot_id.cache_clear()


@pytest.fixture
def told(store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the disk was told to keep, in which order."""
    store.put("media/other", b"x", size_bytes=1)  # so that the folders are there
    return log_disk(root, monkeypatch)


def begin(store: LocalStore, *, size_bytes: int = len(PART) + 1) -> MultipartUpload:
    return store.begin(KEY, size_bytes=size_bytes, part_size_bytes=5 * MIB)


class TestDurableParts:
    def test_a_part_is_on_the_disk_before_it_counts(
        self, store: LocalStore, told: list[str]
    ) -> None:
        upload = begin(store)
        assert sorted(told) == [
            ".uploads",
            *(f".uploads/*.{one}" for one in ("data", "json", "received")),
        ]
        told.clear()
        put_part(store, upload, 1, PART)
        assert told == [".uploads/*.data", ".uploads/*.received"]

    def test_the_disk_begins_to_write_a_part_before_all_of_it_came(
        self, store: LocalStore, relaxed: LocalStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload = begin(store)
        begun: list[tuple[int, int]] = []
        monkeypatch.setattr(
            os, "posix_fadvise", lambda _fd, offset, count, _how: begun.append((offset, count))
        )
        with store.open_part(upload, 1) as part:
            part.write(PART[:100], PART[100:150])
            part.write(PART[150:200])
        assert begun == [(0, 150), (150, 50)]
        with relaxed.open_part(upload, 1) as part:
            part.write(PART)
        assert len(begun) == 2

    def test_what_is_completed_needs_no_more_than_its_name(
        self, store: LocalStore, told: list[str]
    ) -> None:
        upload = begin(store, size_bytes=1)
        put_part(store, upload, 1, b"x")
        told.clear()
        store.complete(upload)
        assert told == ["named 7.mp4", "media"]

    def test_a_part_that_the_disk_refuses_does_not_count(
        self, store: LocalStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload = begin(store, size_bytes=1)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", refuse)
            with pytest.raises(StorageUnavailableError):
                put_part(store, upload, 1, b"x")
        assert store.missing_parts(upload) == [1]


class TestRelaxedParts:
    def test_a_part_counts_at_once_and_the_whole_is_on_the_disk_before_its_name_is(
        self, relaxed: LocalStore, told: list[str]
    ) -> None:
        upload = begin(relaxed)
        told.clear()
        put_part(relaxed, upload, 1, PART)
        put_part(relaxed, upload, 2, b"x")
        assert (told, relaxed.missing_parts(upload)) == ([], [])
        relaxed.complete(upload)
        assert told == [".uploads/*.data", "named 7.mp4", "media"]

    def test_a_durable_store_goes_on_with_it(
        self, store: LocalStore, relaxed: LocalStore, told: list[str]
    ) -> None:
        upload = begin(relaxed)
        put_part(relaxed, upload, 1, PART)
        put_part(store, upload, 2, b"x")
        told.clear()
        assert store.missing_parts(upload) == []
        store.complete(upload)
        assert told[0] == ".uploads/*.data"

    def test_once_the_machine_started_anew_only_what_is_on_the_disk_counts(
        self, store: LocalStore, relaxed: LocalStore, boot: Path
    ) -> None:
        upload = begin(relaxed)
        put_part(store, upload, 1, PART)
        put_part(relaxed, upload, 2, b"x")
        assert relaxed.missing_parts(upload) == []
        start_anew(boot)
        assert relaxed.missing_parts(upload) == [2]
        with pytest.raises(ContentMismatchError, match="lacks 1 of 2 parts"):
            relaxed.complete(upload)
        put_part(relaxed, upload, 2, b"y")
        assert relaxed.missing_parts(upload) == []
        relaxed.complete(upload)
        with store.open(KEY) as reader:
            assert reader.read_at(len(PART), 1) == b"y"

    def test_an_upload_of_an_earlier_start_goes_on_durably(
        self, relaxed: LocalStore, boot: Path, told: list[str]
    ) -> None:
        upload = begin(relaxed)
        start_anew(boot)
        told.clear()
        put_part(relaxed, upload, 1, PART)
        assert told == [".uploads/*.data", ".uploads/*.received"]

    def test_a_machine_that_does_not_tell_its_starts_keeps_parts_durably(
        self, relaxed: LocalStore, boot: Path, told: list[str]
    ) -> None:
        boot.unlink()
        local_marks._boot_id.cache_clear()
        upload = begin(relaxed)
        told.clear()
        put_part(relaxed, upload, 1, PART)
        assert told == [".uploads/*.data", ".uploads/*.received"]
        assert relaxed.missing_parts(upload) == [2]

    def test_what_the_disk_refuses_at_the_end_is_missing_again(
        self, store: LocalStore, relaxed: LocalStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload = begin(relaxed)
        put_part(store, upload, 1, PART)
        put_part(relaxed, upload, 2, b"x")
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", refuse)
            with pytest.raises(StorageUnavailableError):
                relaxed.complete(upload)
        assert relaxed.missing_parts(upload) == [2]
        assert relaxed.stat(KEY) is None


class TestCompleting:
    def test_of_two_who_complete_it_at_once_one_does(self, store: LocalStore, root: Path) -> None:
        upload = begin(store, size_bytes=1)
        put_part(store, upload, 1, b"x")
        data = root / ".uploads" / f"{upload.upload_id}.data"
        with data.open() as first, ThreadPoolExecutor(1) as executor:
            fcntl.flock(first, fcntl.LOCK_EX)
            second = executor.submit(store.complete, upload)
            waiting = re.compile(rf"-> FLOCK .*:{data.stat().st_ino} ")
            wait_until(lambda: waiting.search(Path("/proc/locks").read_text()), "it waits")
            data.rename(root / "published")
            data.with_suffix(".received").unlink()
            fcntl.flock(first, fcntl.LOCK_UN)
            with pytest.raises(UploadNotFoundError):
                second.result(DEADLINE_S)
        assert store.stat(KEY) is None

    def test_one_that_a_crash_left_half_done_is_finished(
        self, store: LocalStore, root: Path
    ) -> None:
        upload = begin(store, size_bytes=1)
        put_part(store, upload, 1, b"x")
        (root / KEY).parent.mkdir()
        os.link(root / ".uploads" / f"{upload.upload_id}.data", root / KEY)
        assert store.complete(upload, only_if_absent=True).size_bytes == 1
        assert list((root / ".uploads").iterdir()) == []
        assert (root / KEY).read_bytes() == b"x"

    def test_what_another_put_there_meanwhile_stays(self, store: LocalStore) -> None:
        upload = begin(store, size_bytes=1)
        put_part(store, upload, 1, b"x")
        store.put(KEY, b"y", size_bytes=1)
        with pytest.raises(ObjectExistsError):
            store.complete(upload, only_if_absent=True)
        assert store.missing_parts(upload) == []


def test_a_caller_s_own_trouble_with_the_system_is_not_the_store_s(store: LocalStore) -> None:
    upload = begin(store)
    with pytest.raises(ConnectionResetError), store.open_part(upload, 1):
        raise ConnectionResetError(errno.ECONNRESET, "of the client")


def refuse(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")
