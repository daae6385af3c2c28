"""Notifications of S3: Amazon's own trigger takes them from a queue, whatever they say."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from pkgutil import resolve_name
from typing import Any

import boto3
import pytest
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger
from moto.server import ThreadedMotoServer

from reelflow_provider.s3_notifications import s3_notifications

DEADLINE_S = 30.0
CREDENTIALS = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
    "region_name": "us-east-1",
}
HOSTILE = ["no JSON", "[" * 5000, '{"Records": "../../etc/passwd"}', "{{ ti.xcom_pull() }}"]


@pytest.fixture(scope="module")
def amazon() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@pytest.fixture
def sqs(amazon: str) -> Any:
    return boto3.client("sqs", endpoint_url=amazon, **CREDENTIALS)


@pytest.fixture
def queue_url(sqs: Any, amazon: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The queue that the settings name."""
    extra = {"region_name": "us-east-1", "endpoint_url": amazon}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://bucket")
    url: str = sqs.create_queue(QueueName=f"inbox-{uuid.uuid4().hex}")["QueueUrl"]
    monkeypatch.setenv("REELFLOW_SQS_QUEUE_URL", url)
    return url


def in_the_triggerer() -> BaseEventTrigger:
    """Return the asset's trigger as the triggerer makes it."""
    (watcher,) = s3_notifications().watchers
    encoded = encode_trigger(watcher.trigger)
    trigger = resolve_name(encoded["classpath"])(**encoded["kwargs"])
    assert isinstance(trigger, BaseEventTrigger)
    return trigger


def next_event() -> Any:
    async def wait() -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return await anext(in_the_triggerer().run())

    return asyncio.run(wait()).payload


def test_an_object_that_comes_into_the_bucket_is_an_event(
    amazon: str, sqs: Any, queue_url: str
) -> None:
    s3 = boto3.client("s3", endpoint_url=amazon, **CREDENTIALS)
    s3.create_bucket(Bucket="bucket")
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    to_queue = {
        "QueueArn": attributes["Attributes"]["QueueArn"],
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "inbox/"}]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration={"QueueConfigurations": [to_queue]}
    )
    sqs.purge_queue(QueueUrl=queue_url)  # of the test message that a bucket sends at once
    s3.put_object(Bucket="bucket", Key="media/other.mp4", Body=b"ours")
    s3.put_object(Bucket="bucket", Key="inbox/acme/clip.mp4", Body=b"a video")
    (message,) = next_event()["message_batch"]
    assert "clip.mp4" in message["Body"]


def test_messages_are_gone_once_they_have_woken(sqs: Any, queue_url: str) -> None:
    for number in range(10):
        sqs.send_message(QueueUrl=queue_url, MessageBody=f"message {number}")
    assert len(next_event()["message_batch"]) == 10
    assert "Messages" not in sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=0)


@pytest.mark.parametrize("body", HOSTILE)
def test_whatever_a_message_says_it_is_an_event(sqs: Any, queue_url: str, body: str) -> None:
    sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    assert next_event()["message_batch"][0]["Body"] == body
