"""What the server answers, checked before any of it is believed."""

from __future__ import annotations

import re
from typing import Any, Final

from reelflow.client.transport import Answer
from reelflow.domain.printable import printable
from reelflow.exceptions import ReelflowError, ServerRefusedError, ServerUnavailableError
from reelflow.json_text import read_json_object

_SAID_MAX_CHARS: Final = 500
_SLUG: Final = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_LONGEST_WAIT_S: Final = 86_400

#: Statuses after which the same request may be answered otherwise.
_PASSING_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
#: The same by the server's slug, whatever the status: what was sent did not arrive as it was, or
#: somebody else, maybe our own request that was cut, is at the same chunk.
_PASSING_CODES: Final = frozenset({"body_cut", "chunk_busy", "chunk_digest"})
#: Refusals with a passing status that pass tomorrow at the earliest.
_LASTING_CODES: Final = frozenset({"quota_exceeded"})


def document_of(answer: Answer, call: str) -> dict[str, Any]:
    """Return the JSON object of a success; raise for every other answer.

    :param call: what was asked for, as in "asking for X was answered with"
    """
    document = read_json_object(answer.body)
    if not 200 <= answer.status < 300:
        raise _failure(answer, call, document)
    if document is None:
        raise malformed(call, answer, "it is no JSON object")
    return document


def check_done(answer: Answer, call: str) -> None:
    """Accept a success, whatever it says; raise for every other answer."""
    if not 200 <= answer.status < 300:
        raise _failure(answer, call, read_json_object(answer.body))


def malformed(call: str, answer: Answer, wrong: str) -> ServerRefusedError:
    """Return the error of an answer that no server of ours gives."""
    return ServerRefusedError(
        f"the answer to {call} (HTTP {answer.status}, {len(answer.body)} bytes) cannot be "
        f"understood: {wrong}. Check that --url or REELFLOW_API_URL is a Reelflow server's",
        code="malformed_answer",
        status=answer.status,
    )


class Fields:
    """The fields of a JSON object, read by name and type; one that is wrong ends it.

    :param call: whose answer it is, for messages
    """

    def __init__(self, document: Any, call: str, answer: Answer) -> None:
        self._call = call
        self._answer = answer
        if not isinstance(document, dict):
            raise self._wrong("a part of it is no JSON object")
        self._document = document

    def inner(self, name: str) -> Fields:
        """Return an object in it."""
        return Fields(self._document.get(name), self._call, self._answer)

    def has(self, name: str) -> bool:
        """Whether a field is there, and not null."""
        return self._document.get(name) is not None

    def each(self, name: str) -> list[Fields]:
        """Return the objects of a list in it."""
        return [Fields(one, self._call, self._answer) for one in self._list(name)]

    def id(self, name: str) -> str:
        """Return an id that may stand in an address."""
        value = self._document.get(name)
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise self._wrong(f"{name} is no id")
        return value

    def ids(self, name: str) -> tuple[str, ...]:
        """Return a list of such ids."""
        found = self._list(name)
        if not all(isinstance(one, str) and _ID.fullmatch(one) for one in found):
            raise self._wrong(f"{name} is no list of ids")
        return tuple(found)

    def text(self, name: str) -> str:
        """Return a text that can be shown; empty where there is none."""
        value = self._document.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong(f"{name} is no text")
        return printable(value, 2 * _SAID_MAX_CHARS)

    def raw_text(self, name: str) -> str:
        """Return a text letter for letter, to compare it with; empty where there is none."""
        value = self._document.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """Return a number that counts something."""
        return self._counted(self._document.get(name), name)

    def numbers(self, name: str) -> list[int]:
        """Return a list of such numbers."""
        return [self._counted(one, name) for one in self._list(name)]

    def flag(self, name: str) -> bool:
        """Whether a field is true."""
        return self._document.get(name) is True

    def pairs(self, name: str) -> list[tuple[int, int]]:
        """Return ranges as pairs of their first and last number."""
        pairs = []
        for pair in self._list(name):
            if not isinstance(pair, list) or len(pair) != 2:
                raise self._wrong(f"{name} is no list of ranges")
            pairs.append((self._counted(pair[0], name), self._counted(pair[1], name)))
        return pairs

    def wrong(self, what: str) -> ServerRefusedError:
        """Return the error of fields that do not fit each other."""
        return self._wrong(what)

    def _list(self, name: str) -> list[Any]:
        found = self._document.get(name)
        if not isinstance(found, list):
            raise self._wrong(f"{name} is no list")
        return found

    def _counted(self, value: object, name: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise self._wrong(f"{name} is no number that counts something")
        return value

    def _wrong(self, what: str) -> ServerRefusedError:
        return malformed(self._call, self._answer, what)


def _failure(answer: Answer, call: str, document: dict[str, Any] | None) -> ReelflowError:
    reason, message = (document or {}).get("reason"), (document or {}).get("message")
    code = reason if isinstance(reason, str) and _SLUG.fullmatch(reason) else None
    said = printable(message, _SAID_MAX_CHARS) if isinstance(message, str) else ""
    if _passes(answer.status, code):
        told = f"{call} was answered with HTTP {answer.status}" + (f": {said}" if said else "")
        return ServerUnavailableError(told, code=code, retry_after_s=_retry_after_s(answer))
    if answer.status == 401:
        said = (
            "the server does not accept the API key in REELFLOW_API_KEY (HTTP 401): it may be of "
            "another server, revoked or expired; `reelflow keys list` there says so"
        )
    elif code is None:
        said = (
            f"{call} was answered with HTTP {answer.status} and not in Reelflow's words: check "
            "--url or REELFLOW_API_URL, and what stands before the server"
        )
    else:
        said = said or f"{call} was refused with HTTP {answer.status} ({code})"
    return ServerRefusedError(said, code=code, status=answer.status)


def _passes(status: int, code: str | None) -> bool:
    if code in _LASTING_CODES:
        return False
    return status in _PASSING_STATUSES or code in _PASSING_CODES


def _retry_after_s(answer: Answer) -> float | None:
    """Return the seconds of ``Retry-After``; None if absent or given as a date."""
    value = answer.headers.get("retry-after", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        return None
    return float(min(int(value), _LONGEST_WAIT_S))
