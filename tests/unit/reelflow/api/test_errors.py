from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from reelflow.api.errors import ApiError, add_error_handlers, errors
from reelflow.api.statuses import FOR_STRANGERS, STATUSES
from reelflow.exceptions import (
    ConfigurationError,
    MediaRejectedError,
    QuotaExceededError,
    ReelflowError,
    StorageFullError,
    StorageUnavailableError,
    TerminalError,
    TikTokRejectedError,
    UnauthenticatedError,
)
from tests.unit.reelflow.api.conftest import Web

PATH = "/srv/secret/place"


class Wish(BaseModel, extra="forbid"):
    caption: str = Field(max_length=10)
    size: int = Field(ge=1, default=1)


@pytest.fixture
def raising() -> tuple[FastAPI, Web]:
    app = FastAPI()
    add_error_handlers(app)

    @app.post("/reelflow/api/v1/wish")
    def wish(body: Wish) -> None:
        """Take a body."""

    @app.get("/reelflow/api/v1/number/{number}")
    def number(number: int) -> None:
        """Take a number."""

    return app, Web(app)


def answer_to(raising: tuple[FastAPI, Web], error: Exception) -> Any:
    app, web = raising

    @app.get("/reelflow/api/v1/raise")
    def fail() -> None:
        raise error

    return web.get("/raise")


def test_an_error_of_the_table_is_answered_with_its_words_and_values(
    raising: tuple[FastAPI, Web],
) -> None:
    error = TerminalError("chunks 3 to 4 are missing", code="chunks_missing", missing=[[3, 4]])
    answer = answer_to(raising, error)
    assert answer.status_code == 409
    assert answer.json() == {
        "reason": "chunks_missing",
        "message": "chunks 3 to 4 are missing",
        "details": {"missing": [[3, 4]]},
    }


def test_a_used_up_quota_says_when_to_come_again(raising: tuple[FastAPI, Web]) -> None:
    answer = answer_to(raising, QuotaExceededError("used up", retry_after_s=59.6))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


def test_a_rejected_file_comes_with_every_rule_it_breaks(raising: tuple[FastAPI, Web]) -> None:
    violation = {"rule": "size", "value": "2", "limit": "1", "fix": "cut"}
    answer = answer_to(raising, MediaRejectedError("no", violations=[violation]))
    assert answer.status_code == 422
    assert answer.json()["details"] == {"violations": [violation]}


def test_who_is_not_known_is_told_how_to_log_in(raising: tuple[FastAPI, Web]) -> None:
    answer = answer_to(raising, UnauthenticatedError("who are you?"))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_full_disk_is_507_without_its_place(
    raising: tuple[FastAPI, Web], caplog: pytest.LogCaptureFixture
) -> None:
    answer = answer_to(raising, StorageFullError(f"no room in {PATH}", path=PATH))
    assert (answer.status_code, answer.json()["reason"]) == (507, "storage_full")
    assert PATH not in answer.text
    assert PATH in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (StorageUnavailableError(f"{PATH} is away"), 503, "5"),
        (StorageUnavailableError(f"{PATH} is away", retry_after_s=30), 503, "30"),
        (TikTokRejectedError(f"{PATH} is refused", code="invalid_request"), 500, None),
        (ConfigurationError(f"{PATH} is wrong"), 500, None),
        (ReelflowError(f"{PATH}"), 500, None),
        (ValueError(PATH), 500, None),
    ],
)
def test_what_no_route_expected_is_answered_in_general(
    raising: tuple[FastAPI, Web], error: Exception, status: int, retry_after: str | None
) -> None:
    answer = answer_to(raising, error)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == retry_after
    assert answer.json()["reason"] == ("unavailable" if status == 503 else "internal")
    assert PATH not in answer.text


def test_an_answer_can_quote_what_no_encoding_has(raising: tuple[FastAPI, Web]) -> None:
    answer = answer_to(raising, ApiError(404, "not_there", "no \ud800", details={"a": "\udfff"}))
    assert answer.status_code == 404
    assert json.loads(answer.content)["message"] == "no \ud800"


def test_each_wrong_field_is_named_with_its_value_and_what_it_takes(
    raising: tuple[FastAPI, Web],
) -> None:
    body = {"caption": "x" * 500, "size": 0, "surprise\x00": [1, 2]}
    answer = raising[1].post("/wish", json=body)
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid_request")
    fields = {field["field"]: field for field in answer.json()["details"]["fields"]}
    assert set(fields) == {"body.caption", "body.size", "body.surprise"}
    assert len(fields["body.caption"]["value"]) <= 60
    assert fields["body.size"]["takes"] == "Input should be greater than or equal to 1"
    assert "body.size is 0: Input should be greater" in answer.json()["message"]


def test_a_missing_field_is_called_missing(raising: tuple[FastAPI, Web]) -> None:
    answer = raising[1].post("/wish", json={})
    assert answer.json()["details"]["fields"][0]["value"] == "missing"


def test_a_wrong_word_in_the_address_is_named(raising: tuple[FastAPI, Web]) -> None:
    answer = raising[1].get("/number/seven")
    assert answer.status_code == 422
    assert "path.number is 'seven'" in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"caption": "\\ud800"}',
        b'{"caption": NaN}',
        b'{"caption": "a", "size": 1e400}',
        b'{"caption": "a", "size": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"{",
        b'{"caption": "\xff"}',
        b"",
        b"null",
        b"[]",
        b'"text"',
    ],
)
def test_whatever_the_body_the_answer_is_an_error_of_whoever_sent_it(
    raising: tuple[FastAPI, Web], body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = raising[1].post("/wish", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert set(answer.json()) == {"reason", "message", "details"}
    assert len(answer.content) < 2000


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "json"])
def test_a_body_of_another_type_is_415(raising: tuple[FastAPI, Web], kind: str) -> None:
    answer = raising[1].post("/wish", content=b'{"caption": "a"}', headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["reason"]) == (415, "unsupported_media_type")


def test_no_body_at_all_is_missing_and_of_no_wrong_type(raising: tuple[FastAPI, Web]) -> None:
    answer = raising[1].post("/wish")
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid_request")
    assert answer.json()["message"] == "the request is wrong: body is missing: Field required"


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/problem+json"])
def test_json_is_taken_by_all_its_names(raising: tuple[FastAPI, Web], kind: str) -> None:
    answer = raising[1].post("/wish", content=b'{"caption": "a"}', headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"), [("/things/new", "POST"), ("/things/7", "DELETE, GET")]
)
def test_a_405_names_every_method_of_the_address_and_of_no_other(
    raising: tuple[FastAPI, Web], path: str, allowed: str
) -> None:
    app, web = raising

    @app.delete("/reelflow/api/v1/things/{number}")
    @app.get("/reelflow/api/v1/things/{number}")
    def thing(number: int) -> None:
        """Show or delete it."""

    @app.post("/reelflow/api/v1/things/new")
    def make() -> None:
        """Make one."""

    answer = web.request("OPTIONS", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_every_status_of_the_table_can_be_documented() -> None:
    documented = errors(*sorted(set(STATUSES.values())))
    assert all(entry["description"] for entry in documented.values())
    assert set(FOR_STRANGERS) <= set(STATUSES)
