"""Every case of the matrix: each fault of the simulator, at each call of a post, in each mode.

Calls, kinds of faults, error codes and fail reasons are the simulator's own lists, so that one
which is added there is a case here, or stops the matrix until it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, get_args

from reelflow.tiktok.refusal_table import OAUTH_ERRORS
from tests.integration.fault_matrix.calls import MadeCall
from tiktok_simulator.codes import ERROR_CODES, FAIL_REASONS
from tiktok_simulator.faults import Call, FaultKind, When


class Mode(StrEnum):
    """How a post gets to TikTok."""

    UPLOAD = "upload"
    DRAFT = "draft"
    PHOTOS = "photo pull"
    PULL = "video pull"
    PHOTO_DRAFT = "photo draft"
    PULLED_DRAFT = "pulled draft"


ALL: Final = tuple(Mode)
UPLOADED: Final = (Mode.UPLOAD, Mode.DRAFT)
PULLED: Final = (Mode.PHOTOS, Mode.PULL, Mode.PHOTO_DRAFT, Mode.PULLED_DRAFT)
#: Published at once; a draft is finished by its creator, who is not asked before.
DIRECT: Final = (Mode.UPLOAD, Mode.PHOTOS, Mode.PULL)


@dataclass(frozen=True)
class Place:
    """A call on a post's way.

    :param call: the simulator's name of it; None: what TikTok does with all the bytes
    :param chunk: of a PUT: the simulator's number of it
    :param says_nothing: a refusal of this call says nothing about the post, which must go on
    """

    name: str
    call: Call | None
    chunk: int | None = None
    modes: tuple[Mode, ...] = ALL
    says_nothing: bool = False

    def is_of(self, made: MadeCall) -> bool:
        """Whether a call that was made is this one."""
        if made.name != self.call:
            return False
        if self.chunk is None or made.chunk is None:
            return self.chunk is None
        index, is_last = made.chunk
        return is_last if self.chunk == -1 else index == self.chunk


TOKEN: Final = Place("token refresh", "token")
CREATOR_INFO: Final = Place("creator_info", "creator_info", modes=DIRECT)
# Of a creator who took another username: is it still the same one?
USER_INFO: Final = Place("user_info", "user_info", modes=DIRECT)
INIT: Final = Place("init", "init")
STATUS_WHILE_SENDING: Final = Place("status while sending", "status", modes=UPLOADED)
VIDEO_LIST: Final = Place(
    "video list", "video_list", modes=(Mode.UPLOAD, Mode.PULL), says_nothing=True
)
CANCEL: Final = Place("cancel", "cancel", says_nothing=True)
PROCESSING: Final = Place("processing", None)
PLACES: Final = (
    TOKEN,
    CREATOR_INFO,
    USER_INFO,
    INIT,
    Place("first chunk", "put", 0, modes=UPLOADED),
    Place("middle chunk", "put", 1, modes=UPLOADED),
    Place("last chunk", "put", -1, modes=UPLOADED),
    STATUS_WHILE_SENDING,
    Place("status", "status", says_nothing=True),
    VIDEO_LIST,
    CANCEL,
    PROCESSING,
)
#: Calls of the simulator that no post needs on its way.
BESIDE_THE_WAY: Final[Mapping[str, str]] = {
    "revoke": "a person gives an account's access up",
    "video_query": "counts of what was published are asked for by it",
}

#: TikTok documents that these pass by themselves: its own fault, or a cap that time lifts
#: (tiktok-api-v2-error-handling, content-sharing-guidelines). A refused token is renewed.
PASSING_CODES: Final = frozenset(
    {
        "internal_error",
        "rate_limit_exceeded",
        "spam_risk_too_many_posts",
        "spam_risk_too_many_pending_share",
        "reached_active_user_cap",
        "access_token_invalid",
    }
)
PASSING_OAUTH_ERRORS: Final = frozenset({"server_error", "temporarily_unavailable"})
#: content-posting-api-reference-get-video-status: "retry"; and the cap of a day.
PASSING_FAIL_REASONS: Final = frozenset({"internal", "spam_risk_too_many_posts"})

SLOW_S: Final = 0.9
PATIENCE_S: Final = 0.4


@dataclass(frozen=True)
class Trouble:
    """One fault.

    :param fault: fields of the simulator's fault, without its call
    :param switches: of the simulator
    :param status_is_down: nor does the status answer at first
    :param fail_reason: in the place of a fault: why TikTok fails what it has
    :param passes: nobody but time is needed, so the post must be done in the end
    :param is_open: it says nothing about whether the call was carried out
    :param family: troubles of one kind, of which a short form of the matrix takes one
    """

    name: str
    family: str
    fault: Mapping[str, Any] = field(default_factory=dict)
    switches: Mapping[str, Any] = field(default_factory=dict)
    status_is_down: bool = False
    fail_reason: str | None = None
    passes: bool = True
    is_open: bool = False

    @property
    def is_slow(self) -> bool:
        return self.fault.get("kind") == "slow"


@dataclass(frozen=True)
class Case:
    """One trouble at one place in one mode."""

    mode: Mode
    place: Place
    trouble: Trouble

    def __str__(self) -> str:
        return f"{self.mode} · {self.place.name} · {self.trouble.name}"

    @property
    def must_pass(self) -> bool:
        """Whether the post must be done in the end without anybody's help."""
        return self.trouble.passes or self.place.says_nothing

    @property
    def may_be_unknown(self) -> bool:
        """Whether only a person can know what became of it: a pull's init, and no answer."""
        return self.trouble.is_open and self.place == INIT and self.mode in PULLED


