"""The connection to S3 from the environment, where no Airflow is."""

import json
import os
import subprocess
import sys

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.storage.aws_variable import open_s3, s3_client
from reelflow.storage.location import S3Location

SECRET = "a/secret+key"
URL = "http://127.0.0.1:1"
AS_JSON = json.dumps(
    {
        "conn_type": "aws",
        "login": "key",
        "password": SECRET,
        "extra": {"region_name": "eu-central-1", "endpoint_url": URL},
    }
)
AS_URI = (
    "aws://key:a%2Fsecret%2Bkey@/?region_name=eu-central-1&endpoint_url=http%3A%2F%2F127.0.0.1%3A1"
)
EXTRA_AS_TEXT = json.dumps(
    {
        "conn_type": "aws",
        "login": "key",
        "password": SECRET,
        "extra": json.dumps({"region_name": "eu-central-1", "endpoint_url": URL}),
    }
)


def keys(client: object) -> tuple[str, str, str | None]:
    """Return the credentials that a client signs with."""
    frozen = client._request_signer._credentials.get_frozen_credentials()  # type: ignore[attr-defined]
    return frozen.access_key, frozen.secret_key, frozen.token


@pytest.mark.parametrize("stored", [AS_JSON, AS_URI, EXTRA_AS_TEXT])
@pytest.mark.parametrize(
    ("connection", "variable"),
    [(None, "AIRFLOW_CONN_AWS_DEFAULT"), ("media", "AIRFLOW_CONN_MEDIA")],
)
def test_a_connection_gives_keys_region_and_endpoint(
    stored: str, connection: str | None, variable: str
) -> None:
    client = s3_client(connection, {variable: stored})
    assert keys(client) == ("key", SECRET, None)
    assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-central-1", URL)


def test_a_session_token_and_settings_of_the_client_are_taken() -> None:
    extra = {"aws_session_token": "token", "config_kwargs": {"read_timeout": 7}}
    stored = {**json.loads(AS_JSON), "extra": {**json.loads(AS_JSON)["extra"], **extra}}
    client = s3_client(None, {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(stored)})
    assert keys(client) == ("key", SECRET, "token")
    assert (client.meta.config.read_timeout, client.meta.config.signature_version) == (7, "s3v4")


def test_without_the_default_connection_the_machine_s_own_credentials_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the machine")
    assert keys(s3_client(None, {})) == ("machine", "of the machine", None)


def test_a_connection_that_is_named_must_exist() -> None:
    with pytest.raises(ConfigurationError, match="set AIRFLOW_CONN_MEDIA") as refused:
        s3_client("media", {"AIRFLOW_CONN_AWS_DEFAULT": AS_JSON})
    assert refused.value.code == "connection_missing"


@pytest.mark.parametrize(
    ("stored", "code"),
    [
        ("{", "connection_malformed"),
        ('{"conn_type": "aws", "extra": []  ', "connection_malformed"),
        ('{"conn_type": "aws", "extra": "{"}', "connection_malformed"),
        ('{"conn_type": "tiktok", "password": "a/secret+key"}', "connection_type"),
        ("tiktok://key:secret@host", "connection_type"),
        ('{"conn_type": "aws", "extra": {"role_arn": "a/secret+key"}}', "connection_extra"),
        ('{"conn_type": "aws", "extra": {"endpoint_url": "no url"}}', "connection_extra"),
        ('{"conn_type": "aws", "extra": {"config_kwargs": {"x": 1}}}', "connection_extra"),
    ],
)
def test_what_cannot_be_used_is_named_and_never_quoted(stored: str, code: str) -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_AWS_DEFAULT") as refused:
        s3_client(None, {"AIRFLOW_CONN_AWS_DEFAULT": stored})
    assert refused.value.code == code
    assert SECRET not in str(refused.value)


def test_a_store_is_opened_where_the_url_says() -> None:
    store = open_s3(S3Location("bucket", "a/b"), {"AIRFLOW_CONN_AWS_DEFAULT": AS_JSON})
    assert store.shown("inbox/acme") == "s3://bucket/a/b/inbox/acme"


@pytest.mark.parametrize(
    ("region", "extra", "above"),
    [
        ("eu-central-1", {}, "https://bucket.s3.eu-central-1.amazonaws.com/"),
        ("us-east-1", {}, "https://bucket.s3.amazonaws.com/"),
        ("cn-north-1", {}, "https://bucket.s3.cn-north-1.amazonaws.com.cn/"),
        ("eu-central-1", {"endpoint_url": "http://minio:9000"}, "http://minio:9000/bucket/"),
        (
            "eu-central-1",
            {"config_kwargs": {"s3": {"addressing_style": "path"}}},
            "https://s3.eu-central-1.amazonaws.com/bucket/",
        ),
    ],
)
def test_urls_are_those_of_the_bucket_s_region(
    region: str, extra: dict[str, object], above: str
) -> None:
    stored = {**json.loads(AS_JSON), "extra": {"region_name": region, **extra}}
    environment = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(stored)}
    store = open_s3(S3Location("bucket"), environment)
    assert store.presigned_get("media/1.mp4", lifetime_s=60).startswith(f"{above}media/1.mp4?")


def test_whoever_needs_no_s3_loads_none() -> None:
    code = "import sys, reelflow.settings; print({'boto3', 'botocore'} & set(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert loaded.stdout.strip() == "set()"
