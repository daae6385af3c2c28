"""Presigned URLs and forms, used as others use them: with requests alone."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlsplit

import pytest
import requests

from reelflow.exceptions import ConfigurationError, InvalidObjectKeyError
from reelflow.storage.base import PresignedPost, PresigningStore
from reelflow.storage.keys import key_of
from reelflow.storage.local_store import LocalStore
from reelflow.storage.s3 import S3Store
from tests.contract.storage.stores import DEADLINE_S, Place, S3Server, s3_client

KEY = key_of("media", "ä b+c%😀.mp4")


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=DEADLINE_S)


def send(post: PresignedPost, content: bytes, **changed: str) -> requests.Response:
    fields = {**post.fields, **changed}
    return requests.post(post.url, data=fields, files={"file": content}, timeout=DEADLINE_S)


def form(store: S3Store, *, size_bytes: int = 5, lifetime_s: int = 60) -> PresignedPost:
    return store.presigned_post(
        KEY, size_bytes=size_bytes, content_type="video/mp4", lifetime_s=lifetime_s
    )


def test_only_a_store_that_can_presign_has_the_capability(place: Place) -> None:
    assert isinstance(place.store, PresigningStore) == place.is_s3
    assert isinstance(place.store, LocalStore) != place.is_s3


class TestGetting:
    def test_a_url_gives_the_object_and_ranges_of_it(self, s3_store: S3Store) -> None:
        s3_store.put(KEY, b"0123456789", size_bytes=10, content_type="video/mp4")
        url = s3_store.presigned_get(KEY, lifetime_s=60)
        whole, part = get(url), get(url, Range="bytes=3-5")
        assert (whole.status_code, whole.content) == (200, b"0123456789")
        assert whole.headers["Content-Type"] == "video/mp4"
        assert (part.status_code, part.content) == (206, b"345")

    def test_a_url_says_what_the_object_is_whatever_it_was_put_as(self, s3_store: S3Store) -> None:
        s3_store.put(KEY, b"video", size_bytes=5, content_type="text/html")
        answer = get(s3_store.presigned_get(KEY, lifetime_s=60, content_type="video/mp4"))
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "video/mp4")

    def test_a_url_lies_below_the_prefix_that_was_verified(
        self, s3_store: S3Store, s3_server: S3Server
    ) -> None:
        url = s3_store.presigned_get("media/7.mp4", lifetime_s=60)
        prefix = f"{s3_server.url}/{s3_store._bucket}/a/media/"
        assert url.startswith(prefix)
        assert urlsplit(url).query.count("X-Amz-Signature=") == 1

    def test_a_url_gives_nothing_else(self, s3_store: S3Store) -> None:
        for key in ("media/7.mp4", "media/8.mp4"):
            s3_store.put(key, b"video", size_bytes=5)
        url = s3_store.presigned_get("media/7.mp4", lifetime_s=60)
        assert get(url).status_code == 200
        assert get(url.replace("/7.mp4", "/8.mp4")).status_code == 403
        assert get(url.partition("?")[0]).status_code == 403
        assert requests.put(url, data=b"x", timeout=DEADLINE_S).status_code == 403

    def test_a_url_dies(self, s3_store: S3Store, s3_server: S3Server) -> None:
        s3_store.put(KEY, b"video", size_bytes=5)
        url = s3_store.presigned_get(KEY, lifetime_s=60)
        assert get(url).status_code == 200
        s3_server.advance(61)
        assert get(url).status_code == 403

    def test_a_client_that_signs_as_newer_regions_refuse_is_told(self, s3_server: S3Server) -> None:
        old = s3_client(s3_server.url, signature_version=None)
        store = S3Store(old, "bucket")
        with pytest.raises(ConfigurationError, match="signature_version='s3v4'"):
            store.presigned_get(KEY, lifetime_s=60)
        with pytest.raises(ConfigurationError, match="signature_version='s3v4'"):
            form(store)


class TestPosting:
    def test_a_form_uploads_the_object(self, s3_store: S3Store) -> None:
        answer = send(form(s3_store), b"video")
        assert answer.status_code == 204, answer.text
        with s3_store.open(KEY) as reader:
            assert reader.read_at(0, 99) == b"video"

    @pytest.mark.parametrize(
        ("content", "changed", "status"),
        [
            (b"video", {}, 204),
            (b"video!", {}, 400),
            (b"vide", {}, 400),
            (b"", {}, 400),
            (b"video", {"Content-Type": "text/html"}, 403),
            (b"video", {"key": "a/media/other.mp4"}, 403),
            (b"video", {"acl": "public-read"}, 403),
            (b"video", {"x-amz-signature": "0" * 64}, 403),
        ],
    )
    def test_a_form_uploads_nothing_else(
        self, s3_store: S3Store, content: bytes, changed: dict[str, str], status: int
    ) -> None:
        assert send(form(s3_store), content, **changed).status_code == status
        assert [info.key for info in s3_store.list()] == ([KEY] if status == 204 else [])

    @pytest.mark.parametrize("size_bytes", [1, 10, 2_000_000_000])
    def test_the_policy_that_is_signed_holds_size_key_and_type(
        self, s3_store: S3Store, size_bytes: int
    ) -> None:
        post = form(s3_store, size_bytes=size_bytes)
        conditions = json.loads(base64.b64decode(post.fields["policy"]))["conditions"]
        assert ["content-length-range", size_bytes, size_bytes] in conditions
        assert {"key": post.fields["key"]} in conditions
        assert {"bucket": s3_store._bucket} in conditions
        assert {"Content-Type": "video/mp4"} in conditions
        assert not [one for one in conditions if isinstance(one, list) and one[0] == "starts-with"]

    @pytest.mark.parametrize("size_bytes", [99_999, 100_000, 100_001])
    def test_a_form_takes_the_very_size_that_its_policy_says(
        self, s3_store: S3Store, size_bytes: int
    ) -> None:
        answer = send(form(s3_store, size_bytes=100_000), bytes(size_bytes))
        assert answer.status_code == (204 if size_bytes == 100_000 else 400)
        assert [info.size_bytes for info in s3_store.list()] == [size_bytes][: answer.ok]

    @pytest.mark.parametrize("size_bytes", [-1, 0, 2_000_000_001, 4 * 1024**3])
    def test_a_form_for_more_than_two_gigabytes_is_not_made(
        self, s3_store: S3Store, size_bytes: int
    ) -> None:
        with pytest.raises(ValueError, match="choose 1 to 2000000000, and let larger files"):
            form(s3_store, size_bytes=size_bytes)

    def test_a_form_dies(self, s3_store: S3Store, s3_server: S3Server) -> None:
        post = form(s3_store)
        s3_server.advance(61)
        assert send(post, b"video").status_code == 403

    def test_a_name_that_s3_would_fill_in_is_refused(self, s3_store: S3Store) -> None:
        with pytest.raises(InvalidObjectKeyError, match="stands for many names"):
            s3_store.presigned_post(
                key_of("media", "${filename}"), size_bytes=1, content_type="a/b", lifetime_s=1
            )


@pytest.mark.parametrize("lifetime_s", [0, -1, 7 * 24 * 3600 + 1])
def test_a_lifetime_that_s3_refuses_is_refused(s3_store: S3Store, lifetime_s: int) -> None:
    with pytest.raises(ValueError, match="choose 1 to 604800"):
        s3_store.presigned_get(KEY, lifetime_s=lifetime_s)
    with pytest.raises(ValueError, match="choose 1 to 604800"):
        form(s3_store, lifetime_s=lifetime_s)
