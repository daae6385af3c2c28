import hashlib

import pytest

from reelflow.client.chunk_body import ChunkBody
from reelflow.client.server import ReelflowServer
from reelflow.exceptions import ServerRefusedError
from reelflow.source import BytesSource
from tests.scripted_intake import CHUNK_BYTES, Reply, ScriptedIntake

CONTENT = b"v" * (CHUNK_BYTES + 7)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def begin(api: ReelflowServer, **more: object) -> str:
    return api.begin_upload(
        file_name="clip.mp4",
        size_bytes=len(CONTENT),
        content_type="video/mp4",
        media_type="video",
        sha256=SHA256,
        **more,  # type: ignore[arg-type]
    ).id


def put(api: ReelflowServer, upload_id: str, index: int, offset: int, size_bytes: int) -> None:
    body = ChunkBody(BytesSource(CONTENT), offset, size_bytes, lambda _: None)
    api.put_chunk(upload_id, index, body)


def test_a_file_is_sent_chunk_by_chunk_and_becomes_a_post(
    server: ScriptedIntake, api: ReelflowServer
) -> None:
    wish = {"account": "acme", "caption": "Hi", "privacy_level": "SELF_ONLY"}
    upload_id = begin(api, post=wish)
    assert server.calls[0].json == {
        "file_name": "clip.mp4", "file_size": len(CONTENT), "content_type": "video/mp4",
        "media_type": "video", "sha256": SHA256, "post": wish,
    }  # fmt: skip
    put(api, upload_id, 1, CHUNK_BYTES, 7)
    assert api.upload(upload_id, len(CONTENT)).missing == (0,)
    put(api, upload_id, 0, 0, CHUNK_BYTES)
    ended = api.finalize(upload_id, wish)
    assert ended.post is not None
    assert (ended.post.account, ended.post.sha256) == ("acme", SHA256)
    assert server.uploads[upload_id].content == CONTENT
    assert api.posts_of("acme", SHA256) == [api.post(ended.post.id)]
    assert api.media(ended.media.id).post_ids == (ended.post.id,)


def test_an_upload_without_a_wish_becomes_no_post(api: ReelflowServer) -> None:
    upload_id = begin(api)
    put(api, upload_id, 0, 0, CHUNK_BYTES)
    put(api, upload_id, 1, CHUNK_BYTES, 7)
    ended = api.finalize(upload_id, None)
    assert ended.post is None
    assert api.create_post({"account": "acme"}, [ended.media.id]).sha256 == SHA256


def test_posts_of_other_content_are_not_taken_for_those_asked_for(
    server: ScriptedIntake, api: ReelflowServer
) -> None:
    """As a server would answer that knows no filter by content."""
    posts = [
        server.add_post(sha256="b" * 64),
        server.add_post(account="other", sha256="a" * 64),
        server.add_post(sha256=None),
    ]
    server.fault = lambda _: Reply(200, {"posts": posts})
    assert api.posts_of("acme", "a" * 64) == []


@pytest.mark.parametrize("upload_id", ["../../posts", "a/b", "", "x" * 200, 7, None])
def test_an_id_that_would_lead_elsewhere_is_not_believed(
    server: ScriptedIntake, api: ReelflowServer, upload_id: object
) -> None:
    told = {"upload_id": upload_id, "chunk_size": CHUNK_BYTES, "total_chunks": 2}
    server.fault = lambda _: Reply(201, told)
    with pytest.raises(ServerRefusedError, match="upload_id is no id"):
        begin(api)
