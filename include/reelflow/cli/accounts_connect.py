"""``reelflow accounts connect``: consent in a browser, answered to a server on this machine."""

from __future__ import annotations

import os
import sys
import webbrowser
from functools import partial
from typing import TYPE_CHECKING

import typer

from reelflow.browser_page import Page
from reelflow.cli.person import person
from reelflow.cli.screen import screen_safe
from reelflow.cli.tiktok_app import require_tiktok_app
from reelflow.domain.post import PrivacyLevel
from reelflow.exceptions import ConfigurationError

if TYPE_CHECKING:
    from reelflow.services.accounts.enrolment import Connected
    from reelflow.services.workspace import Workspace


def connect(
    name: str = typer.Argument(
        metavar="NAME", help="Its name here and of its inbox folder: a-z 0-9 . _ -"
    ),
    port: int = typer.Option(
        0,
        min=0,
        max=65_535,
        help="Port of 127.0.0.1 for the way back; 0: a free one.",
    ),
    no_browser: bool = typer.Option(
        False, "--no-browser", help="Only print the address; open it yourself."
    ),
    web: bool = typer.Option(
        False,
        "--web",
        help="The way back is `reelflow serve` at REELFLOW_PUBLIC_URL: print the address to send "
        "to the creator, who may be anywhere, and do not wait.",
    ),
    scopes: str = typer.Option(
        "user.info.basic,user.info.profile,video.list,video.upload,video.publish",
        metavar="LIST",
        help="What the creator is asked for, separated by commas.",
    ),
    inbox_privacy: PrivacyLevel | None = typer.Option(
        None,
        metavar="LEVEL",
        case_sensitive=False,
        help=f"Privacy of inbox files without one of their own: {', '.join(PrivacyLevel)}.",
    ),
    timeout_s: float = typer.Option(
        300, min=1, max=900, help="How long to wait for the creator, in seconds."
    ),
) -> None:
    """Connect a TikTok account, or connect it again: its creator consents in a browser.

    The app's key and secret come from AIRFLOW_CONN_TIKTOK_APP. The app needs the redirect URI
    http://127.0.0.1:*/callback/ (Login Kit, Desktop). Posts that were held because the account's
    access had ended go on. On a machine without a browser, give --no-browser and --port, forward
    that port to where the browser is (ssh -L), and open the printed address there.

    With --web the app needs the redirect URI REELFLOW_PUBLIC_URL/reelflow/api/v1/oauth/callback
    (Login Kit, Web), and `reelflow serve` must run there.
    """
    from reelflow.cli.loopback import loopback_receiver
    from reelflow.services.accounts.connect import STATE_LIFETIME, begin_connect, finish_connect
    from reelflow.settings import Settings

    settings = Settings.load()
    app = require_tiktok_app(os.environ)
    asked = _parse_scopes(scopes)
    workspace = settings.open_workspace()
    begin = partial(
        begin_connect,
        workspace,
        name=name,
        scopes=asked,
        inbox_privacy_level=inbox_privacy,
        challenge_encoding=settings.pkce_encoding,
    )
    creator = _creator(workspace, name)
    if web:
        with app.open_oauth(settings) as oauth:
            request = begin(oauth, redirect_uri=_web_callback(settings.public_url))
        minutes = STATE_LIFETIME.total_seconds() / 60
        typer.echo(f"Let {creator} open this address within {minutes:.0f} minutes:\n")
        typer.echo(f"{request.url}\n\n`reelflow accounts list` shows when it is connected.")
        return
    with (
        app.open_oauth(settings) as oauth,
        app.open_client(settings) as client,
        loopback_receiver(port) as receiver,
    ):
        request = begin(oauth, redirect_uri=receiver.redirect_uri)
        receiver.expect(request.state)
        _show_address(request.url, creator, opens=not no_browser)
        connected = receiver.finish(
            lambda query: finish_connect(workspace, oauth, client, query, actor=person()),
            done=_page,
            timeout_s=timeout_s,
        )
    _tell(connected, inbox=workspace.folders.account_inbox(connected.account.name))


def _web_callback(public_url: str) -> str:
    from reelflow.services.accounts.connect import OAUTH_CALLBACK_PATH

    if not public_url:
        raise ConfigurationError(
            "--web needs REELFLOW_PUBLIC_URL: set it to the https address under which `reelflow "
            "serve` is reached from outside"
        )
    return f"{public_url}{OAUTH_CALLBACK_PATH}"


def _parse_scopes(text: str) -> list[str]:
    scopes = [scope.strip() for scope in text.split(",") if scope.strip()]
    if not scopes or not all(scope.isascii() and scope.isprintable() for scope in scopes):
        raise ConfigurationError(
            f"{text[:80]!r} is no list of scopes: write it as video.publish,video.upload"
        )
    return scopes


def _creator(workspace: Workspace, name: str) -> str:
    """Return who is to consent; of an account that is known also by the name at TikTok."""
    from reelflow.ledger import accounts

    with workspace.ledger.read() as session:
        known = {account.name: account.username for account in accounts.list_all(session)}
    username = known.get(name)
    return screen_safe(f"the creator of {name}" + (f" (@{username})" if username else ""))


def _show_address(url: str, creator: str, *, opens: bool) -> None:
    typer.echo(f"Let {creator} open this address and consent:\n\n{url}\n")
    if opens and _has_desktop() and webbrowser.open(url):
        typer.echo("It is open in the browser of this machine.")
    typer.echo("Waiting for the answer; Ctrl+C ends it.")


def _has_desktop() -> bool:
    """Whether a browser would get a window; one in this terminal would take it over."""
    if sys.platform in ("darwin", "win32") or "BROWSER" in os.environ:
        return True
    return "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ


def _page(connected: Connected) -> Page:
    account = connected.account
    who = f"@{account.username}" if account.username else "The account"
    text = f"{who} is connected to Reelflow as {account.name}. You can close this page."
    return Page("The account is connected", text)


def _tell(connected: Connected, *, inbox: str) -> None:
    from reelflow.cli.accounts_view import tell_stored

    account = connected.account
    who = f" (@{account.username})" if account.username else ""
    typer.echo(screen_safe(f"Account {account.name}{who} is connected."))
    tell_stored(connected, inbox=inbox)
    if connected.lacking:
        typer.echo(
            f"Not granted: {', '.join(connected.lacking)}. Connect it again and grant what it is "
            "to be used for."
        )
