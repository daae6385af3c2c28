"""Pure checks of an authorize request and of its PKCE proof (D-OA, D-LKD)."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from tiktok_simulator.app_settings import AppSettings, PkceEncoding
from tiktok_simulator.exceptions import OAuthError
from tiktok_simulator.redirects import is_registered

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ReturnAddress:
    """Where an authorize request, good or bad, sends the browser back to."""

    redirect_uri: str
    state: str


@dataclass(frozen=True)
class AuthorizationRequest:
    """A good authorize request.

    :param scopes: asked for, in the order of the request.
    :param always_asks: whether a creator who is signed in must see the page again (D-OA,
        ``disable_auto_auth``).
    """

    back: ReturnAddress
    scopes: tuple[str, ...]
    code_challenge: str | None
    always_asks: bool


def check_return_address(query: Parameters, app: AppSettings) -> ReturnAddress:
    """Return where to send the browser back to.

    :raises OAuthError: for which no redirect is safe, or for which the platform shows a page of
        its own: client_key (observed: ``unauthorized_client``, ``error_type=client_key``),
        redirect_uri, state, and the challenge of PKCE
        (https://github.com/better-auth/better-auth/issues/3114).
    """
    repeated = [name for name, count in Counter(name for name, _ in query).items() if count > 1]
    if repeated:
        raise OAuthError("invalid_request", f"{', '.join(repeated)}: sent more than once.")
    given = dict(query)
    if given.get("client_key") != app.client_key:
        raise OAuthError("unauthorized_client", "error_type=client_key: no app has this key.")
    redirect_uri = given.get("redirect_uri", "")
    if not is_registered(redirect_uri, app.redirect_uris):
        raise OAuthError(
            "invalid_request", "error_type=redirect_uri: it is not registered for this app."
        )
    if not given.get("state"):
        raise OAuthError("invalid_request", "error_type=state: the state is missing.")
    _check_challenge(given, app)
    return ReturnAddress(redirect_uri, given["state"])


def parse_authorization(
    query: Parameters, back: ReturnAddress, app: AppSettings
) -> AuthorizationRequest:
    """Return an authorize request.

    :raises OAuthError: to be sent back to the app.
    """
    given = dict(query)
    if given.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "The response_type must be code.")
    if given.get("disable_auto_auth", "0") not in ("0", "1"):
        raise OAuthError("invalid_request", "disable_auto_auth must be 0 or 1.")
    return AuthorizationRequest(
        back=back,
        scopes=_parse_scopes(given.get("scope", ""), app),
        code_challenge=given.get("code_challenge") or None,
        always_asks=given.get("disable_auto_auth") == "1",
    )


def check_verifier(challenge: str | None, verifier: str | None, encoding: PkceEncoding) -> None:
    """Check a token call's ``code_verifier`` against the authorize request's challenge.

    Without a challenge there is nothing to check, and a verifier is ignored, as seen in web apps.

    :raises OAuthError: in the words of real traffic.
    """
    if challenge is None:
        return
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        _refuse_verifier()
    digest = hashlib.sha256(verifier.encode()).digest()
    base64url = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    accepted = {
        "hex": (digest.hex(),),
        "base64url": (base64url,),
        "any": (digest.hex(), base64url),
    }
    if challenge not in accepted[encoding]:
        _refuse_verifier()


def _parse_scopes(text: str, app: AppSettings) -> tuple[str, ...]:
    scopes = tuple(text.split(","))
    if not text or len(set(scopes)) != len(scopes):
        raise OAuthError("invalid_scope", "The scope must be a comma-separated list.")
    if unknown := [one for one in scopes if one not in app.scopes]:
        raise OAuthError("invalid_scope", f"The app has no scope {', '.join(unknown)!r}.")
    return scopes


def _check_challenge(given: dict[str, str], app: AppSettings) -> None:
    # Its form is not checked here: a base64url challenge passes the page and fails at the token
    # call (https://github.com/brightbeanxyz/brightbean-studio/pull/103).
    if given.get("code_challenge"):
        if given.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "error_type=code_challenge_method: not S256.")
    elif app.needs_pkce:
        raise OAuthError("invalid_request", "error_type=code_challenge: it is missing.")


def _refuse_verifier() -> NoReturn:
    raise OAuthError("invalid_request", "Code verifier or code challenge is invalid.")