def has_case(mode: Mode, made: MadeCall) -> bool:
    """Whether the matrix plays its faults at a call that posts of this mode made."""
    return any(mode in place.modes and place.is_of(made) for place in PLACES)


def every_case() -> Iterator[Case]:
    """Yield the whole matrix."""
    for place in PLACES:
        for trouble in troubles_of(place):
            for mode in place.modes:
                yield Case(mode, place, trouble)


def some_cases() -> Iterator[Case]:
    """Yield cases that bring a new family of troubles, or a place in a new mode."""
    seen: set[object] = set()
    for case in sorted(every_case(), key=_spread):
        news = {(case.place.call == "put", case.trouble.family), (case.place, case.mode)}
        if not news <= seen:
            seen |= news
            yield case


def _spread(case: Case) -> int:
    """Return an order, the same in each run, in which modes and places are mixed."""
    return sum(index * ord(char) for index, char in enumerate(str(case), 1)) % 997


def troubles_of(place: Place) -> Iterator[Trouble]:
    """Yield what can happen to a call."""
    if place.call is None:
        for reason in FAIL_REASONS:
            passes = reason in PASSING_FAIL_REASONS
            family = f"FAILED, {passes=}"
            yield Trouble(f"FAILED {reason}", family, fail_reason=reason, passes=passes)
        return
    for kind in get_args(FaultKind):
        yield from _BY_KIND[kind](place)


def _dropped(place: Place) -> Iterator[Trouble]:
    yield from _both_times(place, "dropped", kind="drop")
    if place.call == "put":
        yield from _both_times(place, "dropped twice", kind="drop", times=2)


def _cut(place: Place) -> Iterator[Trouble]:
    if place.call == "put":
        yield Trouble("cut in the middle", "cut", {"kind": "cut", "after_bytes": 1000})
        yield Trouble("cut twice", "cut twice", {"kind": "cut", "after_bytes": 1000, "times": 2})


def _slow(place: Place) -> Iterator[Trouble]:
    yield from _both_times(place, "too slow", kind="slow", delay_s=SLOW_S)


