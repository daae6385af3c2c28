"""The connection ``detection_default``: where the detection engine is, and how it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from reelflow.exceptions import ConfigurationError

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
        may be ``url``. The scheme is https unless ``schema`` or the host itself says http: what is
        sent are unpublished media and a key.

        :raises ConfigurationError: a field is missing or malformed; none is quoted, because an
            address may hold a password
        """
        if fields.get("conn_type") != CONN_TYPE:
            raise _wrong(f"its conn_type is not {CONN_TYPE}")
        base_url = _base_url(fields)
        key = str(fields.get("password") or "")
        if not _KEY.fullmatch(key):
            raise _wrong("its password is no API key of printable ASCII characters")
        return cls(base_url, key, _extra(fields.get("extra")).get("send") == "url")


def read_detection_connection(environment: Mapping[str, str]) -> DetectionConnection | None:
    """Return the connection as processes without Airflow read it; None when it is not set.

    :raises ConfigurationError: it is no JSON of an ``http`` connection
    """
    stored = environment.get(VARIABLE, "").strip()
    if not stored:
        return None
    try:
        fields = json.loads(stored)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
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


def _base_url(fields: Mapping[str, Any]) -> str:
    host = str(fields.get("host") or "").strip().rstrip("/")
    if not host:
        raise _wrong("it has no host")
    url = host if "://" in host else f"{fields.get('schema') or 'https'}://{host}"
    port = fields.get("port")
    if port:
        scheme, _, rest = url.partition("://")
        name, slash, path = rest.partition("/")
        url = f"{scheme}://{name}:{port}{slash}{path}"
    if not _BASE_URL.fullmatch(url) or not _has_good_port(url):
        raise _wrong("its host is no address such as https://detector.example.com/v1")
    return url


def _has_good_port(url: str) -> bool:
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port is None or port > 0


def _extra(extra: object) -> Mapping[str, Any]:
    if isinstance(extra, str) and extra.strip():
        try:
            extra = json.loads(extra)
        except (ValueError, RecursionError):
            raise _wrong("its extra is no JSON") from None
    return extra if isinstance(extra, dict) else {}


def _wrong(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the connection {CONN_ID} cannot be used: {why}. Write it as {_EXAMPLE}",
        code="connection_malformed",
    )
