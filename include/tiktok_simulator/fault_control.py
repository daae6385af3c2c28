"""Control routes that arm trouble: faults, scripts, holds, failures."""

import dataclasses
from collections import deque
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tiktok_simulator.control_bodies import (
    ControlError,
    check_choice,
    check_code,
    check_int,
    check_text,
    done,
    json_object,
)
from tiktok_simulator.faults import Call, Fault, FaultKind, Hold, Script, Target, When
from tiktok_simulator.lifecycle import ArmedFailure
from tiktok_simulator.state import World

_FAULT_FIELDS = {one.name for one in dataclasses.fields(Fault)}
_STEP_FIELDS = _FAULT_FIELDS - {"call", "times", "chunk", "open_id", "publish_id"}
_MAX_STEPS = 1000
_MAX_DELAY_S = 3600


class FaultControlRoutes:
    """Arms one world's trouble."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted under ``/_sim``."""
        return [
            Route("/fault", self.arm_fault, methods=["POST"]),
            Route("/fault", self.disarm, methods=["DELETE"]),
            Route("/script", self.arm_script, methods=["POST"]),
            Route("/hold", self.arm_hold, methods=["POST"]),
            Route("/held", self.show_held, methods=["GET"]),
            Route("/release", self.release, methods=["POST"]),
            Route("/fail", self.fail_next, methods=["POST"]),
        ]

    async def arm_fault(self, request: Request) -> Response:
        """Let coming calls fail: the fields of :class:`~tiktok_simulator.faults.Fault`."""
        body = await json_object(request, _FAULT_FIELDS)
        check_choice(body, "call", get_args(Call), required=True)
        check_int(body, "times", 1, 10_000)
        check_int(body, "chunk", -1, 999)
        self._check_aim(body)
        if body.get("chunk") is not None and body["call"] != "put":
            raise ControlError("chunk belongs to the call put alone.")
        self._world.faults.arm(_fault(body))
        return done()

    async def disarm(self, request: Request) -> Response:
        """Disarm every fault and script; held PUTs go on."""
        self._world.faults.clear()
        return done()

    async def arm_script(self, request: Request) -> Response:
        """Script the next calls of a kind: ``{"call": "init", "steps": ["pass", {…}]}``.

        A step is "pass", or the fields of a fault without the call and its filters.
        """
        body = await json_object(request, {"call", "steps", "open_id", "publish_id"})
        check_choice(body, "call", get_args(Call), required=True)
        self._check_aim(body)
        steps = body.get("steps")
        if not isinstance(steps, list) or not 0 < len(steps) <= _MAX_STEPS:
            raise ControlError(f"steps must be a list of 1 to {_MAX_STEPS} steps.")
        target = Target(body["call"], body.get("open_id"), body.get("publish_id"))
        script = Script(target, deque(_step(body["call"], one) for one in steps))
        self._world.faults.arm_script(script)
        return done()

    async def arm_hold(self, request: Request) -> Response:
        """Let one PUT wait: ``{"chunk": -1, "when": "after"}``."""
        body = await json_object(request, {"chunk", "when"})
        check_int(body, "chunk", -1, 999, required=True)
        check_choice(body, "when", get_args(When), required=True)
        self._world.faults.arm_hold(Hold(**body))
        return done()

    async def show_held(self, request: Request) -> Response:
        """Say whether a PUT waits for its answer now, and how many slow calls are under way."""
        faults = self._world.faults
        return JSONResponse({"held": faults.is_holding, "slow": faults.slow})

    async def release(self, request: Request) -> Response:
        """Let every held PUT go on and disarm holds that caught none."""
        self._world.faults.release()
        return done()

    async def fail_next(self, request: Request) -> Response:
        """Let the next completed publication end FAILED: ``{"fail_reason": "internal"}``."""
        body = await json_object(request, {"fail_reason", "open_id"})
        check_code(body, "fail_reason", required=True)
        self._check_aim(body)
        self._world.lifecycle.failures.append(ArmedFailure(**body))
        return done()

    def _check_aim(self, body: dict[str, Any]) -> None:
        """Refuse an aim that nothing can meet; a publish_id may still be given to somebody."""
        check_text(body, "open_id")
        check_text(body, "publish_id")
        known = [one.open_id for one in self._world.accounts]
        if "open_id" in body and body["open_id"] not in known:
            raise ControlError(
                f"No creator has the open_id {body['open_id']!r}; GET accounts lists them."
            )


def _step(call: str, step: Any) -> Fault | None:
    if step == "pass":
        return None
    if not isinstance(step, dict):
        raise ControlError(f"A step must be 'pass' or an object, not {step!r}.")
    if unknown := sorted(step.keys() - _STEP_FIELDS):
        raise ControlError(f"Unknown fields {unknown}; a step knows {sorted(_STEP_FIELDS)}.")
    return _fault({"kind": "error", **step, "call": call})


def _fault(body: dict[str, Any]) -> Fault:
    check_choice(body, "kind", get_args(FaultKind), required=True)
    check_choice(body, "when", get_args(When))
    check_int(body, "status", 200, 599)
    check_int(body, "retry_after_s", 0, 86_400)
    check_int(body, "after_bytes", 0, 2**32)
    check_code(body, "code")
    _check_kind(body)
    progress = body.get("progress")
    if progress is not None and (type(progress) is not bool or body["call"] != "put"):
        raise ControlError("progress must be true or false and belongs to the call put alone.")
    return Fault(**body)


def _check_kind(body: dict[str, Any]) -> None:
    kind, delay_s = body["kind"], body.get("delay_s")
    if kind == "cut" and (body["call"] != "put" or body.get("when") == "after"):
        raise ControlError("kind cut belongs to the call put alone, before its work.")
    if "after_bytes" in body and kind != "cut":
        raise ControlError("after_bytes belongs to the kind cut alone.")
    if (kind == "slow") != (delay_s is not None):
        raise ControlError("delay_s belongs to the kind slow, which needs it.")
    if kind == "slow" and (
        isinstance(delay_s, bool)
        or not isinstance(delay_s, int | float)
        or not 0 <= delay_s <= _MAX_DELAY_S
    ):
        raise ControlError(f"delay_s must be from 0 to {_MAX_DELAY_S} seconds, not {delay_s!r}.")
