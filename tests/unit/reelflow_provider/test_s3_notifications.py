"""Notifications of S3: Airflow's own trigger takes them from a queue, whatever they say."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from pkgutil import resolve_name
from typing import Any

import boto3
import pytest
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger
from moto.server import ThreadedMotoServer

from demo.environment import free_port
from reelflow_provider.s3_notifications import s3_notifications
from tests.unit.reelflow_provider.triggers.quick_loop import QuickLoop, Watched, run_quickly

DEADLINE_S = 30.0
#: Pause before a queue is asked again that cannot be read.
AWAY_S = 30.0
CREDENTIALS = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
    "region_name": "us-east-1",
}
HOSTILE = ["no JSON", "[" * 5000, '{"Records": "../../etc/passwd"}', "{{ ti.xcom_pull() }}"]


class NeverAway(QuickLoop):
    """Ends at once the pauses before a queue is asked again; requests have their time."""

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        make = QuickLoop if delay == AWAY_S else asyncio.SelectorEventLoop
        return make.call_later(self, delay, callback, *args, context=context)


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
    connect(monkeypatch, amazon)
    url: str = sqs.create_queue(QueueName=f"inbox-{uuid.uuid4().hex}")["QueueUrl"]
    monkeypatch.setenv("REELFLOW_STORAGE_URL", "s3://bucket")
    monkeypatch.setenv("REELFLOW_SQS_QUEUE_URL", url)
    return url


def connect(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    extra = {"region_name": "us-east-1", "endpoint_url": address}
    connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))


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
    assert next_event() == {"messages": 1}


def test_messages_are_gone_once_they_have_woken(sqs: Any, queue_url: str) -> None:
    for number in range(10):
        sqs.send_message(QueueUrl=queue_url, MessageBody=f"message {number}")
    assert next_event() == {"messages": 10}
    assert "Messages" not in sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=0)


@pytest.mark.parametrize("body", HOSTILE)
def test_whatever_a_message_says_it_is_an_event_and_airflow_does_not_hear_it(
    sqs: Any, queue_url: str, body: str
) -> None:
    sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    assert next_event() == {"messages": 1}


def test_a_queue_that_is_gone_is_told_once_and_wakes_when_it_is_there_again(
    sqs: Any, queue_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def come_and_go() -> Any:
        watched = Watched(in_the_triggerer())
        async with asyncio.timeout(DEADLINE_S):
            await watched.no_event_for(looks=3)
            sqs.create_queue(QueueName=queue_url.rpartition("/")[2])
            sqs.send_message(QueueUrl=queue_url, MessageBody="a message")
            return await watched.event()

    sqs.delete_queue(QueueUrl=queue_url)
    with asyncio.Runner(loop_factory=NeverAway) as runner:
        assert runner.run(come_and_go()) == {"messages": 1}
    (complaint,) = warnings(caplog)
    assert "asked again every 30 s" in complaint
    assert "The specified queue does not exist" in complaint


def test_while_nobody_answers_for_the_queue_its_trigger_goes_on(
    queue_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask_in_vain() -> None:
        watched = Watched(in_the_triggerer())
        await watched.no_event_for(looks=30)  # aiobotocore pauses by itself as well
        await watched.end()

    connect(monkeypatch, f"http://127.0.0.1:{free_port()}")
    _, pauses_s = run_quickly(ask_in_vain)
    assert AWAY_S in pauses_s
    (complaint,) = warnings(caplog)
    assert "Could not connect to the endpoint URL" in complaint


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
