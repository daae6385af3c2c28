"""How much of a large video in S3 is read to judge it, measure it and make its covers.

Counted is what S3 was asked for, over HTTP. The one full pass, for the hash, is no part of it; that
the stages make one and no more is for ``test_publish_from_s3``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reelflow.media.inspection import examine, inspect_source
from reelflow.media.thumbnail import make_thumbnail
from reelflow.storage.s3 import S3Store
from tests import sparse_video
from tests.contract.storage.stores import S3Server, s3_client

MIB = 1024 * 1024
SIZE_BYTES = 1024 * MIB
KEY = "media/large.mp4"
#: The index first, or last; and the bounds of issue 5.
LAYOUTS = pytest.mark.parametrize(
    ("faststart", "bound_bytes"), [(True, 32 * MIB), (False, 64 * MIB)], ids=["faststart", "last"]
)


@pytest.fixture
def store(s3_server: S3Server) -> S3Store:
    return S3Store(s3_client(s3_server.url), s3_server.new_bucket())


@pytest.fixture
def large(store: S3Store, s3_server: S3Server, faststart: bool, tmp_path: Path) -> S3Store:
    """A store with a video of 1 GiB, of which nothing was asked yet."""
    path = sparse_video.make_sparse(
        tmp_path / "large.mp4", size_bytes=SIZE_BYTES, faststart=faststart
    )
    store.put(KEY, b"", size_bytes=0)
    s3_server.give_content(store._bucket, KEY, path)
    s3_server.reset()
    return store


def ranges(server: S3Server) -> list[tuple[int, int]]:
    """First and last byte of all that was asked for, which is ranges alone."""
    gets = [call for call in server.calls() if call["method"] == "GET"]
    found = [re.fullmatch(r"bytes=(\d+)-(\d+)", call["range"] or "") for call in gets]
    assert all(found), gets
    return [(int(match[1]), int(match[2])) for match in found if match]


def read_bytes(asked: list[tuple[int, int]]) -> int:
    return sum(last + 1 - first for first, last in asked)


@LAYOUTS
def test_judging_measuring_and_a_cover_read_little_of_a_gibibyte(
    large: S3Store, s3_server: S3Server, faststart: bool, bound_bytes: int
) -> None:
    """What the stages do, each with the file opened anew; the cover is of an exact moment."""
    for stage in ("validate", "extract_metadata"):
        with large.open(KEY) as source:
            facts = inspect_source(source)
            assert (stage, facts.faststart, facts.probe_error) == (stage, faststart, None)
            assert facts.size_bytes == pytest.approx(SIZE_BYTES, abs=4096)
    with large.open(KEY) as source:
        assert make_thumbnail(source, at_s=31.234).width == 640
    assert 0 < read_bytes(ranges(s3_server)) <= bound_bytes


@LAYOUTS
def test_a_cover_and_the_candidates_read_little_of_a_gibibyte(
    large: S3Store, s3_server: S3Server, bound_bytes: int
) -> None:
    with large.open(KEY) as source, examine(source, with_covers=True) as examination:
        assert examination.facts.duration_s == pytest.approx(60, abs=1)
        examination.cover()
        assert len(examination.candidates()) == 4
    assert 0 < read_bytes(ranges(s3_server)) <= bound_bytes
