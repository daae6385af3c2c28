"""Checks of what TikTok must reach from outside: the public address, and the webhooks' secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from reelflow.cli.findings import Finding, Status
from reelflow.exceptions import ConfigurationError, ReelflowError
from reelflow.tiktok_app_variable import VARIABLE, read_tiktok_app

if TYPE_CHECKING:
    from reelflow.settings import Settings

_TIMEOUT_S: Final = 10.0
_HEALTH_PATH: Final = "/reelflow/api/v1/health"


def check_public_url(settings: Settings) -> Iterator[Finding]:
    """Say whether TikTok can fetch what it must, if anything of that kind is to be published."""
    if settings.public_url:
        yield from _answers(settings.public_url)
        return
    needed_by = _what_is_fetched(settings)
    if needed_by:
        message = f"REELFLOW_PUBLIC_URL is not set, and TikTok must fetch {needed_by}"
        fix = (
            "set it to the https address under which `reelflow serve` is reached, on a domain "
            "verified for the app in TikTok's developer portal"
        )
        yield Finding("public address", Status.PROBLEM, message, fix)
    else:
        message = "REELFLOW_PUBLIC_URL is not set; nothing needs it, but photo posts would"
        yield Finding("public address", Status.OK, message)


def _what_is_fetched(settings: Settings) -> str:
    """Return which posts and accounts need the address; empty where none is known."""
    from reelflow.domain.publication import MediaSource
    from reelflow.ledger import accounts, engine, photo_images

    database = engine.open_engine(settings.ledger_url)
    try:
        engine.check_revision(database)
    except ReelflowError:  # told by the check of the ledger
        return ""
    with engine.transaction(database, writes=False) as session:
        photo_posts = photo_images.count_unsent_posts(session)
        known = accounts.list_all(session)
    pulled = [one.name for one in known if one.video_source is MediaSource.PULL_FROM_URL]
    found = [f"the images of {photo_posts} photo posts"] if photo_posts else []
    if pulled:
        found.append(f"the videos of {', '.join(pulled)}")
    return " and ".join(found)


def _answers(public_url: str) -> Iterator[Finding]:
    import requests

    fix = "start `reelflow serve`, and let the proxy before it pass /reelflow/api/v1/ on unchanged"
    try:
        answer = requests.get(public_url + _HEALTH_PATH, timeout=_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        message = f"nothing answers at {public_url} ({type(error).__name__})"
        yield Finding("public address", Status.WARNING, message, fix)
        return
    if _is_reelflow(answer):
        yield Finding("public address", Status.OK, f"`reelflow serve` answers at {public_url}")
        return
    message = f"{public_url} answers with HTTP {answer.status_code}, but not as `reelflow serve`"
    yield Finding("public address", Status.WARNING, message, fix)


def _is_reelflow(answer: Any) -> bool:
    try:
        body = answer.json()
    except ValueError:
        return False
    return answer.status_code in (200, 503) and isinstance(body, dict) and "checks" in body


def check_webhook_secret(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Say whether webhooks can be verified; silent where the connection cannot be read at all."""
    try:
        app = read_tiktok_app(environment)
    except ConfigurationError:
        app = None
    if app is None:  # told by the check of TikTok
        return
    if app.has_secret:
        yield Finding("webhooks", Status.OK, f"{VARIABLE} has the key and secret that sign them")
        return
    message = f"{VARIABLE} lacks the app's key or secret, so every webhook is refused"
    fix = "set login and password of the connection to the app's client key and secret"
    yield Finding("webhooks", Status.WARNING, message, fix)
