"""TikTok's OAuth without a network: the consent page, its callback, and the token calls.

Its answers are flat (``error``, ``error_description``), and an error may come with HTTP 200
(observed, https://github.com/HohnerJulian/ResearchTikPy/pull/28), so the body is read first.
Source: oauth-user-access-token-management, read 2026-09-11.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from reelflow.exceptions import ConfigurationError
from reelflow.tiktok.answers import (
    Answer,
    count_of,
    document_of,
    malformed,
    rejected_by_status,
    text_of,
)
from reelflow.tiktok.hosts import check_redirect_uri
from reelflow.tiktok.oauth_models import ConsentCallback, TokenGrant
from reelflow.tiktok.refusals import oauth_error, printable
from reelflow.tiktok.request import Request, form_request, is_token

AUTHORIZE_PATH: Final = "/v2/auth/authorize/"
TOKEN_PATH: Final = "/v2/oauth/token/"  # noqa: S105 - a path
REVOKE_PATH: Final = "/v2/oauth/revoke/"

_OPEN_ID = re.compile(r"[!-~]{1,128}", re.ASCII)
_LONGEST_LIFE_S: Final = 10 * 365 * 86_400


def authorize_url(
    origin: str,
    *,
    client_key: str,
    redirect_uri: str,
    scopes: Iterable[str],
    state: str,
    code_challenge: str | None = None,
    disable_auto_auth: bool = False,
) -> str:
    """Return the address of the page where the creator consents.

    :param origin: ``https://www.tiktok.com``, or the simulator's
    :param redirect_uri: where the browser goes afterwards, registered for the app byte for byte
    :param state: unguessable, and kept to be compared: see :func:`parse_callback`
    :param code_challenge: see :func:`reelflow.tiktok.pkce.code_challenge`; None for no PKCE
    :param disable_auto_auth: always show the page, so that a second account can be connected
    :raises ConfigurationError: if TikTok could not take ``redirect_uri``
    """
    query = {
        "client_key": client_key,
        "response_type": "code",
        "scope": ",".join(sorted(set(scopes))),
        "redirect_uri": check_redirect_uri(redirect_uri),
        "state": state,
    }
    if code_challenge is not None:
        query |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
    if disable_auto_auth:
        query["disable_auto_auth"] = "1"
    return f"{origin}{AUTHORIZE_PATH}?{urlencode(query)}"


def parse_callback(query: Mapping[str, str], *, state: str) -> ConsentCallback:
    """Return what the browser brought back to the redirect URI, or raise why it has no code.

    :param query: the decoded query of the request
    :param state: what the authorize URL had
    :raises TokenGrantRefusedError: if the creator did not consent
    :raises ConfigurationError: if TikTok refused the page, or the state is another one
    """
    # A lone surrogate is none that we sent, and no reason to fail.
    answered = query.get("state", "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(answered, state.encode()):
        raise ConfigurationError(
            "The answer of TikTok's consent page belongs to another attempt (its state differs):"
            " start connecting the account again, and finish it in the same browser.",
            code="oauth_state",
        )
    if error := printable(query.get("error", ""), 64):
        said = query.get("error_description", "")
        raise oauth_error(error, call="the consent page", http_status=302, message=said)
    code = query.get("code", "")
    if not is_token(code):
        raise ConfigurationError(
            "The answer of TikTok's consent page has no code: start connecting the account again.",
            code="oauth_code",
        )
    return ConsentCallback(code, _scopes(query.get("scopes", "")))


def prepare_exchange(
    client_key: str,
    client_secret: str,
    code: str,
    redirect_uri: str,
    code_verifier: str | None = None,
) -> Request:
    """Redeem a code of the consent page; it works once.

    :param code: as the callback had it, URL-decoded
    :param redirect_uri: the same as in the authorize URL
    """
    fields = _app(client_key, client_secret) | {
        "code": code,
        "grant_type": "authorization_code",
        "redirect_uri": check_redirect_uri(redirect_uri),
    }
    if code_verifier is not None:
        fields["code_verifier"] = code_verifier
    return form_request(TOKEN_PATH, fields)


def prepare_refresh(client_key: str, client_secret: str, refresh_token: str) -> Request:
    """Get a new access token; the refresh token that comes with it replaces the old one."""
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return form_request(TOKEN_PATH, _app(client_key, client_secret) | fields)


def parse_grant(answer: Answer, call: str) -> TokenGrant:
    """Return the tokens of an exchange or a refresh, or raise.

    A life that cannot be read costs no token: those of before are spent by then, so to drop these
    would end the account's access.

    :raises TokenGrantRefusedError: code or refresh token are refused: reconnect
    :raises ConfigurationError: the app, its secret or the redirect URI is refused
    """
    data = _accepted(answer, call)
    tokens = text_of(data, "access_token"), text_of(data, "refresh_token")
    open_id = text_of(data, "open_id")
    if not (all(map(is_token, tokens)) and _OPEN_ID.fullmatch(open_id)):
        raise malformed(call, answer, "open_id or a token is missing")
    return TokenGrant(
        open_id=open_id,
        scopes=_scopes(text_of(data, "scope")),
        access_token=tokens[0],
        expires_in_s=_life_s(data, "expires_in"),
        refresh_token=tokens[1],
        refresh_expires_in_s=_life_s(data, "refresh_expires_in"),
    )


def prepare_revoke(client_key: str, client_secret: str, access_token: str) -> Request:
    """Give up the access of the app to an account."""
    return form_request(REVOKE_PATH, _app(client_key, client_secret) | {"token": access_token})


def parse_revoke(answer: Answer) -> None:
    """Accept the empty answer of a revoke, or raise."""
    if answer.status >= 300 or answer.body.strip():
        _accepted(answer, "oauth/revoke")


def _app(client_key: str, client_secret: str) -> dict[str, str]:
    if not (client_key and client_secret):
        raise ConfigurationError(
            "The app's client key or secret is empty: set them as login and password of the"
            " connection tiktok_app.",
            code="tiktok_app",
        )
    return {"client_key": client_key, "client_secret": client_secret}


def _accepted(answer: Answer, call: str) -> dict[str, Any]:
    """Return the JSON object of an answer that is no error; raise for every other."""
    if answer.status < 500 and answer.status != 429:
        document = document_of(answer)
        if error := printable(text_of(document, "error"), 64):
            raise oauth_error(
                error,
                call=call,
                http_status=answer.status,
                message=text_of(document, "error_description"),
                log_id=printable(text_of(document, "log_id"), 64) or None,
            )
        if answer.status < 300 and document:
            return document
    raise rejected_by_status(answer, call)


def _life_s(data: Mapping[str, Any], name: str) -> int | None:
    """Return a token's life, cut at ten years, so that dates can hold; None if it is none."""
    life_s = count_of(data.get(name))
    return min(life_s, _LONGEST_LIFE_S) if life_s else None


def _scopes(text: str) -> frozenset[str]:
    """Split a list of scopes at commas, as TikTok writes it, and at spaces, as OAuth does."""
    return frozenset(printable(text, 1000).replace(",", " ").split())
