"""A short form of the fault matrix: each call in each mode, each family of troubles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, get_args

import pytest

from reelflow.services.calls.account_client import AccountClient
from tests.integration.fault_matrix import catalogue
from tests.integration.fault_matrix.bench import Bench, bench
from tests.integration.fault_matrix.calls import MadeCall
from tests.integration.fault_matrix.catalogue import (
    BESIDE_THE_WAY,
    CANCEL,
    PLACES,
    USER_INFO,
    Case,
    Mode,
    every_case,
    has_case,
    some_cases,
)
from tiktok_simulator.codes import ERROR_CODES, FAIL_REASONS
from tiktok_simulator.faults import Call, FaultKind

#: The calls of everything that a post's way can ask of TikTok.
_ASKED: Final[Mapping[str, Call]] = {
    "renew_token": "token",
    "creator_info": "creator_info",
    "user_info": "user_info",
    "init_video": "init",
    "init_draft": "init",
    "init_photos": "init",
    "put_chunk": "put",
    "fetch_status": "status",
    "list_videos": "video_list",
    "cancel": "cancel",
}
#: Those of what comes after it.
_ASKED_LATER: Final[Mapping[str, Call]] = {"query_videos": "video_query"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("matrix")) as shared:
        yield shared


@pytest.mark.parametrize("case", list(some_cases()), ids=str)
def test_a_post_gets_through_its_trouble(shared: Bench, case: Case) -> None:
    outcome = shared.play(case)
    assert not outcome.problems, f"{case}: {' > '.join(outcome.way)}"


def test_the_matrix_has_every_call_fault_code_and_reason_of_the_simulator() -> None:
    cases = list(every_case())
    calls = {place.call for place in PLACES} - {None}
    assert calls.isdisjoint(BESIDE_THE_WAY)
    assert calls | BESIDE_THE_WAY.keys() == set(get_args(Call))
    assert {case.trouble.fault.get("kind") for case in cases} == {*get_args(FaultKind), None}
    assert set(ERROR_CODES) <= {case.trouble.fault.get("code") for case in cases}
    assert set(FAIL_REASONS) <= {case.trouble.fail_reason for case in cases}
    assert len(set(map(str, cases))) == len(cases)


def test_the_matrix_has_every_call_that_a_post_can_make() -> None:
    public = {name for name in vars(AccountClient) if not name.startswith("_")}
    assert public == _ASKED.keys() | _ASKED_LATER.keys(), "give it a place in PLACES"
    assert set(_ASKED.values()) == {place.call for place in PLACES} - {None}
    assert BESIDE_THE_WAY.keys() >= set(_ASKED_LATER.values())


@pytest.mark.parametrize(
    ("mode", "made", "expected"),
    [
        (Mode.UPLOAD, MadeCall("user_info"), True),
        (Mode.PULLED_DRAFT, MadeCall("user_info"), False),
        (Mode.UPLOAD, MadeCall("video_query"), False),
        (Mode.UPLOAD, MadeCall("POST /v2/post/publish/tomorrow/"), False),
        (Mode.DRAFT, MadeCall("put", (0, True)), True),
        (Mode.DRAFT, MadeCall("put", (1, False)), True),
        (Mode.DRAFT, MadeCall("put", (2, False)), False),
        (Mode.PULL, MadeCall("put", (0, True)), False),
    ],
)
def test_a_call_that_was_made_is_known_in_its_mode_alone(
    mode: Mode, made: MadeCall, expected: bool
) -> None:
    assert has_case(mode, made) is expected


def test_a_case_whose_call_is_never_made_fails(shared: Bench) -> None:
    cancel = next(case for case in every_case() if case.place == CANCEL)
    elsewhere = replace(cancel.place, name="cancel of nothing")
    outcome = shared.play(replace(cancel, place=elsewhere))
    assert any("the trouble never came" in problem for problem in outcome.problems)


def test_a_post_that_makes_a_call_without_a_case_fails(
    shared: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = tuple(place for place in PLACES if place.call != "user_info")
    monkeypatch.setattr(catalogue, "PLACES", places)
    case = next(case for case in every_case() if case.place.call == "status")
    assert not shared.play(case).problems
    case = Case(case.mode, USER_INFO, case.trouble)
    assert "upload: no fault is played at user_info, which it called" in shared.play(case).problems
