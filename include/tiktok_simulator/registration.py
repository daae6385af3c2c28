"""What a developer may register for an app: the checks of its portal (D-OA, D-LKD, D-MTG)."""

import copy
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from tiktok_simulator.app_settings import SCOPES, AppSettings, AppType

MAX_REDIRECT_URIS = 10  # D-OA
MAX_URI_CHARACTERS = 511  # D-OA: fewer than 512

_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1):(\*|\d{1,5})", re.ASCII)
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*", re.ASCII)


def register(app: AppSettings, values: Mapping[str, Any]) -> None:
    """Change some settings of an app; all of them or, on a bad value, none.

    :param values: by field of :class:`~tiktok_simulator.app_settings.AppSettings`; lists as JSON
        has them.
    :raises ValueError: with a sentence that names the setting, the value and what is allowed.
    """
    types, changed = get_type_hints(AppSettings), copy.copy(app)
    for name, value in values.items():
        if name not in types:
            raise ValueError(f"There is no app setting {name!r}; there are {sorted(types)}.")
        setattr(changed, name, _typed(name, value, types[name]))
    _check_redirect_uris(changed.app_type, changed.redirect_uris)
    _check_properties(changed)
    if unknown := sorted(set(changed.scopes) - set(SCOPES)):
        raise ValueError(f"There are no scopes {unknown}; there are {list(SCOPES)}.")
    if changed.oauth_error_status not in (200, 400):
        raise ValueError(f"oauth_error_status is 200 or 400, not {changed.oauth_error_status}.")
    app.become(changed)


def _typed(name: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        fits = value in get_args(kind)
    elif get_origin(kind) is tuple:
        fits = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        value = tuple(value) if fits else value
    elif kind is float:
        fits = type(value) in (int, float) and value > 0
    else:
        fits = type(value) in (get_args(kind) or (kind,))
    if not fits:
        raise ValueError(f"The app setting {name} cannot be {value!r}.")
    return value


def _check_redirect_uris(app_type: AppType, uris: Iterable[str]) -> None:
    registered = list(uris)
    if not 1 <= len(registered) <= MAX_REDIRECT_URIS:
        raise ValueError(
            f"An app has 1 to {MAX_REDIRECT_URIS} redirect URIs, not {len(registered)}."
        )
    for uri in registered:
        parts = urlsplit(uri)
        if len(uri) > MAX_URI_CHARACTERS or "?" in uri or "#" in uri:
            raise ValueError(
                f"A redirect URI has at most {MAX_URI_CHARACTERS} characters and neither query "
                f"nor fragment, unlike {uri!r}."
            )
        if app_type == "web" and (parts.scheme != "https" or not parts.netloc or "*" in uri):
            raise ValueError(f"A web app's redirect URI is a static https URL, not {uri!r}.")
        is_local = parts.scheme in ("http", "https") and _LOOPBACK.fullmatch(parts.netloc)
        if app_type == "desktop" and not is_local:
            raise ValueError(
                "A desktop app's redirect URI is http(s)://localhost or 127.0.0.1 with a port, "
                f"which may be *, not {uri!r}."
            )


def _check_properties(app: AppSettings) -> None:
    for domain in app.verified_domains:
        if not _DOMAIN.fullmatch(domain):
            raise ValueError(f"A verified domain is a lower-case host name, not {domain!r}.")
    for prefix in app.verified_url_prefixes:
        parts = urlsplit(prefix)
        if parts.scheme != "https" or not prefix.endswith("/") or _is_address(parts.hostname):
            raise ValueError(f"A verified prefix is https://host/path/, not {prefix!r}.")


def _is_address(host: str | None) -> bool:
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return not host
    return True
