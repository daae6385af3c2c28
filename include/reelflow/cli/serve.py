"""``reelflow serve``: the web application on its own."""

from __future__ import annotations

import logging
import os
import resource
import socket
import sys
from contextlib import suppress
from functools import partial
from ipaddress import ip_network
from typing import Final

import typer

from reelflow.cli.screen import complain
from reelflow.tiktok_app_variable import VARIABLE, read_tiktok_app

DEFAULT_PORT: Final = 8000
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def checked_proxies(text: str) -> str:
    """Return a list of proxies whose every word is an IP address or a network of them.

    :raises typer.BadParameter: a word is neither; it would never match, and nobody would be told
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        try:
            ip_network(word)
        except ValueError:
            raise typer.BadParameter(
                f"{word!r} is no address or network, such as 10.0.0.7 or 10.0.0.0/24"
            ) from None
    return ",".join(words)


def serve(
    host: str = typer.Option(
        "127.0.0.1", help="Address to listen at; 0.0.0.0 for every network of this machine."
    ),
    port: int = typer.Option(DEFAULT_PORT, min=0, max=65_535, help="0: a free one."),
    trusted_proxies: str = typer.Option(
        "",
        metavar="LIST",
        callback=checked_proxies,
        help="Addresses or networks of proxies whose X-Forwarded-For is believed, separated by "
        "commas.",
    ),
    cpus: int | None = typer.Option(
        None, min=1, help="Processors to use at most; all but one when left out."
    ),
) -> None:
    """Serve the upload API, signed media, the OAuth callback and TikTok's webhooks, until Ctrl+C.

    It speaks HTTP: put a proxy with a certificate before it, under the address that
    REELFLOW_PUBLIC_URL has. Who uploads needs a key (`reelflow keys create`). The app's key and
    secret come from AIRFLOW_CONN_TIKTOK_APP.
    """
    from reelflow.api.app import API_PATH, create_app
    from reelflow.api.background import repeating
    from reelflow.api.server import listen, serve_app
    from reelflow.services.uploads.sweep.in_turn import SWEPT_EVERY, sweep_in_turn
    from reelflow.settings import Settings

    settings = Settings.load()
    _leave_processors_to_others(cpus)
    _allow_many_files()
    app = create_app(settings)
    sweep = partial(sweep_in_turn, settings.open_workspace(), owner=_owner())
    _complain_of_missing_secret()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=_LOG_FORMAT)
    with (
        listen(host, port) as listener,
        repeating(sweep, interval_s=SWEPT_EVERY.total_seconds()),
    ):
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}{API_PATH}"
        ready = partial(print, f"Reelflow serves {address}; stop it with Ctrl+C.", flush=True)
        serve_app(app, listener, trusted_proxies=trusted_proxies, on_ready=ready)


def _leave_processors_to_others(cpus: int | None) -> None:
    """Use so many of the processors that this process may use, or all but one.

    Uploads come as fast as they are taken in. What else runs on the machine, Airflow above all,
    must not wait for a processor each time.
    """
    usable = sorted(os.sched_getaffinity(0))
    used = max(1, len(usable) - 1) if cpus is None else cpus
    with suppress(OSError):  # a sandbox may forbid it, and limits processors by itself
        os.sched_setaffinity(0, usable[:used])


def _allow_many_files() -> None:
    """Have as many files open as this process may: each upload under way has four."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _owner() -> str:
    """Return what this server is called where several serve the same ledger."""
    return f"serve:{socket.gethostname()}:{os.getpid()}"


def _complain_of_missing_secret() -> None:
    """Say what will be refused; the rest is served all the same."""
    app = read_tiktok_app(os.environ)
    if app is None or not app.client_secret:
        complain(
            f"{VARIABLE} is not set, or has no password: webhooks and OAuth callbacks are refused "
            "until it has the app's key and secret."
        )
