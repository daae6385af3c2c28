"""The contract of uploads in parts."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from reelflow.exceptions import (
    ContentMismatchError,
    ObjectExistsError,
    UploadNotFoundError,
)
from reelflow.storage.base import MultipartUpload
from reelflow.storage.keys import key_of
from reelflow.storage.s3 import S3Store
from tests.contract.storage.stores import Place, S3Server, Store, open_store, put_part

MIB = 1024 * 1024
KEY = "media/7.mp4"
PARTS = [b"1" * 5 * MIB, b"2" * 5 * MIB, b"3"]
CONTENT = b"".join(PARTS)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def begin(store: Store) -> MultipartUpload:
    return store.begin(KEY, size_bytes=len(CONTENT), part_size_bytes=5 * MIB)


def send(store: Store, upload: MultipartUpload, *numbers: int) -> None:
    for number in numbers:
        put_part(store, upload, number, PARTS[number - 1])


def read(store: Store) -> bytes:
    with store.open(KEY) as reader:
        return reader.read_at(0, reader.size_bytes)


def test_parts_in_any_order_become_one_object(store: Store) -> None:
    upload = begin(store)
    assert store.missing_parts(upload) == [1, 2, 3]
    send(store, upload, 3, 1)
    assert store.missing_parts(upload) == [2]
    assert store.stat(KEY) is None
    assert list(store.list()) == []
    put_part(store, upload, 2, PARTS[1], sha256=sha256(PARTS[1]))
    info = store.complete(upload, sha256=sha256(CONTENT))
    assert store.stat(KEY) == replace(info, modified_at=store.stat(KEY).modified_at)  # type: ignore[union-attr]
    assert read(store) == CONTENT
    assert list(store.begun()) == []


def test_another_process_goes_on_with_an_upload(place: Place) -> None:
    upload = begin(place.store)
    send(place.store, upload, 1)
    another = open_store(place.where)
    assert another.missing_parts(upload) == [2, 3]
    send(another, upload, 2, 3)
    assert another.complete(upload).size_bytes == len(CONTENT)
    assert read(place.store) == CONTENT


def test_how_many_parts_are_there_is_known_after_each(place: Place) -> None:
    upload = begin(place.store)
    assert place.store.received_parts(upload) == 0
    for number in (3, 1, 1):
        send(place.store, upload, number)
    assert place.store.received_parts(upload) == 2
    another = open_store(place.where)
    assert another.received_parts(upload) == 2
    send(another, upload, 2)
    assert another.received_parts(upload) == 3


def test_s3_does_not_list_all_parts_after_each(s3_store: S3Store, s3_server: S3Server) -> None:
    upload = begin(s3_store)
    for number in (1, 2, 3):
        send(s3_store, upload, number)
        assert s3_store.received_parts(upload) == number
    asked = [call["url"] for call in s3_server.calls() if call["method"] == "GET"]
    assert len([url for url in asked if "max-parts=1" not in url]) == 1


def test_what_lacks_parts_is_not_completed(store: Store) -> None:
    upload = begin(store)
    send(store, upload, 1, 3)
    with pytest.raises(ContentMismatchError, match=r"lacks 1 of 3 parts.*part 2") as caught:
        store.complete(upload)
    assert (caught.value.code, caught.value.context["missing"]) == ("parts_missing", [2])
    assert store.stat(KEY) is None
    send(store, upload, 2)
    assert store.complete(upload).size_bytes == len(CONTENT)


def test_a_whole_with_another_hash_is_not_stored(store: Store) -> None:
    upload = begin(store)
    send(store, upload, 1, 2, 3)
    with pytest.raises(ContentMismatchError, match=f"{sha256(CONTENT)}, not {sha256(b'other')}"):
        store.complete(upload, sha256=sha256(b"other"))
    assert store.stat(KEY) is None


def test_completing_replaces_what_is_there_unless_told_otherwise(store: Store) -> None:
    store.put(KEY, b"old", size_bytes=3)
    upload = begin(store)
    send(store, upload, 1, 2, 3)
    with pytest.raises(ObjectExistsError, match=KEY):
        store.complete(upload, only_if_absent=True)
    assert read(store) == b"old"
    store.complete(upload)
    assert read(store) == CONTENT


def test_begun_uploads_are_listed_until_they_are_aborted(store: Store) -> None:
    names = ["a b+c%😀", "a b+c%😀", "ä", "x", "x", "x", "z"]
    uploads = [
        store.begin(key_of("media", name), size_bytes=1, part_size_bytes=5 * MIB) for name in names
    ]
    put_part(store, uploads[0], 1, b"x")
    begun = list(store.begun())
    assert {(found.upload_id, found.key) for found in begun} == {
        (upload.upload_id, upload.key) for upload in uploads
    }
    assert len(begun) == len(names)
    assert all(found.begun_at.tzinfo for found in begun)
    for upload in (begun[0], *uploads[1:], *uploads):
        store.abort(upload)
    assert list(store.begun()) == []


@pytest.mark.parametrize("how", ["aborted", "completed", "never begun", "hostile"])
def test_an_upload_that_is_no_more_is_not_found(store: Store, how: str) -> None:
    upload = begin(store)
    send(store, upload, 1, 2, 3)
    match how:
        case "aborted":
            store.abort(upload)
        case "completed":
            store.complete(upload)
        case "never begun":
            upload = replace(upload, upload_id="0" * 32)
        case "hostile":
            upload = replace(upload, upload_id="../../etc/passwd")
    with pytest.raises(UploadNotFoundError, match=KEY):
        send(store, upload, 1)
    with pytest.raises(UploadNotFoundError, match=KEY):
        store.missing_parts(upload)
    if how != "hostile":
        store.abort(upload)


@pytest.mark.parametrize(
    ("size_bytes", "part_size_bytes"),
    [(0, 5 * MIB), (-1, 5 * MIB), (1, 5 * MIB - 1), (1, 64 * MIB + 1), (50_000 * MIB + 1, 5 * MIB)],
)
def test_sizes_that_no_store_takes_are_refused(
    store: Store, size_bytes: int, part_size_bytes: int
) -> None:
    with pytest.raises(ValueError, match="parts"):
        store.begin(KEY, size_bytes=size_bytes, part_size_bytes=part_size_bytes)


@pytest.mark.parametrize("number", [0, -1, 4])
def test_a_part_that_the_upload_has_not_is_refused(store: Store, number: int) -> None:
    with pytest.raises(ValueError, match="parts 1 to 3"):
        put_part(store, begin(store), number, b"3")
