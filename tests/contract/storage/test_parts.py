"""The contract of one part of an upload: who writes it, what counts, what stays."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from reelflow.exceptions import (
    ContentMismatchError,
    PartBusyError,
    StorageFullError,
    StorageUnavailableError,
    UploadNotFoundError,
)
from reelflow.storage.base import MultipartUpload
from tests.contract.storage.another_process import AnotherProcess
from tests.contract.storage.stores import Place, S3Server, Store, put_part

MIB = 1024 * 1024
KEY = "media/7.mp4"
PART = b"1" * 5 * MIB
END = b"the end"
FULL = Path("/dev/full")
SHA256 = hashlib.sha256(PART).hexdigest()


@pytest.fixture
def upload(store: Store) -> MultipartUpload:
    return store.begin(KEY, size_bytes=len(PART + END), part_size_bytes=5 * MIB)


def content(store: Store) -> bytes:
    with store.open(KEY) as reader:
        return reader.read_at(0, reader.size_bytes)


def test_a_part_is_hashed_for_who_says_what_it_must_hash_to(
    store: Store, upload: MultipartUpload
) -> None:
    assert put_part(store, upload, 1, PART, sha256=SHA256) == SHA256
    assert put_part(store, upload, 1, PART, sha256=SHA256) == SHA256
    assert put_part(store, upload, 2, END) in (None, hashlib.sha256(END).hexdigest())


def test_a_block_may_be_used_for_others_once_it_is_written(
    store: Store, upload: MultipartUpload
) -> None:
    block = bytearray(b"1" * MIB)
    with store.open_part(upload, 1) as part:
        for _ in range(5):
            block[:] = b"1" * MIB
            part.write(memoryview(block))
            block[:] = b"0" * MIB
        part.commit()
    put_part(store, upload, 2, END)
    store.complete(upload)
    assert content(store) == PART + END


class TestUnfinished:
    @pytest.mark.parametrize("sent_bytes", [0, 1, len(PART) - 1, len(PART)])
    def test_a_part_that_is_left_without_a_commit_is_missing_and_the_others_are_not(
        self, store: Store, upload: MultipartUpload, sent_bytes: int
    ) -> None:
        put_part(store, upload, 2, END)
        with store.open_part(upload, 1) as part:
            part.write(b"0" * sent_bytes)
        with suppress(ConnectionError), store.open_part(upload, 1) as part:
            part.write(b"0" * sent_bytes)
            raise ConnectionError
        assert store.missing_parts(upload) == [1]
        put_part(store, upload, 1, PART)
        store.complete(upload)
        assert content(store) == PART + END

    @pytest.mark.parametrize("sent", [b"", PART[:-1]], ids=["empty", "too short"])
    def test_a_part_that_is_too_short_is_missing(
        self, store: Store, upload: MultipartUpload, sent: bytes
    ) -> None:
        with pytest.raises(ContentMismatchError, match="ends after") as caught:
            put_part(store, upload, 1, sent)
        assert caught.value.code == "chunk_length"
        assert store.missing_parts(upload) == [1, 2]

    def test_a_part_that_is_too_long_is_missing_and_spoils_no_other(
        self, store: Store, upload: MultipartUpload
    ) -> None:
        put_part(store, upload, 2, END)
        with store.open_part(upload, 1) as part:
            part.write(PART)
            with pytest.raises(ContentMismatchError, match="goes on") as caught:
                part.write(b"x")
        assert caught.value.code == "chunk_length"
        assert store.missing_parts(upload) == [1]
        put_part(store, upload, 1, PART)
        store.complete(upload)
        assert content(store) == PART + END

    def test_a_part_with_another_hash_is_missing(
        self, store: Store, upload: MultipartUpload
    ) -> None:
        with pytest.raises(ContentMismatchError, match=f"not {SHA256}.*send it again") as caught:
            put_part(store, upload, 2, END, sha256=SHA256)
        assert caught.value.code == "chunk_digest"
        assert store.missing_parts(upload) == [1, 2]

    def test_a_process_that_is_killed_leaves_its_part_missing_and_free(
        self, place: Place, upload: MultipartUpload
    ) -> None:
        half = "0" * 1000
        with AnotherProcess(place, "hold_part", json.dumps(asdict(upload)), "1", half) as writer:
            writer.wait_until_ready()
            writer.go()
            writer.wait_until_written()
            if not place.is_s3:  # where nothing tells of another process
                with pytest.raises(PartBusyError):
                    put_part(place.store, upload, 1, PART)
            put_part(place.store, upload, 2, END)
            writer.process.kill()
            writer.process.wait()
            assert place.store.missing_parts(upload) == [1]
            put_part(place.store, upload, 1, PART)
        place.store.complete(upload)
        assert content(place.store) == PART + END


class TestTwoWriters:
    def test_the_second_is_refused_and_changes_nothing(
        self, store: Store, upload: MultipartUpload
    ) -> None:
        with store.open_part(upload, 1) as part:
            part.write(PART[:100])
            with pytest.raises(PartBusyError, match="another request") as caught:
                put_part(store, upload, 1, b"2" * len(PART))
            assert (caught.value.code, caught.value.retry_after_s) == ("chunk_busy", 1)
            put_part(store, upload, 2, END)
            part.write(PART[100:])
            part.commit()
        store.complete(upload)
        assert content(store) == PART + END

    def test_the_part_is_free_once_the_first_left_it(
        self, store: Store, upload: MultipartUpload
    ) -> None:
        with store.open_part(upload, 1):
            pass
        put_part(store, upload, 1, PART)
        with pytest.raises(ConnectionError), store.open_part(upload, 2):
            raise ConnectionError
        put_part(store, upload, 2, END)
        assert store.missing_parts(upload) == []

    def test_the_same_part_of_another_upload_is_free(
        self, store: Store, upload: MultipartUpload
    ) -> None:
        other = store.begin("media/8.mp4", size_bytes=1, part_size_bytes=5 * MIB)
        with store.open_part(upload, 1):
            put_part(store, other, 1, b"x")
        assert store.missing_parts(other) == []


class TestRepeatedParts:
    def test_the_same_bytes_again_are_fine(self, store: Store, upload: MultipartUpload) -> None:
        for sha256 in (None, SHA256, None):
            put_part(store, upload, 1, PART, sha256=sha256)
            assert store.missing_parts(upload) == [2]
        put_part(store, upload, 2, END)
        put_part(store, upload, 2, END)
        store.complete(upload)
        assert content(store) == PART + END

    @pytest.mark.parametrize(
        ("sent", "sha256", "code"),
        [
            (b"0" + PART[1:], None, "chunk_differs"),
            (PART[:-1] + b"0", None, "chunk_differs"),
            (b"2" * len(PART), hashlib.sha256(b"2" * len(PART)).hexdigest(), "chunk_differs"),
            (b"2" * len(PART), SHA256, "chunk_digest"),
            (PART, hashlib.sha256(END).hexdigest(), "chunk_digest"),
            (PART[:-1], None, "chunk_length"),
            (PART + b"1", None, "chunk_length"),
        ],
        ids=["first", "last", "declared", "damaged", "lied about", "short", "long"],
    )
    def test_other_bytes_are_refused_and_the_stored_ones_stay(
        self, store: Store, upload: MultipartUpload, sent: bytes, sha256: str | None, code: str
    ) -> None:
        put_part(store, upload, 1, PART)
        put_part(store, upload, 2, END)
        with pytest.raises(ContentMismatchError) as caught:
            put_part(store, upload, 1, sent, sha256=sha256)
        assert caught.value.code == code
        assert store.missing_parts(upload) == []
        store.complete(upload)
        assert content(store) == PART + END


class TestAnEndMeanwhile:
    @pytest.mark.parametrize("is_there", [False, True], ids=["a missing part", "a repeated part"])
    def test_a_part_of_an_upload_that_was_aborted_does_not_count(
        self, place: Place, upload: MultipartUpload, is_there: bool
    ) -> None:
        store = place.store
        if is_there:
            put_part(store, upload, 1, PART)
        with store.open_part(upload, 1) as part:
            part.write(PART)
            store.abort(upload)
            if is_there and place.is_s3:
                part.commit()  # which asks for nothing any more
            else:
                with pytest.raises(UploadNotFoundError):
                    part.commit()
        assert list(store.begun()) == []
        assert store.stat(KEY) is None

    def test_an_upload_is_not_completed_while_a_part_is_on_its_way(
        self, store: Store, upload: MultipartUpload
    ) -> None:
        put_part(store, upload, 2, END)
        with store.open_part(upload, 1) as part:
            part.write(PART)
            with pytest.raises(ContentMismatchError) as caught:
                store.complete(upload)
            assert caught.value.context["missing"] == [1]
            part.commit()
        assert store.complete(upload).size_bytes == len(PART + END)

    def test_what_is_completed_is_not_changed_by_a_part_that_comes_late(
        self, place: Place, upload: MultipartUpload
    ) -> None:
        store = place.store
        put_part(store, upload, 1, PART)
        put_part(store, upload, 2, END)
        with store.open_part(upload, 1) as late:
            late.write(b"2" * MIB)
            info = store.complete(upload)
            late.write(b"2" * 4 * MIB)
            with pytest.raises((UploadNotFoundError, ContentMismatchError)):
                late.commit()
        assert content(store) == PART + END
        found = store.stat(KEY)
        assert found is not None
        assert found.identity == info.identity


class TestFullDisks:
    def test_a_part_for_which_the_store_has_no_room_is_missing(
        self, place: Place, upload: MultipartUpload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as full:
            if place.is_s3:
                # Whose blocks lie on this machine until they are sent.
                full.setattr(tempfile, "TemporaryFile", partial(Path.open, FULL, "r+b", 0))
            else:
                full.setattr(os, "pwritev", lambda _fd, blocks, _at: FULL.write_bytes(blocks[0]))
            with pytest.raises(StorageFullError, match="no room"):
                put_part(place.store, upload, 1, PART)
        assert place.store.missing_parts(upload) == [1, 2]
        put_part(place.store, upload, 1, PART)
        assert place.store.missing_parts(upload) == [2]

    def test_a_part_that_the_store_refuses_is_missing(
        self,
        place: Place,
        upload: MultipartUpload,
        monkeypatch: pytest.MonkeyPatch,
        request: pytest.FixtureRequest,
    ) -> None:
        with monkeypatch.context() as broken:
            if place.is_s3:
                server: S3Server = request.getfixturevalue("s3_server")
                server.fault("PUT", "partNumber=1", status=503, code="ServiceUnavailable")
            else:
                broken.setattr(os, "fdatasync", refuse)
            with pytest.raises(StorageUnavailableError):
                put_part(place.store, upload, 1, PART)
        assert place.store.missing_parts(upload) == [1, 2]
        put_part(place.store, upload, 1, PART)
        assert place.store.missing_parts(upload) == [2]


def refuse(*_: object) -> None:
    raise OSError(5, "Input/output error")
