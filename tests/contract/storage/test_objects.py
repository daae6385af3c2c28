"""The contract of an object store: putting, reading, listing, moving, deleting."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes

import pytest
import requests

from reelflow.exceptions import (
    ContentMismatchError,
    InvalidObjectKeyError,
    MediaUnreadableError,
    ObjectExistsError,
    ObjectNotFoundError,
    SourceChangedError,
    StorageAccessError,
)
from reelflow.storage.keys import key_of
from tests.contract.storage.another_process import MIB, AnotherProcess
from tests.contract.storage.stores import Place, Store, open_store

KEY = "media/7.mp4"


def put(store: Store, key: str, content: bytes, **options: object) -> str:
    return store.put(key, content, size_bytes=len(content), **options).identity  # type: ignore[arg-type]


def read(store: Store, key: str, *, identity: str | None = None) -> bytes:
    with store.open(key, identity=identity) as reader:
        return reader.read_at(0, reader.size_bytes)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def keys(store: Store, folder: str = "") -> list[str]:
    return [info.key for info in store.list(folder)]


@pytest.fixture
def large() -> bytes:
    """More than a block and more than a put at once."""
    return bytes(range(256)) * (9 * MIB // 256)


@pytest.mark.parametrize("size_bytes", [0, 1, MIB, MIB + 1, 8 * MIB, 8 * MIB + 1])
def test_what_was_put_is_read_again(store: Store, size_bytes: int) -> None:
    content = (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]
    info = store.put(KEY, io.BytesIO(content), size_bytes=size_bytes, sha256=sha256(content))
    assert read(store, KEY, identity=info.identity) == content
    assert (info.key, info.size_bytes, info.is_plain) == (KEY, size_bytes, True)


def test_a_put_says_what_stat_and_list_say(store: Store) -> None:
    info = store.put(KEY, b"video", size_bytes=5)
    stat = store.stat(KEY)
    assert stat is not None
    assert list(store.list()) == [stat]
    assert (info.key, info.size_bytes, info.identity) == (KEY, 5, stat.identity)
    for modified_at in (info.modified_at, stat.modified_at):
        assert modified_at.tzinfo is UTC or modified_at.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - modified_at) < timedelta(minutes=1)


def test_a_put_replaces_what_is_there_and_changes_its_identity(store: Store) -> None:
    old, new = put(store, KEY, b"old"), put(store, KEY, b"new")
    assert old != new
    assert read(store, KEY) == b"new"


@pytest.mark.parametrize(
    ("offset", "count", "expected"),
    [(0, 4, b"0123"), (3, 4, b"3456"), (8, 9, b"89"), (10, 1, b""), (99, 1, b""), (4, 0, b"")],
)
def test_a_range_is_read_and_ends_with_the_object(
    store: Store, offset: int, count: int, expected: bytes
) -> None:
    put(store, KEY, b"0123456789")
    with store.open(KEY) as reader:
        assert reader.size_bytes == 10
        assert reader.read_at(offset, count) == expected


def test_nothing_is_found_where_nothing_is(store: Store) -> None:
    assert store.stat(KEY) is None
    assert keys(store) == keys(store, "media") == []
    store.delete(KEY)
    with pytest.raises(ObjectNotFoundError, match=KEY), store.open(KEY):
        pytest.fail("opened nothing")


def test_a_folder_is_no_object(store: Store) -> None:
    put(store, "media/7/cover.jpg", b"cover")
    store.delete("media/7")
    assert store.stat("media/7") is None
    assert not store.move("media/7", "media/8")
    with pytest.raises((ObjectNotFoundError, MediaUnreadableError), match="media/7"):
        store.open("media/7").__enter__()
    assert keys(store) == ["media/7/cover.jpg"]


def test_a_listing_gives_what_is_below_a_folder_in_the_order_of_its_bytes(store: Store) -> None:
    names = ["b", "a", "a b", "a.txt", "a-", "ä", "Z", "😀", "%41", "a~"]
    expected = {key_of("inbox", name) for name in names if name != "a"}
    expected |= {key_of("inbox", "a", name) for name in ("1", "b")}
    for key in [*expected, "inbox2/x", "inbox.txt", "other"]:
        put(store, key, b"x")
    listed = keys(store, "inbox")
    assert set(listed) == expected
    assert listed == sorted(listed, key=unquote_to_bytes)
    everything = keys(store)
    assert len(everything) == len(expected) + 3
    assert everything == sorted(everything, key=unquote_to_bytes)
    assert keys(store, "inbox/a") == ["inbox/a/1", "inbox/a/b"]


def test_a_deleted_object_is_gone(store: Store) -> None:
    put(store, KEY, b"video")
    store.delete(KEY)
    store.delete(KEY)
    assert store.stat(KEY) is None


class TestCreating:
    def test_the_first_stays(self, store: Store) -> None:
        put(store, KEY, b"first", only_if_absent=True)
        with pytest.raises(ObjectExistsError, match=f"{KEY}.*choose another name"):
            put(store, KEY, b"second", only_if_absent=True)
        assert read(store, KEY) == b"first"

    def test_the_first_stays_when_the_second_is_large(self, store: Store, large: bytes) -> None:
        put(store, KEY, b"first")
        with pytest.raises(ObjectExistsError):
            put(store, KEY, large, only_if_absent=True)
        assert read(store, KEY) == b"first"
        assert list(store.begun()) == []

    def test_of_processes_that_try_at_once_one_wins(self, place: Place) -> None:
        contents = ["of one process", "of the other process"]
        racers = [AnotherProcess(place, "create", KEY, content) for content in contents]
        with racers[0], racers[1]:
            for racer in racers:
                racer.wait_until_ready()
            for racer in racers:
                racer.go()
            outcomes = [racer.outcome() for racer in racers]
        assert sorted(outcomes) == ["ObjectExistsError", "created"]
        winner = contents[outcomes.index("created")]
        assert read(place.store, KEY) == winner.encode()


class TestContentThatIsNotAsAnnounced:
    @pytest.mark.parametrize("size_bytes", [4, 6, 9 * MIB])
    def test_another_size_is_refused(self, store: Store, size_bytes: int) -> None:
        with pytest.raises(ContentMismatchError, match=f"{size_bytes} bytes were announced"):
            store.put(KEY, io.BytesIO(b"video"), size_bytes=size_bytes)
        assert keys(store) == [] == list(store.begun())

    def test_another_hash_is_refused(self, store: Store, large: bytes) -> None:
        for content in (b"video", large):
            with pytest.raises(ContentMismatchError, match=f"SHA-256 {sha256(content)}"):
                put(store, KEY, content, sha256=sha256(b"photo"))
        assert keys(store) == [] == list(store.begun())

    def test_a_stream_that_breaks_leaves_nothing(self, store: Store) -> None:
        class Broken:
            def __init__(self) -> None:
                self.blocks: Iterator[bytes] = iter([bytes(9 * MIB)])

            def read(self, count: int, /) -> bytes:
                for block in self.blocks:
                    return block[:count]
                raise requests.ConnectionError("the sender is gone")

        put(store, KEY, b"old")
        with pytest.raises(requests.ConnectionError, match="the sender is gone"):
            store.put(KEY, Broken(), size_bytes=20 * MIB)
        assert read(store, KEY) == b"old"
        assert list(store.begun()) == []


class TestIdentity:
    def test_a_replaced_object_is_not_opened(self, store: Store) -> None:
        identity = put(store, KEY, b"validated")
        put(store, KEY, b"something")
        with pytest.raises(SourceChangedError, match=f"{KEY} was replaced"):
            read(store, KEY, identity=identity)

    def test_a_reader_gives_no_byte_of_another_object(self, store: Store) -> None:
        put(store, KEY, b"old old old")
        with store.open(KEY) as reader:
            assert reader.read_at(0, 4) == b"old "
            put(store, KEY, b"new new new")
            with suppress(SourceChangedError):
                assert reader.read_at(4, 4) == b"old "

    def test_a_reader_gives_no_byte_of_nothing(self, store: Store) -> None:
        put(store, KEY, b"old old old")
        with store.open(KEY) as reader:
            store.delete(KEY)
            with suppress(ObjectNotFoundError):
                assert reader.read_at(4, 4) == b"old "


class TestMoving:
    def test_an_object_is_moved(self, store: Store) -> None:
        identity = put(store, "inbox/acme/a.mp4", b"video", content_type="video/mp4")
        assert store.move("inbox/acme/a.mp4", KEY, identity=identity)
        assert keys(store) == [KEY]
        assert read(store, KEY) == b"video"

    def test_who_moves_an_object_learns_what_it_is_now(self, store: Store) -> None:
        identity = put(store, "inbox/a", b"video")
        for _ in range(2):  # the second time nothing is done
            moved = store.move("inbox/a", KEY, identity=identity)
            info = store.stat(KEY)
            assert info is not None
            assert moved == info.identity
            with store.open(KEY, identity=moved) as reader:
                assert reader.read_at(0, 9) == b"video"
        put(store, "inbox/a", b"another")
        assert store.move("inbox/a", KEY, identity=identity) == moved
        assert store.move("inbox/b", "media/8") is None

    def test_names_that_need_it_are_moved(self, store: Store) -> None:
        source = key_of("inbox", "50% + ä?#&=😀 .mp4")
        put(store, source, b"video")
        assert store.move(source, KEY)
        assert store.move(KEY, source)
        assert keys(store) == [source]

    def test_moving_again_does_nothing(self, store: Store) -> None:
        identity = put(store, "inbox/a", b"video")
        assert store.move("inbox/a", KEY, identity=identity)
        assert store.move("inbox/a", KEY, identity=identity)
        assert read(store, KEY) == b"video"

    def test_a_new_object_in_the_place_of_a_moved_one_stays(self, store: Store) -> None:
        identity = put(store, "inbox/a", b"video")
        assert store.move("inbox/a", KEY, identity=identity)
        put(store, "inbox/a", b"another")
        assert store.move("inbox/a", KEY, identity=identity)
        assert (read(store, "inbox/a"), read(store, KEY)) == (b"another", b"video")

    def test_another_object_than_the_one_meant_stays(self, store: Store) -> None:
        identity = put(store, "inbox/a", b"video")
        put(store, "inbox/a", b"another")
        with pytest.raises(SourceChangedError, match="inbox/a"):
            store.move("inbox/a", KEY, identity=identity)
        assert keys(store) == ["inbox/a"]

    def test_nothing_is_moved_from_nowhere(self, store: Store) -> None:
        assert not store.move("inbox/a", KEY)
        assert keys(store) == []

    def test_an_object_is_where_it_is_moved_to_itself(self, store: Store) -> None:
        put(store, KEY, b"video")
        assert store.move(KEY, KEY)
        assert read(store, KEY) == b"video"

    def test_a_target_is_replaced(self, store: Store) -> None:
        put(store, "a", b"new")
        put(store, "b", b"old")
        assert store.move("a", "b")
        assert (keys(store), read(store, "b")) == (["b"], b"new")


class TestHostileKeys:
    @pytest.mark.parametrize(
        "key",
        [
            *("", "/etc/passwd", "a//b", "a/", ".", "..", "../a", "a/../b", "a/./b", "%2E%2E/a"),
            *("a\0b", "%00", "a%2Fb", "a b", "ä", "%e4", "%", "%4", "%41", "\udcff", "a\nb"),
            *("x/" * 2000 + "x", "x" * 5000, ".uploads/x"),
        ],
    )
    def test_what_is_no_key_is_refused_by_all(self, store: Store, key: str) -> None:
        put(store, "ok", b"ok")
        for use in (
            lambda: store.stat(key),
            lambda: put(store, key, b"x"),
            lambda: store.open(key).__enter__(),
            lambda: store.move(key, "ok2"),
            lambda: store.move("ok", key),
            lambda: store.delete(key),
            lambda: store.begin(key, size_bytes=1, part_size_bytes=5 * MIB),
        ):
            with pytest.raises(InvalidObjectKeyError):
                use()
        if key:
            with pytest.raises(InvalidObjectKeyError):
                keys(store, key)
        assert keys(store) == ["ok"]

    @pytest.mark.parametrize(
        "name",
        [
            *("-x.mp4", "http:x", "concat:a|b", "%d", "50%", "😀.mp4", "a b+c", "~", "\\..\\a"),
            *("${filename}", "'\"<&>", " ", "x" * 255, "file.mp4?versionId=1", "a#b", "\t\x01"),
        ],
    )
    def test_every_name_of_a_file_has_a_key(self, store: Store, name: str) -> None:
        key = key_of("inbox", name)
        identity = put(store, key, name.encode())
        assert read(store, key, identity=identity) == name.encode()
        assert keys(store) == keys(store, "inbox") == [key]
        assert store.move(key, key_of("media", name))
        assert read(store, key_of("media", name)) == name.encode()
        store.delete(key_of("media", name))
        assert store.stat(key_of("media", name)) is None


def test_a_store_that_is_not_there_is_named(place: Place) -> None:
    name = "bucket" if place.is_s3 else "root"
    store = open_store({**place.where, name: place.where[name] + "-gone"})
    for use in (
        lambda: store.stat(KEY),
        lambda: put(store, KEY, b"x"),
        lambda: list(store.list()),
        lambda: store.open(KEY).__enter__(),
        lambda: store.delete(KEY),
        lambda: store.move(KEY, "b"),
        lambda: list(store.begun()),
    ):
        with pytest.raises(StorageAccessError, match=r"-gone.* does not exist: ") as caught:
            use()
        assert caught.value.code == "storage_missing"


def test_memory_does_not_grow_with_the_object(place: Place) -> None:
    size_bytes = 64 * MIB
    with AnotherProcess(place, "pass_through", KEY, str(size_bytes)) as process:
        process.wait_until_ready()
        process.go()
        outcome = process.outcome()
    digest = hashlib.sha256()
    for _ in range(size_bytes // 65536):
        digest.update(bytes(range(256)) * 256)
    assert outcome["sha256"] == digest.hexdigest()
    assert outcome["grown_bytes"] < size_bytes // 2
