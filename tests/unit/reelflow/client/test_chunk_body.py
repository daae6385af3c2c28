import base64
import hashlib
import os

from reelflow.client.chunk_body import ChunkBody
from reelflow.source import BytesSource


def test_a_chunk_is_given_block_by_block_and_tells_how_far_it_is() -> None:
    content, sent = os.urandom(900_000), list[int]()
    body = ChunkBody(BytesSource(content), 100_000, 600_000, sent.append)
    assert len(body) == 600_000
    assert b"".join(body) == content[100_000:700_000]
    assert sent == [262_144, 524_288, 600_000]


def test_a_chunks_digest_is_that_of_its_bytes() -> None:
    body = ChunkBody(BytesSource(b"0123456789"), 2, 5, lambda _: None)
    digest = base64.b64encode(hashlib.sha256(b"23456").digest()).decode()
    assert body.digest_header() == f"sha-256=:{digest}:"
