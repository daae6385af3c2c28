"""What status/fetch answers at each step."""

from typing import Any, Literal

import pytest

from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.publication import Publication
from tiktok_simulator.received import ReceivedBytes

POST_ID = 7_678_907_398_077_074_697


def publication(kind: Literal["direct", "draft"] = "direct", **fields: Any) -> Publication:
    return Publication(
        publish_id="p",
        upload_id="7",
        upload_token="t",
        open_id="o",
        kind=kind,
        post_info={"privacy_level": fields.pop("privacy_level", "PUBLIC_TO_EVERYONE")},
        plan=UploadPlan(10, 10, 1),
        expires_at=3600.0,
        received=ReceivedBytes(None),
        **fields,
    )


def answers(one: Publication, polls: int) -> list[dict[str, Any]]:
    seen = []
    for one.polls in range(1, polls + 1):
        seen.append(one.status(processing_polls=1, link_polls=1))
    return seen


PROCESSING = {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}
PUBLISHED = {"status": "PUBLISH_COMPLETE"}


def test_an_upload_that_lacks_bytes_says_how_many_it_has() -> None:
    assert publication().status(0, 0) == PROCESSING


def test_a_public_post_is_processed_then_published_then_gets_its_id() -> None:
    one = publication(completed_at=1.0, post_id=POST_ID)

    assert answers(one, 4) == [
        PROCESSING,
        PUBLISHED,
        {**PUBLISHED, "publicaly_available_post_id": [POST_ID]},
        {**PUBLISHED, "publicaly_available_post_id": [POST_ID]},
    ]


@pytest.mark.parametrize("privacy_level", ["SELF_ONLY", "MUTUAL_FOLLOW_FRIENDS"])
def test_a_post_that_is_not_public_never_gets_an_id(privacy_level: str) -> None:
    one = publication(completed_at=1.0, post_id=POST_ID, privacy_level=privacy_level)

    assert answers(one, 4) == [PROCESSING, PUBLISHED, PUBLISHED, PUBLISHED]


def test_a_draft_ends_in_the_inbox() -> None:
    one = publication("draft", completed_at=1.0)

    assert answers(one, 3) == [PROCESSING, *[{"status": "SEND_TO_USER_INBOX"}] * 2]


def test_a_failure_shows_after_processing() -> None:
    one = publication(completed_at=1.0, fail_reason="picture_size_check_failed")
    failed = {"status": "FAILED", "fail_reason": "picture_size_check_failed"}

    assert answers(one, 3) == [PROCESSING, failed, failed]


def test_an_expired_upload_fails_at_once() -> None:
    one = publication(fail_reason="internal")

    assert one.status(5, 5) == {"status": "FAILED", "fail_reason": "internal"}


@pytest.mark.parametrize(
    ("kind", "privacy_level", "is_public"),
    [
        ("direct", "PUBLIC_TO_EVERYONE", True),
        ("direct", "MUTUAL_FOLLOW_FRIENDS", False),
        ("direct", "SELF_ONLY", False),
        ("draft", "PUBLIC_TO_EVERYONE", False),
    ],
)
def test_only_direct_posts_for_everyone_get_an_id(
    kind: Literal["direct", "draft"], privacy_level: str, is_public: bool
) -> None:
    assert publication(kind, privacy_level=privacy_level).is_public is is_public
