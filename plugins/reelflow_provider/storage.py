"""The store that the settings name: the data folder, or S3 through a connection of Airflow's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from reelflow.exceptions import ConfigurationError
from reelflow.storage.location import DEFAULT_CONNECTION
from reelflow_provider.stats import StatsMeter

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.sdk import Connection
    from mypy_boto3_s3 import S3Client

    from reelflow.services.workspace import Workspace
    from reelflow.settings import Settings
    from reelflow.storage.local_store import LocalStore
    from reelflow.storage.s3 import S3Store


def open_store(settings: Settings) -> LocalStore | S3Store:
    """Open the store of ``REELFLOW_STORAGE_URL``; the data folder without it.

    Nothing is asked of S3 by opening it, but the connection is read.

    :raises ConfigurationError: the connection is missing, of another type, or malformed
    """
    location = settings.storage_location
    if location is None:
        from reelflow.storage.local_store import LocalStore

        return LocalStore(settings.data_folder, durable=settings.durable_chunks)
    # Loaded here: most tasks of most deployments need neither boto3 nor the provider.
    from reelflow.storage.s3 import S3Store

    return S3Store(s3_client(location.connection), location.bucket, location.prefix)


def open_workspace(settings: Settings) -> Workspace:
    """Open ledger and folders for one process of Airflow's.

    Its connections are kept: a post's tasks ask the ledger sixty times, and PostgreSQL starts a
    process for each connection.

    :raises ReelflowError: as :meth:`Settings.open_workspace`
    """
    workspace = settings.open_workspace(partial(open_store, settings), keeps_connections=True)
    return replace(workspace, meter=StatsMeter())


async def aopen_store(settings: Settings) -> LocalStore | S3Store:
    """Open the store as :func:`open_store` does, for triggers, which open it once.

    :raises ConfigurationError: the connection is missing, of another type, or malformed
    """
    location = settings.storage_location
    if location is None:
        return await asyncio.to_thread(open_store, settings)
    from reelflow.storage.s3 import S3Store

    try:
        found = await BaseHook.aget_connection(location.connection or DEFAULT_CONNECTION)
    except AirflowNotFoundException:
        found = None
    hook = await asyncio.to_thread(_hook, location.connection, found)
    client = await asyncio.to_thread(_client, hook, location.connection)
    return S3Store(client, location.bucket, location.prefix)


def s3_client(connection: str | None = None) -> S3Client:
    """Return the S3 client of a connection of type ``aws``.

    What the connection says of the client itself (``config_kwargs`` in its extra) wins over
    Reelflow's own defaults.

    :param connection: None for ``aws_default``; where that is missing, the machine's own
        credentials are used, as the amazon provider does
    :raises ConfigurationError: the connection is missing, of another type, or malformed
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return _client(S3Hook(aws_conn_id=connection or DEFAULT_CONNECTION), connection)


def _hook(connection: str | None, found: Connection | None) -> S3Hook:
    """Return the hook of a connection that was asked for already."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

    hook = S3Hook(aws_conn_id=connection or DEFAULT_CONNECTION)
    hook.conn_config = AwsConnectionWrapper(conn=found)  # the hook would ask again, and wait
    return hook


def _client(hook: S3Hook, connection: str | None) -> S3Client:
    from botocore.exceptions import BotoCoreError

    from reelflow.storage.s3_client import regional_client

    conn_id = connection or DEFAULT_CONNECTION
    try:
        _check(hook, conn_id, is_wanted=connection is not None)
        return regional_client(
            lambda config: cast(
                "S3Client",
                hook.get_client_type(
                    region_name=hook.region_name, config=config.merge(hook.config)
                ),
            )
        )
    except (AirflowException, BotoCoreError, TypeError, ValueError) as exc:
        raise ConfigurationError(
            f"the connection {conn_id!r} makes no S3 client ({type(exc).__name__}): check its"
            " extra, which is JSON with region_name, endpoint_url, config_kwargs or role_arn",
            code="connection_extra",
        ) from exc


def _check(hook: S3Hook, conn_id: str, *, is_wanted: bool) -> None:
    """Refuse a connection that the provider would do without, or guess at."""
    found = hook.conn_config
    if found.conn_id != conn_id and is_wanted:
        raise ConfigurationError(
            f"the connection {conn_id!r} of REELFLOW_STORAGE_URL does not exist: add one of type"
            " 'aws' with access key and secret key, in the UI or as"
            f" AIRFLOW_CONN_{conn_id.upper()}",
            code="connection_missing",
        )
    if found.conn_id == conn_id and found.conn_type != "aws":
        raise ConfigurationError(
            f"the connection {conn_id!r} has the type {found.conn_type!r}, not 'aws': choose the"
            " type 'Amazon Web Services' for it",
            code="connection_type",
        )
