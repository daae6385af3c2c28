from typing import Any

import pytest

from reelflow.client import records
from reelflow.client.answers import Fields
from reelflow.client.transport import Answer
from reelflow.exceptions import ServerRefusedError

MIB = 1024 * 1024
POST = {
    "post_id": 12, "account": "acme", "state": "PUBLISHED", "reason": None, "fix": None,
    "caption": "a\nb", "publish_at": "2026-12-01T18:00:00+01:00", "due_at": "2026-12-01T17:00:00Z",
    "media_ids": ["m1"], "sha256": "ab", "repost": True, "tiktok": {"url": "https://t.example/1"},
}  # fmt: skip


def fields(**document: Any) -> Fields:
    return Fields(document, "asking", Answer(200, {}))


def test_a_new_upload_misses_every_chunk() -> None:
    upload = records.new_upload(fields(upload_id="u", chunk_size=5 * MIB, total_chunks=3), 11 * MIB)
    assert upload.missing == (0, 1, 2)
    assert upload.is_open
    assert upload.received_bytes == 0


def test_what_an_upload_has_is_what_is_not_missing() -> None:
    told = fields(chunk_size=5 * MIB, total_chunks=3, state="open", missing=[[0, 0], [2, 2]])
    upload = records.upload(told, "u", 11 * MIB)
    assert upload.missing == (0, 2)
    assert upload.received_bytes == 5 * MIB


@pytest.mark.parametrize(
    "document",
    [
        {"chunk_size": 1, "total_chunks": 11 * MIB, "missing": []},
        {"chunk_size": 0, "total_chunks": 0, "missing": []},
        {"chunk_size": 5 * MIB, "total_chunks": 2, "missing": []},
        {"chunk_size": 5 * MIB, "total_chunks": 3, "missing": [[0, 10**12]]},
        {"chunk_size": 5 * MIB, "total_chunks": 3, "missing": [[2, 1]]},
        {"chunk_size": 5 * MIB, "total_chunks": 3, "missing": [[3, 3]]},
        {"chunk_size": 5 * MIB, "total_chunks": 3},
    ],
)
def test_an_upload_that_does_not_fit_its_file_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ServerRefusedError, match="cannot be understood"):
        records.upload(fields(state="open", **document), "u", 11 * MIB)


def test_a_post_is_read() -> None:
    post = records.post(fields(**POST))
    assert (post.id, post.state, post.url) == (12, "PUBLISHED", "https://t.example/1")
    assert post.caption == "a\nb"
    assert post.publish_at is not None
    assert post.due_at == post.publish_at
    assert post.media_ids == ("m1",)
    assert post.repost


def test_a_post_that_knows_little_is_read() -> None:
    post = records.post(fields(post_id=1, state="HELD", media_ids=[], tiktok=None))
    assert (post.account, post.url, post.sha256, post.due_at) == ("", "", "", None)


@pytest.mark.parametrize("wrong", [{"due_at": "soon"}, {"due_at": "2026-12-01T17:00:00"}])
def test_a_time_that_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ServerRefusedError, match="due_at"):
        records.post(fields(**(POST | wrong)))
