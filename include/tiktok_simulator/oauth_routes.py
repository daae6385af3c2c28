"""Login over HTTP: the consent page, the token call, the revoke call (D-OA)."""

import dataclasses
import logging
import re
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tiktok_simulator.accounts import Account
from tiktok_simulator.answers import (
    faulty,
    json_response,
    new_log_id,
    read_body,
)
from tiktok_simulator.authorization import (
    AuthorizationRequest,
    Parameters,
    check_return_address,
    parse_authorization,
)
from tiktok_simulator.consent_page import consent_page, problem_page
from tiktok_simulator.exceptions import OAuthError
from tiktok_simulator.faults import Call, Fault, Target
from tiktok_simulator.redirects import with_query
from tiktok_simulator.state import World

SESSION_COOKIE = "simulated_session"  # who signed in at the consent page, by user name

_FORM_TYPE = re.compile(
    r"application/x-www-form-urlencoded(\s*;\s*charset=\"?utf-8\"?)?", re.ASCII | re.IGNORECASE
)
_MAX_FIELDS = 32
DEVELOPER_REVOKED = 5  # D-WH: reason of authorization.removed

_log = logging.getLogger(__name__)


class OAuthRoutes:
    """The page in the browser and the two form-encoded calls."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes; the consent page's form posts to the page itself."""
        authorize = "/v2/auth/authorize/"
        return [
            Route(authorize, self.show_consent, methods=["GET"]),
            Route(authorize, self.take_decision, methods=["POST"]),
            Route("/v2/oauth/token/", self.give_token, methods=["POST"]),
            Route("/v2/oauth/revoke/", self.revoke, methods=["POST"]),
        ]

    async def show_consent(self, request: Request) -> Response:
        """Show the page, or send a creator who is signed in and agreed before straight back."""

        def show(wanted: AuthorizationRequest) -> Response:
            signed_in = self._account(request.cookies.get(SESSION_COOKIE))
            if signed_in and not wanted.always_asks and _has_agreed(signed_in, wanted):
                return self._send_back(wanted, signed_in, wanted.scopes)
            page = consent_page(wanted, self._world.app.client_key, self._world.accounts)
            return HTMLResponse(page)

        return self._on_page(request, show)

    async def take_decision(self, request: Request) -> Response:
        """Send the browser back with a code, or with ``access_denied``."""
        form = parse_qsl((await read_body(request) or b"").decode("utf-8", "replace"))

        def decide(wanted: AuthorizationRequest) -> Response:
            account = self._account(dict(form).get("account"))
            ticked = {value for name, value in form if name == "scope"}
            scopes = tuple(one for one in wanted.scopes if one in ticked)
            if account is None or not scopes or ("decision", "authorize") not in form:
                raise OAuthError("access_denied", "The user did not authorize the app.")
            answer = self._send_back(wanted, account, scopes)
            answer.set_cookie(
                SESSION_COOKIE, account.username, path=request.url.path, httponly=True
            )
            return answer

        return self._on_page(request, decide)

    async def give_token(self, request: Request) -> Response:
        """Answer the token call: a code or a refresh token for new tokens."""

        def work(form: dict[str, str]) -> Response:
            answer = self._world.oauth.answer_token(form)
            return json_response(answer, 200, new_log_id())

        return await self._answer(request, "token", work)

    async def revoke(self, request: Request) -> Response:
        """End a grant; the body of a success is empty (D-OA)."""

        def work(form: dict[str, str]) -> Response:
            account = self._world.oauth.find_revoked(form)
            self._world.remove_authorization(account, DEVELOPER_REVOKED)
            return Response()

        return await self._answer(request, "revoke", work)

    def _on_page(
        self, request: Request, work: Callable[[AuthorizationRequest], Response]
    ) -> Response:
        query: Parameters = request.query_params.multi_items()
        try:
            back = check_return_address(query, self._world.app)
        except OAuthError as error:
            _log.info("authorize refused: %s", error)
            return HTMLResponse(problem_page(error), 400)
        try:
            return work(parse_authorization(query, back, self._world.app))
        except OAuthError as error:
            _log.info("authorize sent back: %s", error)
            answer = {
                "error": error.error,
                "error_description": error.description,
                "state": back.state,
            }
            return RedirectResponse(with_query(back.redirect_uri, answer), 302)

    def _send_back(
        self, wanted: AuthorizationRequest, account: Account, scopes: tuple[str, ...]
    ) -> Response:
        return RedirectResponse(self._world.oauth.authorize(wanted, account, scopes), 302)

    def _account(self, username: str | None) -> Account | None:
        return next((one for one in self._world.accounts if one.username == username), None)

    async def _answer(
        self, request: Request, call: Call, work: Callable[[dict[str, str]], Response]
    ) -> Response:
        body = await read_body(request)
        encounter = self._world.faults.meet(Target(call, open_id=self._owner_id(body)))
        if fault := await encounter.strike("before"):
            return _faulty(fault)
        try:
            answer = work(_parse_form(request.headers.get("content-type"), body))
        except OAuthError as error:
            _log.info("%s refused: %s", call, error)
            return _refusal(error, self._world.app.oauth_error_status)
        if fault := await encounter.strike("after"):
            return _faulty(fault)
        return answer

    def _owner_id(self, body: bytes | None) -> str | None:
        """Say whose call it is, as far as that can be read before it is checked."""
        try:
            form = dict(parse_qsl((body or b"").decode("ascii"), max_num_fields=_MAX_FIELDS))
        except ValueError:
            return None
        owner = self._world.oauth.find_owner(form)
        return owner.open_id if owner else None


def _parse_form(content_type: str | None, body: bytes | None) -> dict[str, str]:
    if not _FORM_TYPE.fullmatch((content_type or "").strip()):
        raise OAuthError(
            "invalid_request", "The Content-Type must be application/x-www-form-urlencoded."
        )
    try:
        text = (body or b"").decode("ascii")
        pairs = parse_qsl(text, strict_parsing=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise OAuthError("invalid_request", "The request body is malformed.") from error
    if repeated := [one for one, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise OAuthError("invalid_request", f"{', '.join(repeated)}: sent more than once.")
    return dict(pairs)


def _has_agreed(account: Account, wanted: AuthorizationRequest) -> bool:
    return account.refresh_token != "" and set(wanted.scopes) <= set(account.scopes)


def _refusal(error: OAuthError, status: int) -> Response:
    log_id = new_log_id()
    return json_response(_flat(error, log_id), status, log_id)


def _flat(error: OAuthError, log_id: str) -> dict[str, str]:
    # Flat, and often with HTTP 200: clients must look at "error" before anything else.
    return {"error": error.error, "error_description": error.description, "log_id": log_id}


def _faulty(fault: Fault) -> Response:
    if fault.code is not None and fault.body is None:
        body = _flat(OAuthError(fault.code, fault.code), new_log_id())
        return faulty(dataclasses.replace(fault, body=body))
    return faulty(fault)
