"""One status poller for all triggers of a triggerer: its connections, its clients, its settings."""

from __future__ import annotations

import asyncio
from functools import partial
from weakref import WeakKeyDictionary

from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.calls.account_client import TokenSource
from reelflow.services.calls.poll_ledger import PollLedger
from reelflow.services.calls.polling import StatusPoller
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow.tiktok.aclient import AsyncStatusClient
from reelflow.tiktok_app import TikTokApp
from reelflow_provider.hooks.tiktok import TikTokHook

#: Who renews tokens, in the audit trail.
_ACTOR = "triggerer"

_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[TikTokApp, StatusPoller]] = (
    WeakKeyDictionary()
)


async def shared_poller(tiktok_conn_id: str) -> StatusPoller:
    """Return the poller that asks by a connection, made anew if the connection was changed.

    Register with it before anything else is awaited: one that nobody waits on closes itself.

    :raises ConfigurationError: a setting or the connection is missing or wrong
    """
    settings = await asyncio.to_thread(Settings.load)
    app = await TikTokHook(tiktok_conn_id).aget_app()
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    for old in [known for known, poller in pollers.items() if poller.is_closed]:
        del pollers[old]
    if app not in pollers:
        pollers[app] = _make_poller(app, settings)
    return pollers[app]


def _make_poller(app: TikTokApp, settings: Settings) -> StatusPoller:
    oauth = app.open_oauth(settings) if app.has_secret else None

    def make_tokens(workspace: Workspace) -> TokenSource:
        return AccessTokens(workspace, oauth, actor=_ACTOR)

    return StatusPoller(
        AsyncStatusClient(app.host, limits=settings.tiktok_limits),
        PollLedger(partial(settings.open_workspace, keeps_connections=True), make_tokens),
        close=oauth.close if oauth else lambda: None,
    )
