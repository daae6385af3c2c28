"""The connection to S3 where no Airflow is: read from ``AIRFLOW_CONN_AWS_DEFAULT`` or its like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from reelflow.exceptions import ConfigurationError
from reelflow.storage.location import DEFAULT_CONNECTION, S3Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from reelflow.storage.s3 import S3Store

CONN_TYPE: Final = "aws"
#: What a connection's extra may say here: boto3's own names for most of it. More needs Airflow's
#: hook, or a profile in AWS's own configuration.
_EXTRAS: Final = frozenset(
    {"region_name", "endpoint_url", "aws_session_token", "config_kwargs", "profile_name"}
)


def open_s3(location: S3Location, environment: Mapping[str, str]) -> S3Store:
    """Open the store of a place in S3; nothing is asked of S3 by that.

    :raises ConfigurationError: the connection is missing, of another type, or malformed
    """
    from reelflow.storage.s3 import S3Store  # boto3 loads slowly, and most have a folder

    client = s3_client(location.connection, environment)
    return S3Store(client, location.bucket, location.prefix)


def s3_client(connection: str | None, environment: Mapping[str, str]) -> S3Client:
    """Return the S3 client of a connection in the environment.

    The forms are Airflow's (howto/connection, "Storing connections in environment variables",
    Airflow 3.3.2), and what the extra says is what its amazon provider knows.

    :param connection: None for ``aws_default``; where that is missing, AWS's own chain is used
    :raises ConfigurationError: it is missing, of another type, or malformed; the message never
        quotes it, because it holds the secret key
    """
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    from reelflow.storage.s3_client import regional_client

    variable = f"AIRFLOW_CONN_{(connection or DEFAULT_CONNECTION).upper()}"
    stored = environment.get(variable, "").strip()
    if not stored and connection is not None:
        raise ConfigurationError(
            f"the connection {connection!r} of REELFLOW_STORAGE_URL is not in the environment: set "
            f"{variable}, as JSON with conn_type aws, login (access key) and password (secret key)",
            code="connection_missing",
        )
    login, password, extra = _read(variable, stored) if stored else (None, None, {})
    try:
        session = boto3.session.Session(
            aws_access_key_id=login,
            aws_secret_access_key=password,
            aws_session_token=extra.get("aws_session_token"),
            region_name=extra.get("region_name"),
            profile_name=extra.get("profile_name"),
        )
        said = Config(**extra.get("config_kwargs", {}))
        return regional_client(
            lambda config: session.client(
                "s3", endpoint_url=extra.get("endpoint_url"), config=config.merge(said)
            )
        )
    except (BotoCoreError, TypeError, ValueError) as exc:
        raise ConfigurationError(
            f"{variable} makes no S3 client ({type(exc).__name__}): check its extra, which is JSON "
            "with region_name, endpoint_url or config_kwargs",
            code="connection_extra",
        ) from exc


def _read(variable: str, stored: str) -> tuple[str | None, str | None, dict[str, Any]]:
    """Return access key, secret key and extra."""
    try:
        conn_type, login, password, extra = (
            _from_json(stored) if stored[0] == "{" else _from_uri(stored)
        )
    except (ValueError, TypeError, AttributeError):
        raise ConfigurationError(
            f"{variable} cannot be read: write it as JSON with conn_type aws, login, password and "
            "extra",
            code="connection_malformed",
        ) from None
    if conn_type != CONN_TYPE:
        raise ConfigurationError(
            f"{variable} is a connection of type {conn_type!r}, not 'aws': set its conn_type",
            code="connection_type",
        )
    unknown = sorted(set(extra) - _EXTRAS)
    if unknown:
        raise ConfigurationError(
            f"the extra of {variable} has {', '.join(unknown)}, which is understood by Airflow "
            "alone: write a profile into AWS's own configuration, and name it as profile_name",
            code="connection_extra",
        )
    return login, password, extra


def _from_json(stored: str) -> tuple[str, str | None, str | None, dict[str, Any]]:
    fields: dict[str, Any] = json.loads(stored)
    extra = fields.get("extra") or {}
    extra = json.loads(extra) if isinstance(extra, str) else extra
    conn_type = str(fields.get("conn_type"))
    return conn_type, fields.get("login"), fields.get("password"), dict(extra)


def _from_uri(stored: str) -> tuple[str, str | None, str | None, dict[str, Any]]:
    """Read ``aws://key:secret@/?region_name=eu-central-1``."""
    parts = urlsplit(stored)
    extra: dict[str, Any] = dict(parse_qsl(parts.query))
    if "__extra__" in extra:
        extra = json.loads(extra["__extra__"])
    login, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    return parts.scheme, login, password, extra