def _errors(place: Place) -> Iterator[Trouble]:
    if place.call == "put":
        yield from _chunk_errors(place)
        return
    yield from _both_times(place, "HTML 503", status=503)
    yield from _both_times(place, "empty 502", status=502, body="")
    yield from _both_times(place, "HTTP 500 internal_error", status=500, code="internal_error")
    for name, body in _GARBAGE.items():
        yield from _both_times(place, name, status=200, body=body)
    for wait in _WAITS:
        after = " with Retry-After" if wait else ""
        limited = {"kind": "error", "status": 429, **wait}
        yield Trouble(f"HTTP 429{after}", "HTTP 429", {**limited, "code": "rate_limit_exceeded"})
        yield Trouble(f"HTML 429{after}", "HTML 429", limited, is_open=True)
    foreign = {"kind": "error", "status": 403}
    yield Trouble("HTML 403", "HTML 403", foreign, passes=False, is_open=True)
    yield from _refusals(place)


_WAITS: Final[tuple[dict[str, Any], ...]] = ({}, {"retry_after_s": 7})
#: Bodies that are no answer of TikTok's.
_GARBAGE: Final = {
    "truncated JSON": '{"data":{"publish_id":"v_pub_url~v2.12',
    "no JSON": "ok",
    "another JSON": [{"code": "ok"}],
    "no data": {"error": {"code": "ok", "message": "", "log_id": ""}},
}


def _refusals(place: Place) -> Iterator[Trouble]:
    """Yield every word with which TikTok refuses a call, before it did anything."""
    codes = {name: code.status for name, code in ERROR_CODES.items()}
    passing = PASSING_CODES
    if place == TOKEN:
        codes, passing = dict.fromkeys(OAUTH_ERRORS, 400), PASSING_OAUTH_ERRORS
    for code, documented in {**codes, "a_code_from_tomorrow": 400}.items():
        # Refusals with HTTP 200 are documented of creator_info, and observed of OAuth.
        for status in (documented, 200) if place in (TOKEN, CREATOR_INFO, INIT) else (documented,):
            yield Trouble(
                f"HTTP {status} {code}",
                f"refusal, passes={code in passing}, is 200={status == 200}",
                {"kind": "error", "status": status, "code": code},
                passes=code in passing,
                is_open=code == "internal_error",
            )


def _chunk_errors(place: Place) -> Iterator[Trouble]:
    for status in (408, 500, 503):
        yield from _both_times(place, f"HTTP {status}", status=status)
    yield from _both_times(place, "HTTP 503 twice", status=503, times=2)
    for status in (403, 404):
        yield from _both_times(place, f"HTTP {status}", status=status)
    for wait in _WAITS:
        name = "HTTP 429 with Retry-After" if wait else "HTTP 429"
        yield from _both_times(place, name, status=429, **wait)
    for reading in ("count", "last_index"):
        for trouble in _both_times(place, f"HTTP 416, {reading}", status=416, progress=True):
            trouble = replace(trouble, switches={"progress": reading})
            yield trouble
            name = f"{trouble.name}, no status"
            yield replace(trouble, name=name, family=name, status_is_down=True)
    yield from _both_times(place, "HTTP 416 without header", status=416, progress=False)
    for status in (200, 201, 206):  # said, but nothing is stored
        name = f"HTTP {status} for nothing"
        yield Trouble(name, name, {"kind": "error", "status": status})
    for status in (302, 400):
        fault = {"kind": "error", "status": status}
        yield Trouble(f"HTTP {status}", "refused chunk", fault, passes=False)


def _both_times(
    place: Place, name: str, *, kind: str = "error", **fields: Any
) -> Iterator[Trouble]:
    """Yield a trouble before and after the call did its work; neither tells which it was."""
    for when in get_args(When):
        yield Trouble(
            f"{name} {when}",
            name,
            {"kind": kind, "when": when, **fields},
            # A refresh whose answer is lost has spent the refresh token. So has one that TikTok
            # carries out when nobody waits for it any more, unless the next one was faster.
            passes=not (place == TOKEN and (when == "after" or kind == "slow")),
            is_open=True,
        )


_BY_KIND: Final = {"error": _errors, "drop": _dropped, "cut": _cut, "slow": _slow}
