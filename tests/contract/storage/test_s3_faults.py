"""What S3 answers when something is wrong, over real HTTP: typed errors with key and fix."""

from __future__ import annotations

import pickle
import socket
from contextlib import closing
from pathlib import Path

import pytest

from reelflow.exceptions import (
    ConfigurationError,
    ContentMismatchError,
    ObjectExistsError,
    ReelflowError,
    SourceChangedError,
    StorageAccessError,
    StorageThrottledError,
    StorageUnavailableError,
)
from reelflow.source import StreamedSource
from reelflow.storage.s3 import S3Store
from reelflow.storage.s3_reader import S3RangeStream
from reelflow.storage.s3_uploads import checksum_of
from tests.contract.storage.another_process import AnotherProcess, Pattern
from tests.contract.storage.stores import Place, S3Server, open_store, put_part, s3_client

MIB = 1024 * 1024
KEY = "media/7.mp4"


def put(store: S3Store, key: str = KEY, content: bytes = b"video") -> str:
    return store.put(key, content, size_bytes=len(content)).identity


def read(store: S3Store, key: str = KEY) -> bytes:
    with store.open(key) as reader:
        return reader.read_at(0, reader.size_bytes)


def keys(store: S3Store) -> list[str]:
    return [info.key for info in store.list()]


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "kind", "fix"),
        [
            (503, "SlowDown", StorageThrottledError, "slow down"),
            (429, "TooManyRequests", StorageThrottledError, "slow down"),
            (429, "OfAnotherStorage", StorageThrottledError, "slow down"),
            (403, "AccessDenied", StorageAccessError, "s3:PutObject|allow these credentials"),
            (403, "InvalidAccessKeyId", StorageAccessError, "set the connection's login"),
            (403, "SignatureDoesNotMatch", StorageAccessError, "set the connection's password"),
            (400, "ExpiredToken", StorageAccessError, "renew"),
            (403, "RequestTimeTooSkewed", StorageAccessError, "clock"),
            (403, "InvalidObjectState", StorageAccessError, "restore it"),
            (500, "InternalError", StorageUnavailableError, "try again later"),
            (409, "ConditionalRequestConflict", StorageUnavailableError, "try again later"),
            (400, "BadDigest", StorageUnavailableError, "try again later"),
            (400, "KMS.ThrottlingException", StorageThrottledError, "slow down"),
            (400, "KMS.DisabledException", StorageAccessError, "KMS key .* is disabled: enable"),
            (403, "KMS.DisabledException", StorageAccessError, "KMS key .* is disabled: enable"),
            (400, "KMS.NotFoundException", StorageAccessError, "KMS key .* does not exist"),
            (400, "KMS.KMSInvalidStateException", StorageAccessError, "cancel the deletion"),
            (400, "KMS.KeyUnavailableException", StorageAccessError, "what state it is in"),
            (400, "KMS.AccessDeniedException", StorageAccessError, "and kms:Decrypt"),
            (500, "KMS.KMSInternalException", StorageUnavailableError, "try again later"),
            (501, "NotImplemented", ConfigurationError, "conditional writes"),
            (400, "InvalidRequest", ConfigurationError, "conditional writes"),
        ],
    )
    def test_each_is_an_error_of_its_kind(
        self,
        s3_store: S3Store,
        s3_server: S3Server,
        status: int,
        code: str,
        kind: type[ReelflowError],
        fix: str,
    ) -> None:
        s3_server.fault("PUT", KEY, status=status, code=code)
        with pytest.raises(ReelflowError, match=fix) as caught:
            put(s3_store)
        assert type(caught.value) is kind
        assert f"s3://{s3_store._bucket}/a/{KEY}" in str(caught.value)
        assert caught.value.context["s3_code"] == code
        assert type(pickle.loads(pickle.dumps(caught.value))) is kind
        assert put(s3_store)

    def test_s3_says_when_to_come_again(self, s3_store: S3Store, s3_server: S3Server) -> None:
        s3_server.fault("GET", status=503, code="SlowDown", headers={"Retry-After": "17"})
        with pytest.raises(StorageThrottledError) as caught:
            keys(s3_store)
        assert caught.value.retry_after_s == 17

    def test_a_head_without_a_code_is_understood(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        for status, kind, fix in (
            (503, StorageUnavailableError, "try again later"),
            (403, StorageAccessError, "kms:Decrypt.*keys or clock are wrong"),
            (400, StorageAccessError, "renew the credentials if they have expired"),
            (500, StorageUnavailableError, "try again later"),
            (501, ConfigurationError, "conditional writes"),
        ):
            # Of a 400, boto3 asks the bucket's region, and tries again.
            s3_server.fault("HEAD", status=status, code="", times=2 if status == 400 else 1)
            with pytest.raises(kind, match=f"{KEY}.*{fix}") as caught:
                s3_store.stat(KEY)
            assert type(caught.value) is kind

    def test_a_bucket_whose_listing_is_not_for_us_may_lack_an_object(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        s3_server.fault("HEAD", KEY, status=404, code="")
        s3_server.fault("HEAD", status=403, code="")
        assert s3_store.stat(KEY) is None

    def test_nothing_is_deleted_by_a_refusal(self, s3_store: S3Store, s3_server: S3Server) -> None:
        put(s3_store, "inbox/a")
        s3_server.fault("PUT", KEY, status=403, code="AccessDenied")
        with pytest.raises(StorageAccessError):
            s3_store.move("inbox/a", KEY)
        assert keys(s3_store) == ["inbox/a"]

    def test_no_secret_is_told(self, s3_store: S3Store, s3_server: S3Server) -> None:
        s3_server.fault("PUT", KEY, status=403, code="SignatureDoesNotMatch")
        with pytest.raises(StorageAccessError) as caught:
            put(s3_store)
        told = repr(caught.value.__dict__) + str(caught.value)
        assert "test-secret" not in told
        assert "refused" not in told  # S3's own message, which may hold a signature


class TestNetwork:
    def test_where_nobody_listens_storage_is_unavailable(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            store = S3Store(s3_client(f"http://127.0.0.1:{unused.getsockname()[1]}"), "bucket")
            with pytest.raises(StorageUnavailableError, match=rf"{KEY}.*endpoint_url"):
                store.stat(KEY)

    def test_a_range_that_breaks_off_is_asked_for_again(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        content = bytes(range(256)) * 4096
        put(s3_store, content=content)
        s3_server.fault("GET", KEY, kind="cut", times=2)
        assert read(s3_store) == content

    def test_a_range_that_breaks_off_each_time_is_an_error(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        put(s3_store, content=bytes(MIB))
        s3_server.fault("GET", KEY, kind="cut", times=3)
        with pytest.raises(StorageUnavailableError, match=f"{KEY}.*cut off"):
            read(s3_store)

    def test_a_whole_object_instead_of_a_range_is_not_read(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        put(s3_store, content=b"0123456789")
        s3_server.fault("GET", KEY, kind="rangeless")
        with (
            s3_store.open(KEY) as reader,
            pytest.raises(StorageUnavailableError, match=f"{KEY}: S3 sends 10 bytes for the 4"),
        ):
            reader.read_at(3, 4)

    def test_what_an_answer_was_lost_for_is_created_once(self, s3_server: S3Server) -> None:
        store = S3Store(s3_client(s3_server.url, attempts=3), s3_server.new_bucket())
        s3_server.fault("PUT", KEY, kind="lost")
        info = store.put(KEY, b"video", size_bytes=5, only_if_absent=True)
        assert [call["method"] for call in s3_server.calls() if KEY in call["url"]][:2] == [
            "PUT"
        ] * 2
        assert store.stat(KEY) == info
        with pytest.raises(ObjectExistsError):
            store.put(KEY, b"video", size_bytes=5, only_if_absent=True)

    def test_a_large_put_that_fails_leaves_no_parts(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        s3_server.fault("PUT", "partNumber=2", status=500, code="InternalError")
        with pytest.raises(StorageUnavailableError, match=KEY):
            put(s3_store, content=bytes(9 * MIB))
        assert list(s3_store.begun()) == []
        assert keys(s3_store) == []

    def test_parts_of_a_put_that_could_not_be_cleaned_up_are_listed(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        s3_server.fault("PUT", "partNumber=2", status=500, code="InternalError")
        s3_server.fault("DELETE", "uploadId=", status=403, code="AccessDenied")
        with pytest.raises(StorageUnavailableError, match=KEY):
            put(s3_store, content=bytes(9 * MIB))
        [begun] = s3_store.begun()
        assert begun.key == KEY
        s3_store.abort(begun)
        assert list(s3_store.begun()) == []


class TestMovingInSteps:
    def test_a_second_call_finishes_what_a_crash_left(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        identity = put(s3_store, "inbox/a")
        s3_server.fault("DELETE", status=500, code="InternalError")
        with pytest.raises(StorageUnavailableError):
            s3_store.move("inbox/a", KEY, identity=identity)
        assert keys(s3_store) == ["inbox/a", KEY]
        assert s3_store.move("inbox/a", KEY, identity=identity)
        assert keys(s3_store) == [KEY]

    def test_an_object_that_comes_between_copy_and_delete_stays(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        put(s3_store, "inbox/a")
        s3_server.fault("DELETE", kind="overtaken", key="a/inbox/a")
        assert s3_store.move("inbox/a", KEY)
        assert read(s3_store, KEY) == b"video"
        assert read(s3_store, "inbox/a") == b"of somebody else"

    def test_an_object_that_comes_before_the_copy_is_not_taken(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        identity = put(s3_store, "inbox/a")
        s3_server.fault("PUT", KEY, kind="overtaken", key="a/inbox/a")
        with pytest.raises(SourceChangedError, match="inbox/a"):
            s3_store.move("inbox/a", KEY, identity=identity)
        assert keys(s3_store) == ["inbox/a"]

    @pytest.mark.parametrize("is_known", [True, False])
    def test_what_s3_does_not_copy_stays_with_a_reason(
        self, s3_store: S3Store, s3_server: S3Server, tmp_path: Path, is_known: bool
    ) -> None:
        put(s3_store, "inbox/a")
        with (tmp_path / "large").open("wb") as large:
            large.truncate(5 * 1024 * MIB + 1)
        s3_server.give_content(s3_store._bucket, "a/inbox/a", tmp_path / "large")
        info = s3_store.stat("inbox/a")
        assert info is not None
        with pytest.raises(StorageAccessError, match=r"a/inbox/a has 5368709121 bytes.*smaller"):
            s3_store.move("inbox/a", KEY, identity=info.identity if is_known else None)
        assert keys(s3_store) == ["inbox/a"]

    def test_a_copy_that_s3_refuses_for_another_reason_is_not_too_large(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        identity = put(s3_store, "inbox/a")
        s3_server.fault("PUT", KEY, status=400, code="InvalidRequest")
        with pytest.raises(ConfigurationError, match="conditional writes"):
            s3_store.move("inbox/a", KEY, identity=identity)
        assert keys(s3_store) == ["inbox/a"]

    def test_what_its_writer_said_of_it_stays_behind(self, s3_store: S3Store) -> None:
        client, bucket = s3_store._client, s3_store._bucket
        said = {"ContentEncoding": "gzip", "ContentType": "text/html", "Tagging": "expire=today"}
        private = {"gps": "48.1,11.5"}
        client.put_object(Bucket=bucket, Key="a/inbox/a", Body=b"v", Metadata=private, **said)
        s3_store.move("inbox/a", KEY)
        assert client.get_object_tagging(Bucket=bucket, Key=f"a/{KEY}")["TagSet"] == []
        head = client.head_object(Bucket=bucket, Key=f"a/{KEY}")
        assert (head["Metadata"], head.get("ContentEncoding")) == ({}, None)
        assert head["ContentType"] != "text/html"

    def test_the_bytes_stay_with_s3(self, s3_store: S3Store, s3_server: S3Server) -> None:
        put(s3_store, "inbox/a")
        s3_server.reset()
        s3_store.move("inbox/a", KEY)
        assert [call["method"] for call in s3_server.calls()] == ["HEAD", "PUT", "DELETE"]

    def test_who_knows_what_is_moved_does_not_look_first(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        identity = put(s3_store, "inbox/a")
        s3_server.reset()
        assert s3_store.move("inbox/a", KEY, identity=identity)
        assert [call["method"] for call in s3_server.calls()] == ["PUT", "DELETE"]


def test_only_the_ranges_that_are_wanted_are_asked_for(
    s3_store: S3Store, s3_server: S3Server
) -> None:
    put(s3_store, content=bytes(9 * MIB))
    s3_server.reset()
    with s3_store.open(KEY) as reader:
        reader.read_at(0, 100)
        reader.read_at(9 * MIB - 5, 100)
        reader.read_at(9 * MIB, 100)
    asked = [(call["method"], call["range"]) for call in s3_server.calls()]
    last = 9 * MIB - 1
    assert asked == [("HEAD", None), ("GET", "bytes=0-99"), ("GET", f"bytes={last - 4}-{last}")]


class TestStreams:
    CONTENT = bytes(range(256)) * 4 * 1024

    def read(self, stream: S3RangeStream) -> bytes:
        block = bytearray(100_000)
        return b"".join(bytes(block[:count]) for count in iter(lambda: stream.readinto(block), 0))

    def ranges(self, server: S3Server) -> list[str]:
        return [call["range"] for call in server.calls() if call["method"] == "GET"]

    def test_a_range_is_one_request(self, s3_store: S3Store, s3_server: S3Server) -> None:
        put(s3_store, content=self.CONTENT)
        with s3_store.open(KEY) as source, closing(source.stream_at(10, 500_000)) as stream:
            assert isinstance(source, StreamedSource)
            assert self.ranges(s3_server) == []
            assert self.read(stream) == self.CONTENT[10:500_010]
        assert self.ranges(s3_server) == ["bytes=10-500009"]

    def test_it_ends_with_the_object(self, s3_store: S3Store, s3_server: S3Server) -> None:
        put(s3_store, content=self.CONTENT)
        with s3_store.open(KEY) as source:
            assert self.read(source.stream_at(MIB - 5, 100)) == self.CONTENT[-5:]
            assert self.read(source.stream_at(MIB, 100)) == b""
        assert len(self.ranges(s3_server)) == 1

    def test_what_breaks_off_goes_on_where_it_broke(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        put(s3_store, content=self.CONTENT)
        s3_server.fault("GET", KEY, kind="cut", times=2)
        with s3_store.open(KEY) as source:
            assert self.read(source.stream_at(0, MIB)) == self.CONTENT
        starts = [
            int(asked.removeprefix("bytes=").partition("-")[0]) for asked in self.ranges(s3_server)
        ]
        assert starts == [0, MIB // 2, MIB * 3 // 4]

    def test_what_breaks_off_without_a_byte_each_time_is_an_error(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        put(s3_store, content=b"v")
        s3_server.fault("GET", KEY, kind="cut", times=3)
        with (
            s3_store.open(KEY) as source,
            pytest.raises(StorageUnavailableError, match=f"{KEY}.*cut off"),
        ):
            self.read(source.stream_at(0, 1))

    def test_a_replaced_object_gives_no_byte(self, s3_store: S3Store) -> None:
        put(s3_store, content=self.CONTENT)
        with s3_store.open(KEY) as source:
            put(s3_store, content=self.CONTENT[::-1])
            with pytest.raises(SourceChangedError, match=f"a/{KEY} was replaced"):
                self.read(source.stream_at(0, 100))

    def test_what_was_given_up_leaves_the_store_usable(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        put(s3_store, content=self.CONTENT)
        with s3_store.open(KEY) as source:
            for _ in range(20):  # more than connections are kept
                stream = source.stream_at(0, MIB)
                stream.readinto(bytearray(10))
                stream.close()
            stream.close()
            assert self.read(stream) == self.CONTENT[10:]

    def test_memory_does_not_grow_with_the_range(self, s3_server: S3Server) -> None:
        where = {"url": s3_server.url, "bucket": s3_server.new_bucket(), "prefix": ""}
        store = open_store(where)
        size_bytes = 48 * MIB
        store.put(KEY, bytes(size_bytes), size_bytes=size_bytes)
        with AnotherProcess(Place(store, where), "stream", KEY) as process:
            process.wait_until_ready()
            process.go()
            outcome = process.outcome()
        assert outcome["read_bytes"] == size_bytes
        assert outcome["grown_bytes"] < 8 * MIB


def test_what_s3_received_it_compares_with_its_sha256(
    s3_store: S3Store, s3_server: S3Server
) -> None:
    client, bucket = s3_store._client, s3_store._bucket
    put(s3_store)
    head = client.head_object(Bucket=bucket, Key=f"a/{KEY}", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == checksum_of(b"video")
    upload = s3_store.begin(KEY, size_bytes=5, part_size_bytes=5 * MIB)
    with pytest.raises(ContentMismatchError):
        put_part(s3_store, upload, 1, b"video", sha256="0" * 64)
    s3_server.reset()
    put_part(s3_store, upload, 1, b"video")
    assert [call["sha256"] for call in s3_server.calls()] == [None, checksum_of(b"video")]


def test_a_stream_that_gives_little_at_a_time_is_sent_in_whole_parts(
    s3_store: S3Store, s3_server: S3Server
) -> None:
    s3_store.put(KEY, Pattern(9 * MIB), size_bytes=9 * MIB)
    assert ["partNumber" in call["url"] for call in s3_server.calls()].count(True) == 2


def test_a_part_that_another_client_stored_short_is_missing(s3_store: S3Store) -> None:
    client, bucket = s3_store._client, s3_store._bucket
    upload = s3_store.begin(KEY, size_bytes=5, part_size_bytes=5 * MIB)
    client.upload_part(
        Bucket=bucket, Key=f"a/{KEY}", UploadId=upload.upload_id, PartNumber=1, Body=b"vide"
    )
    assert s3_store.missing_parts(upload) == [1]


def test_uploads_beside_the_prefix_are_nobodys(s3_store: S3Store) -> None:
    s3_store._client.create_multipart_upload(Bucket=s3_store._bucket, Key="backup/1")
    assert list(s3_store.begun()) == []


def test_what_came_in_parts_is_what_it_was_begun_as(s3_store: S3Store) -> None:
    upload = s3_store.begin(KEY, size_bytes=5, part_size_bytes=5 * MIB, content_type="video/mp4")
    put_part(s3_store, upload, 1, b"video")
    s3_store.complete(upload)
    head = s3_store._client.head_object(Bucket=s3_store._bucket, Key=f"a/{KEY}")
    assert head["ContentType"] == "video/mp4"


def test_what_has_no_name_of_a_file_is_not_seen_and_told_once(
    s3_store: S3Store, caplog: pytest.LogCaptureFixture
) -> None:
    client, bucket = s3_store._client, s3_store._bucket
    for raw_key in ("a/inbox/", "a//x", "a/inbox//y", "ab/z", "a/inbox/ok"):
        client.put_object(Bucket=bucket, Key=raw_key, Body=b"x")
    for _ in range(2):
        assert keys(s3_store) == ["inbox/ok"]
    said = [message.partition(" is seen by nobody")[0] for message in caplog.messages]
    assert said == [f"{raw_key!r} in the bucket {bucket!r}" for raw_key in ("a//x", "a/inbox//y")]


def test_a_name_that_is_no_utf_8_has_no_place_in_s3(s3_store: S3Store) -> None:
    with pytest.raises(ReelflowError, match="no UTF-8"):
        put(s3_store, "inbox/%FF.mp4")


@pytest.mark.parametrize("prefix", ["/a", "a/", "a//b", "..", "a/../b", "a b", "ä", "a\n"])
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="the prefix"):
        S3Store(s3_client("http://127.0.0.1:1"), "bucket", prefix)


def test_more_than_a_page_is_listed(s3_store: S3Store, s3_server: S3Server) -> None:
    expected = [f"inbox/%20{number:02}" for number in range(15)]
    for key in expected:
        put(s3_store, key)
    s3_server.reset()
    assert keys(s3_store) == expected
    assert len(s3_server.calls()) == 3
