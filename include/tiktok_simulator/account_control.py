"""Control routes for what creators, their grants and the app's developer change."""

import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tiktok_simulator import grants
from tiktok_simulator.accounts import Account
from tiktok_simulator.app_settings import SCOPES
from tiktok_simulator.control_bodies import (
    ControlError,
    check_bool,
    check_choice,
    check_int,
    done,
    json_object,
)
from tiktok_simulator.registration import register
from tiktok_simulator.state import World

# D-CI: what creator_info answers with HTTP 200 when the creator cannot post now.
BLOCKED_CODES = (
    None,
    "spam_risk_too_many_posts",
    "spam_risk_user_banned_from_posting",
    "reached_active_user_cap",
)
_FLAGS = ("is_private", "comment_disabled", "duet_disabled", "stitch_disabled")
_SETTINGS = (*_FLAGS, "max_video_post_duration_sec", "blocked_code")
_ORDERS = ("expire_access_token", "expire_refresh_token", "fails_under_way")
_MAX_DURATION_S = 36_000


class AccountControlRoutes:
    """Steers the accounts and the app of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted under ``/_sim``."""
        return [
            Route("/accounts", self.list_accounts, methods=["GET"]),
            Route("/accounts/{username}", self.change_account, methods=["POST"]),
            Route("/app", self.show_app, methods=["GET"]),
            Route("/app", self.change_app, methods=["POST"]),
        ]

    async def list_accounts(self, request: Request) -> Response:
        """Every creator's settings and grant, without its tokens."""
        return JSONResponse({"accounts": [_account(one) for one in self._world.accounts]})

    async def change_account(self, request: Request) -> Response:
        """Change a creator's settings and grant; the fields are in the README."""
        username = request.path_params["username"]
        account = next((one for one in self._world.accounts if one.username == username), None)
        if account is None:
            known = [one.username for one in self._world.accounts]
            return JSONResponse({"error": f"No account {username!r}; there are {known}."}, 404)
        known_fields = {*_SETTINGS, *_ORDERS, "scopes", "remove_authorization"}
        body = await json_object(request, known_fields)
        _check(body)
        for name in _SETTINGS:
            if name in body:
                setattr(account, name, body[name])
        if "scopes" in body:
            account.scopes = tuple(body["scopes"])
        self._end_tokens(account, body)
        return JSONResponse(_account(account))

    async def show_app(self, request: Request) -> Response:
        """Show the app's settings, without its secret."""
        settings = dataclasses.asdict(self._world.app)
        del settings["client_secret"]
        return JSONResponse(settings)

    async def change_app(self, request: Request) -> Response:
        """Change app settings: the fields of AppSettings."""
        known = {one.name for one in dataclasses.fields(self._world.app)}
        body = await json_object(request, known)
        try:
            register(self._world.app, body)
        except ValueError as error:
            raise ControlError(str(error)) from error
        return done()

    def _end_tokens(self, account: Account, body: dict[str, Any]) -> None:
        now_s = self._world.clock.now()
        if body.get("expire_access_token"):
            grants.expire_access(account, now_s)
        if body.get("expire_refresh_token"):
            account.refresh_expires_at = now_s
        if "remove_authorization" in body:
            fails_under_way = body.get("fails_under_way", True)
            self._world.remove_authorization(
                account, body["remove_authorization"], fails_under_way=fails_under_way
            )


def _check(body: dict[str, Any]) -> None:
    for name in (*_FLAGS, *_ORDERS):
        check_bool(body, name)
    check_int(body, "max_video_post_duration_sec", 1, _MAX_DURATION_S)
    check_choice(body, "blocked_code", BLOCKED_CODES)
    check_int(body, "remove_authorization", 0, 5)
    scopes = body.get("scopes", [])
    if not isinstance(scopes, list) or any(one not in SCOPES for one in scopes):
        raise ControlError(f"scopes must be a list out of {list(SCOPES)}, not {scopes!r}.")
    if "fails_under_way" in body and "remove_authorization" not in body:
        raise ControlError("fails_under_way belongs to remove_authorization.")


def _account(account: Account) -> dict[str, Any]:
    return {
        "open_id": account.open_id,
        "username": account.username,
        "nickname": account.nickname,
        "is_authorized": account.refresh_token != "",
        "scopes": list(account.scopes),
        "access_expires_at": account.access_expires_at,
        "refresh_expires_at": account.refresh_expires_at,
        "privacy_level_options": list(account.privacy_level_options),
        **{name: getattr(account, name) for name in _SETTINGS},
    }
