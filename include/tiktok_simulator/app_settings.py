"""The developer's side of the platform: what the simulated app was registered and reviewed for."""

from dataclasses import dataclass, fields
from typing import Literal

AppType = Literal["desktop", "web"]
PkceEncoding = Literal["hex", "base64url", "any"]

# Every scope the simulated app may ask for (D-SC).
SCOPES = (
    "user.info.basic",
    "user.info.profile",
    "user.info.stats",
    "video.list",
    "video.publish",
    "video.upload",
)


@dataclass
class AppSettings:
    """One registered app, as its developer portal and its audit would show it.

    :param client_key: the app's public name in OAuth (D-OA: not ``client_id``).
    :param client_secret: proves the app at the token call; also signs webhooks (D-WH).
    :param app_type: "desktop" (D-LKD: loopback redirects, PKCE required) or "web" (https redirects,
        PKCE optional).
    :param redirect_uris: registered redirect URIs; those of a desktop app may have the port ``*``.
    :param pkce_required: whether the authorize page needs a ``code_challenge``; None: as the type.
    :param pkce_encoding: how a challenge encodes the verifier's SHA-256; D-LKD: lower-case hex.
    :param scopes: what the app was granted in review (D-SC); asking for more is ``invalid_scope``.
    :param is_audited: an app before its audit posts ``SELF_ONLY`` to private accounts (D-CSG).
    :param verified_domains: hosts whose every path and subdomain may be pulled from (D-MTG).
    :param verified_url_prefixes: ``https://host/path/`` prefixes that may be pulled from (D-MTG).
    :param oauth_error_status: HTTP status of OAuth errors; 200 was seen in real traffic, twice.
    :param access_lifetime_s: of tokens given by the token call (D-OA: 24 hours).
    :param refresh_lifetime_s: of refresh tokens, from the consent on (D-OA: 365 days).
    :param keeps_old_access_token: whether a refresh leaves the access token before it alive.
    """

    client_key: str = "aw0simulatedapp001"
    client_secret: str = "simulated-app-secret"  # noqa: S105 - opens nothing but this simulator
    app_type: AppType = "desktop"
    redirect_uris: tuple[str, ...] = (
        "http://localhost:*/callback/",
        "http://127.0.0.1:*/callback/",
    )
    pkce_required: bool | None = None
    pkce_encoding: PkceEncoding = "hex"
    scopes: tuple[str, ...] = SCOPES
    is_audited: bool = True
    verified_domains: tuple[str, ...] = ()
    verified_url_prefixes: tuple[str, ...] = ()
    oauth_error_status: int = 200
    access_lifetime_s: float = 86_400
    refresh_lifetime_s: float = 365 * 86_400
    keeps_old_access_token: bool = False

    @property
    def needs_pkce(self) -> bool:
        """Whether an authorize URL without a ``code_challenge`` is refused."""
        return self.app_type == "desktop" if self.pkce_required is None else self.pkce_required

    def become(self, other: "AppSettings") -> None:
        """Take over every setting of another."""
        for one in fields(self):
            setattr(self, one.name, getattr(other, one.name))
