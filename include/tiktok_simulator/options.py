"""What ``python -m tiktok_simulator`` may be told at its start."""

import argparse
import json
from dataclasses import dataclass
from typing import Any, get_args

from tiktok_simulator.accounts import MAX_ACCOUNTS, USERNAMES
from tiktok_simulator.app_settings import AppSettings, AppType
from tiktok_simulator.control_bodies import ControlError
from tiktok_simulator.ownership import parse_connect_to
from tiktok_simulator.registration import register
from tiktok_simulator.switches import Switches
from tiktok_simulator.webhook_control import check_callback_url

_MAX_LIFETIME_S = 10 * 365 * 86_400


@dataclass(frozen=True)
class Options:
    """The command line, checked.

    :param port: of API and control; 0: a free one. ``upload_port`` likewise.
    :param accounts: how many creators there are.
    :param seed: makes the ready line's tokens the same at each start.
    :param discard: whether bytes are counted only.
    :param token_lifetime_s: of every access token, the ready line's too; None: those never end,
        others after 24 hours.
    """

    port: int
    upload_port: int
    accounts: int
    seed: int | None
    discard: bool
    token_lifetime_s: float | None
    webhook_url: str | None
    app: AppSettings
    switches: Switches
    connect_to: dict[str, str]


def parse_options(arguments: list[str] | None) -> Options:
    """Return the options; end the process with 2 and a sentence when they mean nothing."""
    parser = _parser()
    given = parser.parse_args(arguments)
    app, switches = AppSettings(), Switches()
    try:
        register(app, _app_values(given))
        switches.set(_switch_values(given))
        connect_to = dict(parse_connect_to(*one.partition("=")[::2]) for one in given.connect_to)
        if given.webhook_url is not None:
            check_callback_url(given.webhook_url)
    except (ValueError, ControlError) as error:
        parser.error(str(error))
    return Options(
        port=given.port,
        upload_port=given.upload_port,
        accounts=given.accounts,
        seed=given.seed,
        discard=given.discard,
        token_lifetime_s=given.token_lifetime_s,
        webhook_url=given.webhook_url,
        app=app,
        switches=switches,
        connect_to=connect_to,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tiktok_simulator",
        description="A strict stand-in for TikTok's OAuth, Content Posting and Display API.",
        epilog="Prints one JSON line with its addresses and accounts when it is ready.",
    )
    add = parser.add_argument
    add("--port", type=_port, default=0, help="API and control; 0: a free one")
    add("--upload-port", type=_port, default=0, help="uploads; 0: a free one")
    add("--accounts", type=_count, default=len(USERNAMES), help="how many creators (default 5)")
    add("--seed", type=int, help="same tokens of the ready line at each start")
    add("--discard", action="store_true", help="check and count bytes, neither store nor hash them")
    add("--processing-polls", type=int, help="status calls that see processing (default 1)")
    add("--processing-s", type=float, help="seconds of processing, instead of calls")
    add("--link-polls", type=int, help="status calls that see a post without its id (default 1)")
    add("--link-s", type=float, help="seconds from posting to the id, instead of calls")
    add("--switch", action="append", default=[], metavar="NAME=VALUE", help="any switch, as JSON")
    add("--client-key", help="of the app")
    add("--client-secret", help="of the app")
    add("--app-type", choices=get_args(AppType), help="decides redirect URIs and PKCE")
    add("--redirect-uri", action="append", help="registered for the app; may be repeated")
    add("--unaudited", action="store_true", help="the app was not audited for direct posts")
    add("--verified-domain", action="append", help="may be pulled from; may be repeated")
    add("--verified-prefix", action="append", help="https://host/path/; may be repeated")
    add(
        "--connect-to",
        action="append",
        default=[],
        metavar="HOST=http://127.0.0.1:PORT",
        help="where pulls from this host really go; may be repeated",
    )
    add("--token-lifetime-s", type=_lifetime, help="of every access token, the ready line's too")
    add("--webhook-url", help="the app's callback: https, or http on this machine")
    return parser


def _app_values(given: argparse.Namespace) -> dict[str, Any]:
    values = {
        "client_key": given.client_key,
        "client_secret": given.client_secret,
        "app_type": given.app_type,
        "redirect_uris": given.redirect_uri,
        "is_audited": False if given.unaudited else None,
        "verified_domains": given.verified_domain,
        "verified_url_prefixes": given.verified_prefix,
        "access_lifetime_s": given.token_lifetime_s,
    }
    return {name: value for name, value in values.items() if value is not None}


def _switch_values(given: argparse.Namespace) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text in given.switch:
        name, _, value = text.partition("=")
        values[name] = _json_or_text(value)
    for name in ("processing_polls", "processing_s", "link_polls", "link_s"):
        if (value := getattr(given, name)) is not None:
            values[name] = value
    return values


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value  # a choice, without its quotes


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError(f"must be from 0 to 65535, not {value}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MAX_ACCOUNTS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MAX_ACCOUNTS}, not {value}")
    return value


def _lifetime(text: str) -> float:
    value = float(text)
    if not 0 < value <= _MAX_LIFETIME_S:
        raise argparse.ArgumentTypeError(f"must be seconds up to {_MAX_LIFETIME_S}, not {text}")
    return value
