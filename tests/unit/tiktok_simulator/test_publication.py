"""What status/fetch answers at each step."""

from typing import Any

import pytest

from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.publication import Publication, Pull
from tiktok_simulator.received import ReceivedBytes
from tiktok_simulator.switches import Switches

POST_ID = 7_678_907_398_077_074_697
HOUR_S = 3600.0


def publication(**fields: Any) -> Publication:
    return Publication(
        publish_id="p",
        upload_id="7",
        upload_token="t",
        open_id="o",
        **{
            "kind": "direct",
            "post_info": {},
            "plan": UploadPlan(10, 10, 1),
            "expires_at": HOUR_S,
            "received": ReceivedBytes(None),
            **fields,
        },
    )


def status(one: Publication, now_s: float = 0, **switches: Any) -> dict[str, Any]:
    return one.status(now_s, Switches(**switches))


def test_an_upload_says_how_many_bytes_it_has_until_processing_ends() -> None:
    answer = {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}

    assert status(publication()) == answer
    assert status(publication(stage="processing")) == answer


def test_a_pull_says_how_many_bytes_it_has_until_processing_ends() -> None:
    pull = Pull(("https://media.example/a.mp4",))
    one = publication(pull=pull, downloaded_bytes=7)

    assert status(one) == {"status": "PROCESSING_DOWNLOAD", "downloaded_bytes": 7}
    one.stage = "processing"
    assert status(one) == {"status": "PROCESSING_DOWNLOAD", "downloaded_bytes": 7}


@pytest.mark.parametrize(
    ("expired_upload", "has_bytes"),
    [("failed", True), ("processing", True), ("processing_without_bytes", False)],
)
def test_an_expired_upload_may_keep_its_bytes_to_itself(
    expired_upload: str, has_bytes: bool
) -> None:
    before = status(publication(), HOUR_S - 1, expired_upload=expired_upload)
    after = status(publication(), HOUR_S, expired_upload=expired_upload)

    assert "uploaded_bytes" in before
    assert ("uploaded_bytes" in after) is has_bytes


def test_failures_and_cancels_are_failed_with_their_reason() -> None:
    for stage in ("failed", "cancelled"):
        one = publication(stage=stage, fail_reason="some_reason")

        assert status(one) == {"status": "FAILED", "fail_reason": "some_reason"}


def test_a_listed_post_shows_its_ids_as_a_list_or_a_scalar() -> None:
    one = publication(stage="published", post_ids=[1, POST_ID], is_listed=True)

    assert status(one)["publicaly_available_post_id"] == [1, POST_ID]
    assert status(one, post_id_format="scalar")["publicaly_available_post_id"] == POST_ID


def test_a_post_without_an_id_has_no_field_or_an_empty_list() -> None:
    one = publication(stage="published", post_ids=[POST_ID])

    assert status(one) == {"status": "PUBLISH_COMPLETE"}
    empty = {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": []}
    assert status(one, no_post_id="empty_list") == empty


def test_a_draft_ends_in_the_inbox_until_its_creator_posts_it() -> None:
    one = publication(kind="draft", stage="inbox")
    assert status(one) == {"status": "SEND_TO_USER_INBOX"}

    one.stage = "published"

    assert status(one) == {"status": "PUBLISH_COMPLETE"}
    assert status(one, inbox_status="stays") == {"status": "SEND_TO_USER_INBOX"}


@pytest.mark.parametrize(
    ("fields", "is_public"),
    [
        ({"privacy_level": "PUBLIC_TO_EVERYONE"}, True),
        ({"privacy_level": "MUTUAL_FOLLOW_FRIENDS"}, False),
        ({"privacy_level": "SELF_ONLY"}, False),
        ({"privacy_level": None}, False),
        ({"privacy_level": "PUBLIC_TO_EVERYONE", "deleted_at": 1.0}, False),
    ],
)
def test_only_posts_for_everyone_that_are_still_there_are_public(
    fields: dict[str, Any], is_public: bool
) -> None:
    assert publication(**fields).is_public is is_public


def test_a_publication_is_final_when_its_processing_has_ended() -> None:
    final = [
        stage
        for stage in ("transfer", "processing", "failed", "cancelled", "inbox", "published")
        if publication(stage=stage).is_final
    ]

    assert final == ["failed", "cancelled", "inbox", "published"]


@pytest.mark.parametrize(
    ("fields", "is_at_rest"),
    [
        ({"stage": "transfer"}, False),
        ({"stage": "processing"}, False),
        ({"stage": "failed"}, True),
        ({"stage": "cancelled"}, True),
        ({"stage": "inbox"}, True),
        ({"stage": "published", "privacy_level": "PUBLIC_TO_EVERYONE"}, False),
        ({"stage": "published", "privacy_level": "PUBLIC_TO_EVERYONE", "is_listed": True}, True),
        ({"stage": "published", "privacy_level": "SELF_ONLY"}, True),
    ],
)
def test_a_publication_is_at_rest_when_nothing_can_move_it(
    fields: dict[str, Any], is_at_rest: bool
) -> None:
    assert publication(**fields).is_at_rest is is_at_rest
