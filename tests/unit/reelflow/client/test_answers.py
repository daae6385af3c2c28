import json
from typing import Any

import pytest

from reelflow.client.answers import Fields, check_done, document_of
from reelflow.client.transport import Answer
from reelflow.exceptions import ServerRefusedError, ServerUnavailableError


def answer(
    status: int, document: Any = None, *, body: bytes | None = None, **headers: str
) -> Answer:
    return Answer(status, headers, json.dumps(document).encode() if body is None else body)


def refused(status: int, reason: str, message: str = "no") -> Answer:
    return answer(status, {"reason": reason, "message": message})


def test_a_success_gives_its_object() -> None:
    assert document_of(answer(200, {"a": 1}), "asking") == {"a": 1}
    check_done(answer(204, body=b""), "cancelling")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"null", b'"text"', b"[" * 100_000, b"\xff", b"1" * 5000]
)
def test_a_success_without_an_object_is_no_reelflow_server(body: bytes) -> None:
    with pytest.raises(ServerRefusedError, match=r"asking \(HTTP 200, .*--url") as caught:
        document_of(answer(200, body=body), "asking")
    assert caught.value.code == "malformed_answer"


def test_a_refusal_keeps_the_servers_words_and_slug() -> None:
    with pytest.raises(ServerRefusedError) as caught:
        document_of(refused(409, "duplicate", "the same bytes are another post"), "ending")
    assert (caught.value.code, caught.value.status) == ("duplicate", 409)
    assert str(caught.value) == "the same bytes are another post"


def test_a_servers_words_are_cut_and_cannot_act_on_a_screen() -> None:
    with pytest.raises(ServerRefusedError) as caught:
        document_of(refused(422, "bad", "\x1b[2J\n" + "x" * 10_000), "ending")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_some_refusals_pass_by_themselves(status: int) -> None:
    with pytest.raises(ServerUnavailableError, match=f"HTTP {status}"):
        check_done(answer(status, body=b"<html>", **{"retry-after": "soon"}), "sending")
    with pytest.raises(ServerUnavailableError) as caught:
        check_done(answer(status, body=b"", **{"retry-after": "7"}), "sending")
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize("reason", ["chunk_busy", "body_cut", "chunk_digest"])
def test_what_came_damaged_or_twice_at_once_is_sent_again(reason: str) -> None:
    with pytest.raises(ServerUnavailableError):
        check_done(refused(409, reason), "sending")


def test_a_spent_quota_is_not_waited_for() -> None:
    with pytest.raises(ServerRefusedError, match="until midnight"):
        check_done(refused(429, "quota_exceeded", "none left until midnight"), "beginning")


def test_a_key_that_is_not_accepted_is_told_as_that() -> None:
    with pytest.raises(ServerRefusedError, match=r"key in REELFLOW_API_KEY \(HTTP 401\)"):
        check_done(refused(401, "unauthenticated"), "beginning")


@pytest.mark.parametrize("status", [302, 403, 404, 413])
def test_a_refusal_in_other_words_points_at_the_address(status: int) -> None:
    with pytest.raises(ServerRefusedError, match="not in Reelflow's words") as caught:
        check_done(answer(status, body=b"<html>nginx"), "beginning")
    assert caught.value.code == "server_refused"
    with pytest.raises(ServerRefusedError, match="not in Reelflow's words"):
        check_done(answer(status, {"reason": ["x"], "message": {}}), "beginning")


READERS = {
    "id": lambda fields: fields.id("x"),
    "ids": lambda fields: fields.ids("x"),
    "text": lambda fields: fields.text("x"),
    "number": lambda fields: fields.number("x"),
    "numbers": lambda fields: fields.numbers("x"),
    "pairs": lambda fields: fields.pairs("x"),
    "inner": lambda fields: fields.inner("x"),
    "each": lambda fields: fields.each("x"),
}
WRONG: list[Any] = [[{}], ["../x"], [[1]], [[1, -1]], [["1", "2"]], True, 1.5, -1, 2**63, "a/b"]


@pytest.mark.parametrize("name", sorted(READERS))
@pytest.mark.parametrize("value", WRONG)
def test_a_field_of_a_wrong_type_ends_in_one_sentence(name: str, value: Any) -> None:
    right = {("text", "a/b"), ("each", "[{}]")}
    if (name, str(value)) in right:
        return
    with pytest.raises(ServerRefusedError, match="cannot be understood"):
        READERS[name](Fields({"x": value}, "asking", answer(200)))


def test_an_object_that_is_none_ends_in_one_sentence() -> None:
    with pytest.raises(ServerRefusedError, match="cannot be understood"):
        Fields([], "asking", answer(200))
