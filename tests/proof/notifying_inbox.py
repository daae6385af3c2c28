"""An inbox in S3 that tells a queue of SQS of each file that comes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import boto3

from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY
from tests.contract.storage.stores import S3Server
from tests.proof.play import Play
from tests.proof.videos import Video, unique_video_bytes
from tests.s3_bucket import Bucket, new_bucket


@dataclass(frozen=True)
class NotifyingInbox:
    """An inbox in a bucket that tells a queue of each file that comes, as another bucket does.

    :param foreign: the other bucket, which is nobody's inbox
    :param accounts: whose inboxes they are
    :param queue: name of the queue
    :param copies: name of a queue that is told the same, and read by nobody else
    """

    server: S3Server
    bucket: Bucket
    foreign: Bucket
    accounts: Sequence[str]
    sqs: Any
    queue: str
    copies: str

    @property
    def url(self) -> str:
        """The address of the queue."""
        return f"{self.server.url}/123456789012/{self.queue}"

    def drop(self, play: Play, count: int) -> list[Video]:
        """Put videos into the inboxes of all accounts in turn; they belong to the case."""
        videos = []
        for number in range(count):
            data, name = unique_video_bytes(), f"{uuid.uuid4().hex[:10]}.mp4"
            account = self.accounts[number % len(self.accounts)]
            self.bucket.put(f"inbox/{account}/{name}", data)
            videos.append(Video(account, name, len(data), sha256(data).hexdigest()))
        play.videos += videos
        return videos

    def say(self, messages: Sequence[str]) -> None:
        """Send messages to the queue."""
        for body in messages:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def told(self) -> list[str]:
        """Return what the queue was told by itself since the last time."""
        found: list[str] = []
        url = self.sqs.get_queue_url(QueueName=self.copies)["QueueUrl"]
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [one["Body"] for one in messages]
        return found

    def is_read(self) -> bool:
        """Whether no message is left in the queue."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return all(answer["Attributes"][name] == "0" for name in names)

    def is_listed(self) -> bool:
        """Whether the inbox was listed since the server forgot its calls."""
        return any("list-type=2" in one["url"] for one in self.server.calls())

    def asked(self) -> int:
        """Return how often anybody has called SQS since the server forgot its calls."""
        return sum(urlsplit(one["url"]).path == "/" for one in self.server.calls())


def open_notifying_inbox(server: S3Server, folder: str, accounts: Sequence[str]) -> NotifyingInbox:
    """Make both buckets, and let them tell the queue.

    :param folder: all keys are below it; with a slash at its end
    """
    sqs = boto3.client(
        "sqs",
        endpoint_url=server.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
    )
    bucket, foreign = (new_bucket(server, folder) for _ in range(2))
    inbox = NotifyingInbox(server, bucket, foreign, accounts, sqs, queue="inbox", copies="copies")
    only_inboxes = {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{folder}inbox/"}]}}
    created = {"Events": ["s3:ObjectCreated:*"], "Filter": only_inboxes}
    told = []
    for name in (inbox.queue, inbox.copies):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        told.append({"QueueArn": found["Attributes"]["QueueArn"], **created})
    for one in (bucket, foreign):
        one.client.put_bucket_notification_configuration(
            Bucket=one.name, NotificationConfiguration={"QueueConfigurations": told}
        )
    return inbox
