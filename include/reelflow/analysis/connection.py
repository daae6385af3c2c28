"""The connection ``detection_default``: where the detection engine is, and how it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from reelflow.domain.printable import printable
from reelflow.exceptions import ConfigurationError
from reelflow.json_text import read_json, read_json_object

CONN_ID: Final = "detection_default"
VARIABLE: Final = "AIRFLOW_CONN_DETECTION_DEFAULT"
CONN_TYPE: Final = "http"
_EXAMPLE: Final = (
    '{"conn_type": "http", "host": "https://detector.example.com/v1", "password": "<API key>"}'
)
_BASE_URL: Final = re.compile(
    r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*", re.ASCII
)
_KEY: Final = re.compile(r"[!-~]{0,4096}", re.ASCII)
#: All that Airflow knows; the description is for people.
_FIELDS: Final = frozenset(
    {"conn_type", "description", "schema", "host", "port", "login", "password", "extra"}
)
_EXTRAS: Final = frozenset({"send"})
_SENDS: Final = {"url": True, "bytes": False}
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_SHOWN_CHARS: Final = 40


@dataclass(frozen=True)
class DetectionConnection:
    """Where the detection engine is.

    :param base_url: its address, without a slash at the end
    :param api_key: sent as bearer token; empty where the engine wants none
    :param sends_url: give it the address of a file, which files in S3 have, instead of the bytes
    """

    base_url: str
    api_key: str = field(default="", repr=False)
    sends_url: bool = False

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> DetectionConnection:
        """Make it from the fields of an Airflow connection of type ``http``.

        ``conn_type``, ``schema``, ``host``, ``port``, ``password`` and ``extra``, in which ``send``
        may be ``url`` or, which is the default, ``bytes``. The scheme is https unless ``schema`` or
        the host itself says http: what is sent are unpublished media and a key.

        :raises ConfigurationError: a field is missing, malformed, or one that nothing reads; of
            what it holds only ``send`` is quoted, because an address may hold a password
        """
        _check_known(fields, _FIELDS, "it has")
        if fields.get("conn_type") != CONN_TYPE:
            raise _wrong(f"its conn_type is not {CONN_TYPE}")
        if _text(fields, "login"):
            raise _wrong("it has a login, but the engine gets the password alone, as bearer token")
        base_url = _base_url(fields)
        key = _text(fields, "password")
        if not _KEY.fullmatch(key):
            raise _wrong("its password is no API key of printable ASCII characters")
        return cls(base_url, key, _sends_url(fields.get("extra")))


def read_detection_connection(environment: Mapping[str, str]) -> DetectionConnection | None:
    """Return the connection as processes without Airflow read it; None when it is not set.

    :raises ConfigurationError: it is no JSON of an ``http`` connection
    """
    stored = environment.get(VARIABLE, "").strip()
    if not stored:
        return None
    fields = read_json_object(stored)
    if fields is None:
        raise _wrong("it cannot be read as JSON")
    return DetectionConnection.from_fields(fields)


def missing_connection() -> ConfigurationError:
    """Return the error of an account that wants an engine nobody named."""
    return ConfigurationError(
        f"the connection {CONN_ID} does not exist: add one of type {CONN_TYPE} with the host and "
        f"API key of the detection engine, in the UI or as {VARIABLE}, such as {_EXAMPLE}",
        code="connection_missing",
    )


def no_address() -> ConfigurationError:
    """Return the error of an engine that wants addresses of files that have none."""
    return ConfigurationError(
        f'the connection {CONN_ID} says "send": "url" in its extra, but files in a data folder have'
        " no address from which an engine could fetch them: keep the media in S3, or take"
        ' "send" out of the extra, so that their bytes are sent',
        code="analysis_no_address",
    )


def _text(fields: Mapping[str, Any], name: str) -> str:
    """Return a field that is text, empty where it is not set."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(f"its {name} is no text: write it in quotes")
    return value or ""


def _check_known(fields: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(set(fields) - known)
    if unknown:
        told = ", ".join(repr(printable(name, _SHOWN_CHARS)) for name in unknown[:5])
        raise _wrong(f"{where} {told}, of which nothing is read, only {', '.join(sorted(known))}")


def _base_url(fields: Mapping[str, Any]) -> str:
    host, schema = _text(fields, "host").strip().rstrip("/"), _text(fields, "schema")
    if not host:
        raise _wrong("it has no host")
    if schema not in ("", "http", "https"):
        raise _wrong("its schema is neither http nor https")
    url = host if "://" in host else f"{schema or 'https'}://{host}"
    port = _port(fields.get("port"))
    if port:
        scheme, _, rest = url.partition("://")
        name, slash, path = rest.partition("/")
        url = f"{scheme}://{name}:{port}{slash}{path}"
    if not _BASE_URL.fullmatch(url) or not _has_good_port(url):
        raise _wrong("its host is no address such as https://detector.example.com/v1")
    return url


def _port(port: object) -> str:
    """Return a port, which Airflow keeps as a number and people may write as text."""
    if port is None or port == "":
        return ""
    if isinstance(port, bool) or not _PORT.fullmatch(str(port)) or int(str(port)) > 65535:
        raise _wrong("its port is no number from 1 to 65535")
    return str(port)


def _has_good_port(url: str) -> bool:
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port is None or port > 0


def _sends_url(extra: object) -> bool:
    """Read the connection's extra."""
    if isinstance(extra, str) and extra.strip():
        try:
            extra = read_json(extra)
        except ValueError:
            raise _wrong("its extra is no JSON") from None
    fields = {} if extra is None or extra == "" else extra
    if not isinstance(fields, dict):
        raise _wrong("its extra is no JSON object")
    _check_known(fields, _EXTRAS, "its extra has")
    sent = fields.get("send", "bytes")
    if not isinstance(sent, str) or sent not in _SENDS:
        shown = printable(json.dumps(sent), _SHOWN_CHARS)
        raise _wrong(f'the "send" of its extra is {shown}, neither "url" nor "bytes"')
    return _SENDS[sent]


def _wrong(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the connection {CONN_ID} cannot be used: {why}. Write it as {_EXAMPLE}",
        code="connection_malformed",
    )
