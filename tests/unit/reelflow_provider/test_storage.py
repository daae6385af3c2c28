"""The store that the settings name, with the client of a connection of Airflow's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.settings import Settings
from reelflow.storage.local_store import LocalStore
from reelflow.storage.s3 import S3Store
from reelflow_provider.storage import aopen_store, open_store, open_workspace, s3_client
from tests.contract.storage.credentials import ACCESS_KEY, SECRET_KEY
from tests.contract.storage.stores import S3Server
from tests.factories import FERNET_KEY, migrated_sqlite

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    def set_connection(name: str, *, conn_type: str = "aws", **extra: object) -> None:
        connection = {
            "conn_type": conn_type,
            "login": ACCESS_KEY,
            "password": SECRET_KEY,
            "extra": {"region_name": "us-east-1", **extra},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))

    return set_connection


def test_without_a_url_it_is_the_data_folder(tmp_path: Path) -> None:
    store = open_store(Settings(home=tmp_path))
    assert isinstance(store, LocalStore)
    store.put("media/1.mp4", b"video", size_bytes=5)
    assert (tmp_path / "media" / "1.mp4").read_bytes() == b"video"


@pytest.mark.parametrize(("name", "query"), [("aws_default", ""), ("media", "?connection=media")])
def test_a_url_is_s3_through_the_connection(
    connect: Connect, s3_server: S3Server, name: str, query: str
) -> None:
    connect(name, endpoint_url=s3_server.url)
    bucket = s3_server.new_bucket()
    store = open_store(Settings(storage_url=f"s3://{bucket}/reelflow{query}"))
    assert isinstance(store, S3Store)
    store.put("media/1.mp4", b"video", size_bytes=5)
    assert [info.key for info in store.list()] == ["media/1.mp4"]
    assert f"/{bucket}/reelflow/media/1.mp4?" in store.presigned_get("media/1.mp4", lifetime_s=60)


@pytest.mark.parametrize(("name", "query"), [("aws_default", ""), ("media", "?connection=media")])
def test_a_trigger_opens_the_same(
    connect: Connect, s3_server: S3Server, name: str, query: str
) -> None:
    connect(name, endpoint_url=s3_server.url)
    bucket = s3_server.new_bucket()
    store = asyncio.run(aopen_store(Settings(storage_url=f"s3://{bucket}/reelflow{query}")))
    store.put("media/1.mp4", b"video", size_bytes=5)
    assert [info.key for info in store.list()] == ["media/1.mp4"]


def test_a_trigger_needs_the_connection_that_is_named() -> None:
    settings = Settings(storage_url="s3://bucket?connection=media")
    with pytest.raises(ConfigurationError, match=r"'media'.*AIRFLOW_CONN_MEDIA"):
        asyncio.run(aopen_store(settings))


def test_a_trigger_opens_the_data_folder_without_a_url(tmp_path: Path) -> None:
    assert isinstance(asyncio.run(aopen_store(Settings(home=tmp_path))), LocalStore)


def test_a_workspace_is_opened_with_the_connection(connect: Connect, tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        storage_url="s3://bucket/reelflow?connection=media",
        database_url=migrated_sqlite(tmp_path),
        fernet_key=FERNET_KEY,
    )
    workspace = open_workspace(settings)  # nothing is read yet: many need the ledger alone
    connect("media")
    assert workspace.folders.account_inbox("acme") == "s3://bucket/reelflow/inbox/acme"


def test_urls_are_those_of_the_bucket_s_region(connect: Connect) -> None:
    connect("aws_default", region_name="eu-central-1")
    store = open_store(Settings(storage_url="s3://bucket/reelflow"))
    assert isinstance(store, S3Store)
    url = store.presigned_get("media/1.mp4", lifetime_s=60)
    assert url.startswith("https://bucket.s3.eu-central-1.amazonaws.com/reelflow/media/1.mp4?")


def test_what_the_connection_says_of_the_client_wins(connect: Connect) -> None:
    connect("aws_default", config_kwargs={"read_timeout": 7})
    config = s3_client().meta.config
    assert (config.read_timeout, config.signature_version) == (7, "s3v4")


def test_a_connection_that_is_named_must_exist() -> None:
    with pytest.raises(ConfigurationError, match=r"'media'.*AIRFLOW_CONN_MEDIA") as caught:
        s3_client("media")
    assert caught.value.code == "connection_missing"


def test_without_the_default_connection_the_machine_s_own_credentials_are_used() -> None:
    assert s3_client().meta.service_model.service_name == "s3"


def test_a_connection_of_another_type_is_refused(connect: Connect) -> None:
    connect("media", conn_type="http")
    with (
        pytest.warns(UserWarning, match="expected connection type 'aws'"),
        pytest.raises(ConfigurationError, match="'http', not 'aws'"),
    ):
        s3_client("media")


@pytest.mark.parametrize(
    "extra", [{"config_kwargs": {"no_such": 1}}, {"endpoint_url": "no address"}]
)
def test_a_malformed_connection_is_named(connect: Connect, extra: dict[str, object]) -> None:
    connect("media", **extra)
    with pytest.raises(ConfigurationError, match="'media' makes no S3 client") as caught:
        s3_client("media")
    assert SECRET_KEY not in str(caught.value)


def test_whoever_needs_no_s3_loads_none() -> None:
    code = "import sys, reelflow_provider.storage; print('boto3' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "False"
