import json
from pathlib import Path
from typing import Any

import pytest

from reelflow.cli.findings import Status, run_check
from reelflow.cli.storage_checks import check_storage
from reelflow.exceptions import ConfigurationError
from reelflow.settings import Settings
from reelflow.storage.folders import PROBES
from tests import factories
from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY
from tests.contract.storage.stores import S3Server, s3_client

OK, WARNING, PROBLEM = Status.OK, Status.WARNING, Status.PROBLEM


@pytest.fixture
def client(s3_server: S3Server) -> Any:
    """The client of an administrator."""
    return s3_client(s3_server.url)


@pytest.fixture
def settings(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a bucket that is there, whose connection tries once."""
    once = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}}
    extra = {"region_name": REGION, "endpoint_url": s3_server.url, "config_kwargs": once}
    connection = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return Settings(
        home=tmp_path,
        storage_url=f"s3://{s3_server.new_bucket()}/reelflow",
        database_url="",
        fernet_key=factories.FERNET_KEY,
    )


def bucket_of(settings: Settings) -> str:
    assert settings.storage_location is not None
    return settings.storage_location.bucket


def test_a_bucket_that_can_be_used_is_left_as_it_was(
    settings: Settings, client: Any, s3_server: S3Server
) -> None:
    bucket = bucket_of(settings)
    client.put_object(Bucket=bucket, Key="reelflow/inbox/clip.mp4", Body=b"video")
    s3_server.reset()
    [finding] = check_storage(settings)
    assert (finding.check, finding.status) == ("storage", OK)
    assert finding.message.startswith(f"s3://{bucket}/reelflow/ can be listed, written to")
    assert {"PUT", "GET", "DELETE", "POST"} <= {call["method"] for call in s3_server.calls()}
    assert [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]] == [
        "reelflow/inbox/clip.mp4"
    ]
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize(
    ("method", "contains", "what"),
    [
        ("GET", "list-type=2", "listed"),
        ("PUT", PROBES, "written to"),
        ("HEAD", PROBES, "read"),
        ("GET", PROBES, "read"),
        ("PUT", "-moved", "moved in"),
        ("DELETE", "-moved", "moved in"),
        ("POST", "uploads", "uploaded to in parts"),
        ("DELETE", "uploadId", "uploaded to in parts"),
        ("GET", "uploads", "uploaded to in parts"),
    ],
)
def test_what_is_not_allowed_is_told_with_bucket_and_fix_and_nothing_is_left(
    settings: Settings, client: Any, s3_server: S3Server, method: str, contains: str, what: str
) -> None:
    s3_server.fault(method, contains, status=403, code="AccessDenied")
    [finding] = check_storage(settings)
    assert finding.status is PROBLEM
    bucket = bucket_of(settings)
    assert finding.message.startswith(f"s3://{bucket}/reelflow/ cannot be {what}: ")
    assert "allow these credentials s3:GetObject, PutObject, DeleteObject" in finding.message
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)


def test_an_object_that_may_not_be_deleted_is_named(
    settings: Settings, client: Any, s3_server: S3Server
) -> None:
    s3_server.fault("DELETE", PROBES, status=403, code="AccessDenied")
    found = list(check_storage(settings))
    assert [one.status for one in found] == [PROBLEM, WARNING]
    assert "cannot be deleted from: " in found[0].message
    [left] = client.list_objects_v2(Bucket=bucket_of(settings))["Contents"]
    assert found[1].fix == f"delete it: aws s3 rm s3://{bucket_of(settings)}/{left['Key']}"


def test_a_storage_that_knows_no_conditional_writes_is_told(
    settings: Settings, client: Any, s3_server: S3Server
) -> None:
    s3_server.fault("PUT", PROBES, kind="unconditional", times=2)
    [finding] = check_storage(settings)
    assert "cannot be kept from being overwritten: " in finding.message
    assert "take a storage that knows conditional writes" in finding.message
    assert "Contents" not in client.list_objects_v2(Bucket=bucket_of(settings))


def test_a_storage_that_knows_no_conditional_copies_is_told(
    settings: Settings, client: Any, s3_server: S3Server
) -> None:
    """It would let a file be taken in the place of the one that was found."""
    s3_server.fault("PUT", "-moved", kind="unconditional")
    [finding] = check_storage(settings)
    assert "cannot be moved in: " in finding.message
    assert "take a storage that knows conditional copies" in finding.message
    assert "Contents" not in client.list_objects_v2(Bucket=bucket_of(settings))


def test_a_bucket_that_does_not_exist_is_told(settings: Settings) -> None:
    gone = settings.model_copy(update={"storage_url": "s3://no-such-bucket/reelflow"})
    [finding] = check_storage(gone)
    assert finding.status is PROBLEM
    assert "the bucket 'no-such-bucket' does not exist: create it" in finding.message


def test_wrong_credentials_are_told_and_not_shown(settings: Settings, s3_server: S3Server) -> None:
    s3_server.fault("*", status=403, code="SignatureDoesNotMatch")
    [finding] = check_storage(settings)
    assert "set the connection's password" in finding.message
    assert SECRET_KEY not in repr(finding)


def test_a_bucket_without_its_connection_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_MEDIA", raising=False)
    elsewhere = settings.model_copy(update={"storage_url": "s3://bucket?connection=media"})
    with pytest.raises(ConfigurationError, match="set AIRFLOW_CONN_MEDIA"):
        list(check_storage(elsewhere))
    [finding] = run_check("storage", lambda: check_storage(elsewhere))
    assert (finding.check, finding.status) == ("storage", PROBLEM)


def test_of_a_folder_there_is_nothing_to_say(settings: Settings) -> None:
    assert list(check_storage(settings.model_copy(update={"storage_url": ""}))) == []
