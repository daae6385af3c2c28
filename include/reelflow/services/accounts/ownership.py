"""Tokens that a person brings: TikTok is asked whose they are before they are stored."""

from __future__ import annotations

from typing import Final

from reelflow.domain.post import PrivacyLevel
from reelflow.domain.publication import MediaSource
from reelflow.exceptions import ConfigurationError, TikTokAuthError
from reelflow.ledger import accounts
from reelflow.services.accounts.enrolment import Connected, storable_username, store_access
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient

#: How TikTok refuses a call that the token's scopes do not allow.
_NOT_GRANTED: Final = frozenset({"scope_not_authorized", "scope_permission_missed"})


def store_brought_token(
    workspace: Workspace,
    client: TikTokClient,
    token: str,
    *,
    open_id: str,
    name: str,
    actor: str,
    inbox_privacy_level: PrivacyLevel | None = None,
    video_source: MediaSource | None = None,
) -> Connected:
    """Store an access token that a person brings, if it is of the account that they say.

    :param open_id: of the account, as the person says or as the ledger has it
    :raises ConfigurationError: it is another account's, or TikTok does not say whose it is
    :raises TikTokAuthError: TikTok refuses the token
    :raises TransientError: TikTok could not be asked; nothing was stored
    """
    with workspace.ledger.read() as session:
        known = accounts.by_open_id(session, open_id)
    username = _check_owner(
        client, token, open_id=open_id, username=known.username if known else None
    )
    return store_access(
        workspace,
        open_id=open_id,
        name=name,
        tokens=accounts.TokenSet(token),
        actor=actor,
        inbox_privacy_level=inbox_privacy_level,
        video_source=video_source,
        username=username,
    )


def _check_owner(
    client: TikTokClient, token: str, *, open_id: str, username: str | None
) -> str | None:
    """Refuse a token of somebody else.

    ``user.info.basic`` shows the account's ``open_id``, and ``video.publish`` its name
    (tiktok-api-v2-get-user-info, content-posting-api-reference-query-creator-info).

    :param username: what the account is known as
    :return: the name by which it was known, where it was known by no more; the first time it is
        believed
    """
    try:
        owner = client.user_info(token, ("open_id",)).open_id
    except TikTokAuthError as exc:
        if exc.code not in _NOT_GRANTED:
            raise
        return _check_creator(client, token, username)
    if owner != open_id:
        raise _anothers(f"its open_id is {owner!r}, not {open_id!r}")
    return None


def _check_creator(client: TikTokClient, token: str, username: str | None) -> str:
    try:
        told = storable_username(client.creator_info(token).creator_username)
    except TikTokAuthError as exc:
        if exc.code not in _NOT_GRANTED:
            raise
        told = None
    if told is None:
        raise ConfigurationError(
            "TikTok does not say whose this access token is: it was granted neither "
            "user.info.basic nor video.publish. Nothing was stored; connect the account with "
            "`reelflow accounts connect`",
            code="token_owner_unknown",
        )
    if username is not None and told != username:
        raise _anothers(f"it posts as @{told}, not as @{username}")
    return told


def _anothers(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"this access token is of another TikTok account: {why}. Nothing was stored; give this "
        "account's own token, or connect it with `reelflow accounts connect`",
        code="token_of_another_account",
    )
