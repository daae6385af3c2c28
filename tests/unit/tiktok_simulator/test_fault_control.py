"""The control routes that arm trouble."""

from collections.abc import Callable
from typing import Any

import pytest

from tiktok_simulator.faults import Fault
from tiktok_simulator.lifecycle import ArmedFailure
from tiktok_simulator.state import World

Call = Callable[..., Any]


def test_fail_ends_the_next_upload(api: Any, call: Call, put: Call, init: Call) -> None:
    api.request("POST", "/_sim/fail", json={"fail_reason": "duration_check_failed"})
    task = init(3)
    put(task["upload_url"], b"abc", 0, 3)

    states = [
        call("status/fetch/", {"publish_id": task["publish_id"]}).json()["data"] for _ in range(2)
    ]

    assert states[0]["status"] == "PROCESSING_UPLOAD"
    assert states[1] == {"status": "FAILED", "fail_reason": "duration_check_failed"}
    assert api.request("GET", "/_sim/posts").json()["posts"] == []


def test_a_fault_armed_over_http_is_met(api: Any, call: Call) -> None:
    fault = {"call": "status", "kind": "error", "status": 500, "times": 2}
    assert api.request("POST", "/_sim/fault", json=fault).json() == {"ok": True}

    statuses = [call("status/fetch/", {"publish_id": "x"}).status_code for _ in range(3)]

    assert statuses == [500, 500, 400]


def test_what_is_disarmed_meets_no_call(api: Any, call: Call) -> None:
    fault = {"call": "status", "kind": "error", "status": 500, "times": 2}
    script = {"call": "status", "steps": ["pass", {"status": 502}]}
    for path, body in (("fault", fault), ("script", script)):
        api.request("POST", f"/_sim/{path}", json=body)
    assert api.request("DELETE", "/_sim/fault").json() == {"ok": True}

    statuses = [call("status/fetch/", {"publish_id": "x"}).status_code for _ in range(3)]

    assert statuses == [400, 400, 400]


