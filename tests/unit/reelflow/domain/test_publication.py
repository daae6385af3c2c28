"""The state table of a publication, and what TikTok's status means for its post."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.post import PostMode, PostState, check_transition
from reelflow.domain.publication import (
    PUBLICATION_TRANSITIONS,
    PublicationState,
    Settlement,
    check_publication_transition,
    settle_status,
)
from reelflow.exceptions import IllegalTransitionError

TABLE = {
    "INITIATING": "UPLOADING COMMITTING SUPERSEDED FAILED",
    "UPLOADING": "COMMITTING SUPERSEDED FAILED",
    "COMMITTING": "SENT DONE FAILED SUPERSEDED",
    "SENT": "DONE FAILED",
    "DONE": "DONE",
    "FAILED": "DONE",
    "SUPERSEDED": "DONE",
}


@pytest.mark.parametrize(
    ("current", "target"), list(itertools.product(PublicationState, PublicationState))
)
def test_a_step_is_allowed_exactly_where_the_table_has_it(
    current: PublicationState, target: PublicationState
) -> None:
    if target in TABLE[current].split():
        check_publication_transition(current, target)
    else:
        with pytest.raises(IllegalTransitionError, match=f"from {current} to {target}"):
            check_publication_transition(current, target)


def test_a_sent_publication_is_never_given_up() -> None:
    assert PublicationState.SUPERSEDED not in PUBLICATION_TRANSITIONS[PublicationState.SENT]


def settled(status: str, **known: object) -> Settlement:
    asked = {
        "mode": PostMode.DIRECT,
        "size_bytes": 100,
        "uploaded_bytes": None,
        "has_post_id": False,
        **known,
    }
    return settle_status(status, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "known", "state"),
    [
        ("PUBLISH_COMPLETE", {"has_post_id": True}, "PUBLISHED"),
        ("PUBLISH_COMPLETE", {}, "PUBLISHED_NO_LINK"),
        ("PUBLISH_COMPLETE", {"mode": PostMode.DRAFT}, "PUBLISHED"),
        ("SEND_TO_USER_INBOX", {"mode": PostMode.DRAFT}, "IN_INBOX"),
        ("FAILED", {}, "FAILED"),
        ("PROCESSING_UPLOAD", {"uploaded_bytes": 100}, None),
        ("PROCESSING_DOWNLOAD", {}, None),
    ],
)
def test_each_documented_status_means_one_state(
    status: str, known: dict[str, object], state: str | None
) -> None:
    assert settled(status, **known).post_state == state


@given(st.text())
def test_a_status_that_nobody_documented_is_pending(status: str) -> None:
    known = {"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"}
    if status not in known:
        assert settled(status).post_state is None


@pytest.mark.parametrize(
    ("uploaded_bytes", "held"), [(None, False), (0, False), (99, False), (100, True), (101, True)]
)
def test_all_bytes_are_held_only_when_tiktok_says_so(
    uploaded_bytes: int | None, held: bool
) -> None:
    assert settled("PROCESSING_UPLOAD", uploaded_bytes=uploaded_bytes).all_bytes_held is held


@given(st.sampled_from(["PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"]), st.booleans())
def test_every_settlement_is_a_step_that_the_table_allows(status: str, linked: bool) -> None:
    state = settled(status, has_post_id=linked).post_state
    assert state is not None
    for current in (PostState.COMMITTING, PostState.PROCESSING, PostState.UNKNOWN):
        check_transition(current, state)
