"""The proof's own judge: it must see each way in which ledger and simulator may disagree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reelflow.domain.post import PostState
from tests.proof.agreement import disagreements
from tests.proof.ledger import LedgerPost
from tests.proof.videos import Video

VIDEO = Video("aurora.kitchen", "clip.mp4", 100, "a" * 64)
POST = LedgerPost(
    id=1,
    account="aurora.kitchen",
    open_id="open-1",
    file_name="clip.mp4",
    state=PostState.PUBLISHED,
    reason="TikTok published it",
    reason_code=None,
    publish_id="v_pub_1",
    tiktok_post_id="7001",
    sent_at=None,
    is_closed=True,
)
DELIVERED = {
    "sha256": "a" * 64,
    "bytes": 100,
    "open_id": "open-1",
    "publish_id": "v_pub_1",
    "post_id": "7001",
}


def simulator(*posts: dict[str, Any], duplicates: int = 0) -> dict[str, Any]:
    return {"posts": list(posts), "drafts": [], "duplicates": duplicates}


def test_a_file_that_is_once_at_tiktok_byte_for_byte_and_told_so_is_in_order() -> None:
    assert disagreements([VIDEO], [POST], simulator(DELIVERED)) == []


@pytest.mark.parametrize(
    ("posts", "delivered", "told"),
    [
        ([POST], [], "0 times at TikTok"),
        ([POST], [DELIVERED, DELIVERED], "2 times at TikTok"),
        ([], [], "0 posts of it"),
        ([POST, POST], [DELIVERED], "2 posts of it"),
        ([replace(POST, state=PostState.UNKNOWN)], [DELIVERED], "UNKNOWN, not PUBLISHED"),
        ([POST], [DELIVERED | {"bytes": 99}], "bytes is 100 here and 99 there"),
        ([POST], [DELIVERED | {"open_id": "open-2"}], "open_id is open-1"),
        ([POST], [DELIVERED | {"publish_id": "v_pub_2"}], "publish_id is v_pub_1"),
        ([POST], [DELIVERED | {"post_id": None}], "post_id is 7001"),
        ([replace(POST, is_closed=False)], [DELIVERED], "not announced"),
        ([POST], [DELIVERED, DELIVERED | {"sha256": "b" * 64}], "bytes of no file"),
        ([POST, replace(POST, file_name="x")], [DELIVERED], "x of aurora.kitchen is nobody's"),
    ],
)
def test_each_disagreement_is_told(
    posts: list[LedgerPost], delivered: list[dict[str, Any]], told: str
) -> None:
    [found] = disagreements([VIDEO], posts, simulator(*delivered))
    assert told in found


def test_what_is_to_end_otherwise_is_nowhere_at_tiktok() -> None:
    rejected = {VIDEO.file_name: PostState.REJECTED}
    post = replace(POST, state=PostState.REJECTED, publish_id=None, is_closed=False)
    assert disagreements([VIDEO], [post], simulator(), otherwise=rejected) == []
    [found] = disagreements([VIDEO], [post], simulator(DELIVERED), otherwise=rejected)
    assert "1 times at TikTok" in found


def test_duplicates_that_the_simulator_counts_are_told() -> None:
    [found] = disagreements([VIDEO], [POST], simulator(DELIVERED, duplicates=1))
    assert "1 duplicates" in found
