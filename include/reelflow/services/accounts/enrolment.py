"""An account's tokens come into the ledger, and the posts that waited for them go on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reelflow.domain.post import PrivacyLevel
from reelflow.domain.printable import printable
from reelflow.domain.publication import MediaSource
from reelflow.exceptions import ReelflowError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account
from reelflow.services.accounts.revocation import release_reconnected
from reelflow.services.workspace import Workspace
from reelflow.tiktok.display import user_fields
from reelflow.tiktok.oauth_models import TokenGrant

if TYPE_CHECKING:
    from reelflow.tiktok.client import TikTokClient

log = logging.getLogger(__name__)


#: Without one of these scopes nothing of its kind can be posted (scopes-overview).
_POSTING: Final = {"video.publish": "direct posts", "video.upload": "drafts"}


@dataclass(frozen=True)
class Connected:
    """An account that may be posted to.

    :param old_name: what it was called before, if it was known under another name
    :param released: ids of the posts that had waited for it, and are READY now
    :param refused_name: what it was to be called, where that is the name of another account: it
        kept its own
    """

    account: Account
    old_name: str | None
    released: list[int]
    refused_name: str | None = None

    @property
    def lacking(self) -> list[str]:
        """The scopes for posting that its creator did not grant, each with what it is for."""
        granted = accounts.granted_scopes(self.account) or ()
        return [f"{scope} ({use})" for scope, use in _POSTING.items() if scope not in granted]


def store_access(
    workspace: Workspace,
    *,
    open_id: str,
    name: str,
    tokens: accounts.TokenSet,
    actor: str,
    inbox_privacy_level: PrivacyLevel | None = None,
    video_source: MediaSource | None = None,
    username: str | None = None,
) -> Connected:
    """Store tokens of an account, of a consent or added by hand, and let its posts go.

    :param inbox_privacy_level: None leaves it as it is
    :param video_source: None leaves it as it is
    :param username: as :func:`storable_username` returns it; None leaves it as it is
    """
    ledger = workspace.ledger
    now = ledger.now()
    with ledger.write() as session:
        known = accounts.by_open_id(session, open_id)
        old_name = known.name if known is not None and known.name != name else None
        account = accounts.save(
            session,
            ledger.cipher,
            open_id=open_id,
            name=name,
            tokens=tokens,
            now=now,
            inbox_privacy_level=inbox_privacy_level,
        )
        if video_source is not None:
            account.video_source = video_source
        if username is not None:
            account.username = username
        released = release_reconnected(session, account.id, now=now, actor=actor)
    workspace.folders.create_account_inbox(name)
    return Connected(account, old_name, released)


def store_names(
    workspace: Workspace, client: TikTokClient, grant: TokenGrant, account: Account
) -> None:
    """Ask for the account's names; without them it is connected all the same.

    Names that TikTok does not tell any more are forgotten: an old one would hold every post of a
    creator who took another.
    """
    fields = user_fields(grant.scopes)
    if not fields:
        _store_names(workspace, account, username=None, display_name=None)
        return
    try:
        profile = client.user_info(grant.access_token, fields)
    except ReelflowError as exc:
        log.warning("the names of account %s could not be read: %s", account.name, exc)
        return
    if profile.open_id != account.open_id:
        log.warning("TikTok sent the names of another account than %s; dropped", account.name)
        return
    _store_names(
        workspace,
        account,
        username=storable_username(profile.username),
        display_name=_storable(profile.display_name, 255),
    )


def store_username(workspace: Workspace, account_id: int, username: str) -> None:
    """Take the name that a creator goes by now.

    :param username: as :func:`storable_username` returns it
    """
    with workspace.ledger.write() as session:
        accounts.get(session, account_id, lock=True).username = username


def storable_username(name: str | None) -> str | None:
    """Return a handle as it is stored and compared; None where there is none."""
    return _storable(name, 64)


def _store_names(
    workspace: Workspace, account: Account, *, username: str | None, display_name: str | None
) -> None:
    account.username, account.display_name = username, display_name
    with workspace.ledger.write() as session:
        stored = accounts.get(session, account.id, lock=True)
        stored.username, stored.display_name = username, display_name


def _storable(name: str | None, max_chars: int) -> str | None:
    return printable(name or "", max_chars) or None
