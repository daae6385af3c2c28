"""The state table of a post, written down once more by hand, and what a person may ask."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.post import (
    DONE,
    PAST_LAST_BYTE,
    TRANSITIONS,
    UNKEYED,
    PersonCommand,
    PostState,
    check_command,
    check_transition,
)
from reelflow.exceptions import IllegalTransitionError

# The table as the decision record draws it; a change here is a change of the promise.
TABLE = {
    "HELD": "READY CANCELLED MISSED PUBLISHED PUBLISHED_NO_LINK",
    "READY": "UPLOADING HELD REJECTED MISSED CANCELLED PUBLISHED PUBLISHED_NO_LINK",
    "UPLOADING": "COMMITTING READY HELD FAILED CANCELLED PUBLISHED PUBLISHED_NO_LINK",
    "COMMITTING": "PROCESSING PUBLISHED PUBLISHED_NO_LINK IN_INBOX UPLOADING READY FAILED UNKNOWN",
    "PROCESSING": "PUBLISHED PUBLISHED_NO_LINK IN_INBOX READY FAILED UNKNOWN",
    "PUBLISHED": "",
    "PUBLISHED_NO_LINK": "PUBLISHED",
    "IN_INBOX": "PUBLISHED",
    "REJECTED": "READY PUBLISHED PUBLISHED_NO_LINK",
    "FAILED": "READY PUBLISHED PUBLISHED_NO_LINK",
    "CANCELLED": "READY PUBLISHED PUBLISHED_NO_LINK",
    "MISSED": "READY CANCELLED PUBLISHED PUBLISHED_NO_LINK",
    "UNKNOWN": "PUBLISHED PUBLISHED_NO_LINK IN_INBOX FAILED",
}
COMMANDS = {
    "release": "HELD",
    "cancel": "HELD READY MISSED UPLOADING COMMITTING PROCESSING",
    "retry": "FAILED REJECTED CANCELLED MISSED",
    "resolve": "UNKNOWN",
}

PAIRS = list(itertools.product(PostState, PostState))


@pytest.mark.parametrize(("current", "target"), PAIRS, ids=lambda state: str(state))
def test_a_step_is_allowed_exactly_where_the_table_has_it(
    current: PostState, target: PostState
) -> None:
    if target in TABLE[current].split():
        check_transition(current, target)
    else:
        with pytest.raises(IllegalTransitionError, match=f"from {current} to {target};"):
            check_transition(current, target)


def test_the_table_knows_every_state() -> None:
    assert set(TABLE) == set(TRANSITIONS) == set(PostState)


@pytest.mark.parametrize("current", PostState)
@pytest.mark.parametrize("command", PersonCommand)
def test_a_command_is_allowed_exactly_where_a_person_may_give_it(
    command: PersonCommand, current: PostState
) -> None:
    if current in COMMANDS[command].split():
        check_command(command, current)
    else:
        with pytest.raises(IllegalTransitionError) as refused:
            check_command(command, current)
        what, _, advice = str(refused.value).partition(": ")
        assert what == f"cannot {command} a post that is {current}"
        assert advice


@given(st.lists(st.sampled_from(PostState), max_size=30))
def test_no_walk_sends_bytes_again_after_tiktok_may_have_the_last_one(
    wishes: list[PostState],
) -> None:
    """Only proof, and TikTok's word that the publication failed, lead back to sending."""
    state, past_last_byte = PostState.READY, False
    for wish in wishes:
        try:
            check_transition(state, wish)
        except IllegalTransitionError:
            continue
        if past_last_byte and wish in {PostState.UPLOADING, PostState.READY}:
            assert state in PAST_LAST_BYTE | {PostState.FAILED}
            assert (state, wish) != (PostState.PROCESSING, PostState.UPLOADING)
        state = wish
        past_last_byte = state in PAST_LAST_BYTE | DONE | {PostState.UNKNOWN, PostState.FAILED}


def test_nothing_but_tiktoks_word_leaves_processing_done_or_unknown() -> None:
    by_tiktok = DONE | {PostState.READY, PostState.FAILED, PostState.UNKNOWN}
    for state in DONE | {PostState.PROCESSING, PostState.UNKNOWN}:
        assert TRANSITIONS[state] <= by_tiktok


def test_a_post_is_held_only_before_its_last_byte() -> None:
    sources = {state for state, targets in TRANSITIONS.items() if PostState.HELD in targets}
    assert sources == {PostState.READY, PostState.UPLOADING}


def test_the_sets_of_states_say_what_the_promise_says() -> None:
    assert {str(state) for state in UNKEYED} == {"REJECTED", "FAILED", "CANCELLED", "MISSED"}
    assert {str(state) for state in PAST_LAST_BYTE} == {"COMMITTING", "PROCESSING"}
    assert {str(state) for state in DONE} == {"PUBLISHED", "PUBLISHED_NO_LINK", "IN_INBOX"}


@pytest.mark.parametrize("state", sorted(UNKEYED - {PostState.MISSED}))
@pytest.mark.parametrize("command", [PersonCommand.CANCEL, PersonCommand.RELEASE])
def test_who_wants_a_post_stopped_is_not_told_how_to_post_it(
    command: PersonCommand, state: PostState
) -> None:
    with pytest.raises(IllegalTransitionError) as refused:
        check_command(command, state)
    assert ("reelflow posts retry" in str(refused.value)) is (command is PersonCommand.RELEASE)
    if command is PersonCommand.CANCEL:
        assert "does not go out" in str(refused.value)
