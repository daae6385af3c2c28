"""Connecting an account: consent in a browser, tokens into the ledger, its waiting posts on."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from reelflow.domain.post import PrivacyLevel
from reelflow.exceptions import ConfigurationError, ReelflowError
from reelflow.ledger import accounts, oauth_states
from reelflow.ledger.oauth_states import PendingConnection
from reelflow.services.accounts.enrolment import Connected, store_access, store_names
from reelflow.services.accounts.refreshing import token_set
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.oauth import OAuthClient
from reelflow.tiktok.oauth_models import TokenGrant
from reelflow.tiktok.oauth_protocol import parse_callback
from reelflow.tiktok.pkce import ChallengeEncoding, code_challenge, new_code_verifier

log = logging.getLogger(__name__)

#: What posting, drafts, the account's name and finding a post again need (scopes overview).
DEFAULT_SCOPES: Final = (
    "user.info.basic",
    "user.info.profile",
    "video.list",
    "video.upload",
    "video.publish",
)
#: How long a consent page may stay open; TikTok's code itself lives for minutes.
STATE_LIFETIME: Final = timedelta(minutes=15)
#: Where `reelflow serve` takes TikTok's answer, below its public address.
OAUTH_CALLBACK_PATH: Final = "/reelflow/api/v1/oauth/callback"


@dataclass(frozen=True)
class ConsentRequest:
    """Where a browser must go, and by what its answer is known.

    :param url: TikTok's consent page
    :param state: what the answer must repeat; whoever knows it can finish the connection
    """

    url: str = field(repr=False)
    state: str = field(repr=False)


def begin_connect(
    workspace: Workspace,
    oauth: OAuthClient,
    *,
    name: str,
    redirect_uri: str,
    scopes: Iterable[str] = DEFAULT_SCOPES,
    inbox_privacy_level: PrivacyLevel | None = None,
    challenge_encoding: ChallengeEncoding = "hex",
) -> ConsentRequest:
    """Remember a connection that is about to be made, and return where the browser must go.

    :param name: the account's name and inbox folder
    :param redirect_uri: where the browser comes back to, registered for the app byte for byte
    :raises ConfigurationError: the name cannot be a folder, or TikTok could not take the URI
    """
    state, verifier = secrets.token_urlsafe(32), new_code_verifier()
    pending = PendingConnection(
        accounts.check_name(name), redirect_uri, verifier, inbox_privacy_level
    )
    url = oauth.authorize_url(
        redirect_uri=redirect_uri,
        scopes=scopes,
        state=state,
        code_challenge=code_challenge(verifier, encoding=challenge_encoding),
        # The page is shown though somebody is signed in: this may be a second account.
        disable_auto_auth=True,
    )
    ledger = workspace.ledger
    now = ledger.now()
    with ledger.write() as session:
        oauth_states.remember(
            session, ledger.cipher, state, pending, now=now, expires_at=now + STATE_LIFETIME
        )
    return ConsentRequest(url, state)


def finish_connect(
    workspace: Workspace,
    oauth: OAuthClient,
    client: TikTokClient | None,
    query: Mapping[str, str],
    *,
    actor: str,
) -> Connected:
    """Connect the account whose creator came back from the consent page.

    :param client: asks for the account's names; None leaves them unknown
    :param query: what the browser brought to the redirect URI, decoded; hostile until checked
    :raises ConfigurationError: nobody began this connection, it is out of time or done already;
        or TikTok refuses the app, the redirect URI or the proof of PKCE; or the name is of another
        account, and nobody knows the one that was granted, whose grant is given up again
    :raises TokenGrantRefusedError: the creator did not consent, or the code is refused
    :raises TransientError: TikTok could not be reached; begin again
    """
    ledger, state = workspace.ledger, query.get("state", "")
    with ledger.write() as session:
        pending = oauth_states.take(session, ledger.cipher, state, now=ledger.now())
    if pending is None:
        raise ConfigurationError(
            "nobody waits for this answer of TikTok's consent page: it was used already, or came "
            f"more than {STATE_LIFETIME.total_seconds() / 60:.0f} minutes late. Start again with "
            "`reelflow accounts connect`",
            code="oauth_state",
        )
    callback = parse_callback(query, state=state)
    grant = oauth.exchange_code(
        callback.code, pending.redirect_uri, code_verifier=pending.code_verifier
    )
    try:
        connected = connect(
            workspace,
            grant,
            name=pending.account_name,
            inbox_privacy_level=pending.inbox_privacy_level,
            actor=actor,
        )
    except ConfigurationError as exc:
        if exc.code == accounts.NAME_TAKEN:
            _give_up(oauth, grant)
        raise
    if client is not None:
        store_names(workspace, client, grant, connected.account)
    return connected


def connect(
    workspace: Workspace,
    grant: TokenGrant,
    *,
    name: str,
    actor: str,
    inbox_privacy_level: PrivacyLevel | None = None,
) -> Connected:
    """Store the tokens of a consent, and let the posts go that waited for the account.

    The ``open_id`` says which account it is: one that is known keeps its row and its posts, also
    under a new name. Where that name is another account's it keeps its own, and nothing but its
    tokens is changed: TikTok has put them in the place of those it had.

    :raises ConfigurationError: the name is malformed; or it belongs to another account, and this
        one is new
    """
    tokens = token_set(grant, granted_at=workspace.ledger.now())
    try:
        return store_access(
            workspace,
            open_id=grant.open_id,
            name=name,
            tokens=tokens,
            inbox_privacy_level=inbox_privacy_level,
            actor=actor,
        )
    except ConfigurationError as exc:
        own_name = _known_name(workspace, grant.open_id)
        if exc.code != accounts.NAME_TAKEN or own_name is None:
            raise
    stored = store_access(
        workspace, open_id=grant.open_id, name=own_name, tokens=tokens, actor=actor
    )
    return replace(stored, refused_name=name)


def _known_name(workspace: Workspace, open_id: str) -> str | None:
    with workspace.ledger.read() as session:
        known = accounts.by_open_id(session, open_id)
    return known.name if known is not None else None


def _give_up(oauth: OAuthClient, grant: TokenGrant) -> None:
    """Give a grant back that is not stored, so that no access is left that nobody looks after."""
    try:
        oauth.revoke_token(grant.access_token)
    except ReelflowError as exc:
        log.warning(
            "the access that was just granted is not stored, but stays at TikTok until its creator "
            "removes it there: %s",
            exc,
        )
