"""The OAuth client: the app's own calls, over requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reelflow.tiktok import oauth_protocol
from reelflow.tiktok.host_client import HostClient
from reelflow.tiktok.hosts import TIKTOK_HOST, normalise_host
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.oauth_models import TokenGrant

AUTHORIZE_ORIGIN: Final = "https://www.tiktok.com"
"""Where creators consent (oauth-user-access-token-management, read 2026-09-11)."""


class OAuthClient(HostClient):
    """Gets, renews and gives up tokens for one app. Not for several threads.

    Each call is one request, never repeated: a code works once, and so does a refresh token.
    Errors are those of :class:`reelflow.tiktok.client.TikTokClient`, and besides

    * :class:`TokenGrantRefusedError`: code, refresh token or consent is refused: reconnect;
    * :class:`ConfigurationError`: the app, its secret or the redirect URI is refused.

    :param host: host of the token calls; see :func:`reelflow.tiktok.hosts.normalise_host`
    :param client_key: the app's public key
    :param client_secret: the app's secret; never shown
    :param limits: timeouts to keep
    :param authorize_origin: where creators consent; None for TikTok's own page, or, with another
        ``host``, that host, as in the simulator
    :raises ConfigurationError: if ``host`` cannot be used
    """

    def __init__(
        self,
        host: str,
        client_key: str,
        client_secret: str,
        *,
        limits: TikTokLimits = TikTokLimits(),  # noqa: B008 - frozen
        authorize_origin: str | None = None,
    ) -> None:
        super().__init__(host, limits)
        self._client_key = client_key
        self._client_secret = client_secret
        is_tiktok = self._origin == f"https://{TIKTOK_HOST}"
        self._authorize_origin = normalise_host(
            authorize_origin or (AUTHORIZE_ORIGIN if is_tiktok else self._origin)
        )

    def authorize_url(
        self,
        *,
        redirect_uri: str,
        scopes: Iterable[str],
        state: str,
        code_challenge: str | None = None,
        disable_auto_auth: bool = False,
    ) -> str:
        """Return the consent page's address; see :func:`.oauth_protocol.authorize_url`."""
        return oauth_protocol.authorize_url(
            self._authorize_origin,
            client_key=self._client_key,
            redirect_uri=redirect_uri,
            scopes=scopes,
            state=state,
            code_challenge=code_challenge,
            disable_auto_auth=disable_auto_auth,
        )

    def exchange_code(
        self, code: str, redirect_uri: str, *, code_verifier: str | None = None
    ) -> TokenGrant:
        """Redeem a code of the consent page.

        :param code: URL-decoded
        :param redirect_uri: the same as in the authorize URL
        """
        request = oauth_protocol.prepare_exchange(
            self._client_key, self._client_secret, code, redirect_uri, code_verifier
        )
        return oauth_protocol.parse_grant(self._send(request), "oauth/token")

    def refresh_token(self, refresh_token: str) -> TokenGrant:
        """Renew an account's tokens; store both before the new ones are used.

        After a :class:`TikTokUnavailableError` the old refresh token may be spent.
        """
        request = oauth_protocol.prepare_refresh(
            self._client_key, self._client_secret, refresh_token
        )
        return oauth_protocol.parse_grant(self._send(request), "oauth/token (refresh)")

    def revoke_token(self, access_token: str) -> None:
        """Give up the app's access to an account. TikTok refuses an expired token."""
        request = oauth_protocol.prepare_revoke(self._client_key, self._client_secret, access_token)
        oauth_protocol.parse_revoke(self._send(request))