def test_nobody_is_held_at_first(api: Any) -> None:
    hold = {"chunk": -1, "when": "after"}

    assert api.request("POST", "/_sim/hold", json=hold).json() == {"ok": True}
    assert api.request("GET", "/_sim/held").json() == {"held": False, "slow": 0}
    assert api.request("POST", "/_sim/release").json() == {"ok": True}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("fault", {}),
        ("fault", {"call": "publish", "kind": "error"}),
        ("fault", {"call": ["put"], "kind": "error"}),
        ("fault", {"call": "put", "kind": "slow"}),
        ("fault", {"call": "put", "kind": "error", "when": "never"}),
        ("fault", {"call": "put", "kind": "error", "status": 99}),
        ("fault", {"call": "put", "kind": "error", "status": "503"}),
        ("fault", {"call": "put", "kind": "error", "times": 0}),
        ("fault", {"call": "put", "kind": "error", "chunk": -2}),
        ("fault", {"call": "put", "kind": "error", "code": "Not A Code"}),
        ("fault", {"call": "init", "kind": "error", "chunk": 0}),
        ("hold", {"chunk": 0}),
        ("hold", {"when": "after"}),
        ("hold", {"chunk": 1.0, "when": "after"}),
        ("fail", {}),
        ("fail", {"fail_reason": ""}),
        ("fail", {"fail_reason": 5}),
        ("fail", []),
        ("fault", {"call": "put", "kind": "slow", "delay_s": "1"}),
        ("fault", {"call": "put", "kind": "slow", "delay_s": -1}),
        ("fault", {"call": "put", "kind": "error", "delay_s": 1}),
        ("fault", {"call": "init", "kind": "cut"}),
        ("fault", {"call": "put", "kind": "cut", "when": "after"}),
        ("fault", {"call": "put", "kind": "cut", "after_bytes": -1}),
        ("fault", {"call": "put", "kind": "drop", "after_bytes": 1}),
        ("fault", {"call": "put", "kind": "error", "progress": 1}),
        ("fault", {"call": "init", "kind": "error", "progress": True}),
        ("fault", {"call": "init", "kind": "error", "retry_after_s": -1}),
        ("fault", {"call": "init", "kind": "error", "open_id": ""}),
        ("fault", {"call": "init", "kind": "error", "publish_id": 1}),
        ("script", {}),
        ("script", {"call": "init"}),
        ("script", {"call": "init", "steps": []}),
        ("script", {"call": "init", "steps": ["pas"]}),
        ("script", {"call": "init", "steps": [{"call": "put"}]}),
        ("script", {"call": "init", "steps": [{"status": 1000}]}),
        ("script", {"call": "init", "steps": ["pass"], "open_id": 1}),
        ("script", {"call": "upload", "steps": ["pass"]}),
        ("fail", {"fail_reason": "internal", "open_id": 1}),
        ("fault", {"call": "init", "kind": "error", "open_id": "nobody"}),
        ("script", {"call": "init", "steps": ["pass"], "open_id": "nobody"}),
        ("fail", {"fail_reason": "internal", "open_id": "nobody"}),
    ],
)
def test_a_request_that_means_nothing_gets_a_sentence(
    api: Any, world: World, path: str, body: Any
) -> None:
    answer = api.request("POST", f"/_sim/{path}", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
    assert (world.faults.armed, world.faults.scripts, world.lifecycle.failures) == ([], [], [])


def test_every_field_of_a_fault_can_be_armed(api: Any, world: World) -> None:
    cut: dict[str, Any] = {
        "call": "put",
        "kind": "cut",
        "after_bytes": 5,
        "chunk": -1,
        "publish_id": "p",
    }
    error: dict[str, Any] = {
        "call": "token",
        "kind": "error",
        "when": "after",
        "status": 429,
        "code": "rate_limit_exceeded",
        "retry_after_s": 3,
        "times": 2,
        "open_id": world.accounts[0].open_id,
    }
    for body in (cut, error):
        assert api.request("POST", "/_sim/fault", json=body).json() == {"ok": True}

    assert world.faults.armed == [Fault(**cut), Fault(**error)]


def test_a_script_answers_call_after_call(api: Any, call: Call) -> None:
    steps = [
        "pass",
        {"status": 500, "code": "internal_error"},
        {"status": 200, "body": {"data": {"status": "NEW_STATUS"}, "error": {"code": "ok"}}},
        {"status": 503, "body": "<html>no</html>", "retry_after_s": 2},
    ]
    script = {"call": "status", "steps": steps}
    assert api.request("POST", "/_sim/script", json=script).json() == {"ok": True}

    answers = [call("status/fetch/", {"publish_id": "x"}) for _ in range(5)]

    assert [one.status_code for one in answers] == [400, 500, 200, 503, 400]
    assert answers[1].json()["error"]["code"] == "internal_error"
    assert answers[2].json()["data"] == {"status": "NEW_STATUS"}
    assert (answers[3].text, answers[3].headers["retry-after"]) == ("<html>no</html>", "2")


def test_a_fault_may_be_aimed_at_one_creator_or_one_post(
    api: Any, call: Call, init: Call, world: World
) -> None:
    task = init(3)
    for aim in ({"open_id": world.accounts[1].open_id}, {"publish_id": task["publish_id"]}):
        fault = {"call": "status", "kind": "error", **aim}
        api.request("POST", "/_sim/fault", json=fault)

    unknown = {"publish_id": "x"}
    statuses = [
        call("status/fetch/", unknown).status_code,
        call("status/fetch/", unknown, account=1).status_code,
        call("status/fetch/", {"publish_id": task["publish_id"]}).status_code,
        call("status/fetch/", {"publish_id": task["publish_id"]}).status_code,
    ]

    assert statuses == [400, 503, 503, 200]


def test_a_failure_may_be_armed_for_one_creator(api: Any, world: World) -> None:
    body = {"fail_reason": "spam_risk_text", "open_id": world.accounts[1].open_id}

    api.request("POST", "/_sim/fail", json=body)

    assert world.lifecycle.failures == [ArmedFailure(**body)]
