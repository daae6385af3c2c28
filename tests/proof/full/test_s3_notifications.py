"""S3's notifications alone wake the DAG: its inbox is listed once a day here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import pytest

from demo.stack import DAG_ID
from demo.waiting import wait_until
from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY
from tests.contract.storage.stores import S3Server
from tests.postgresql import PostgresqlServer
from tests.proof.play import ENDLESS_S, UPLOADS, Play
from tests.proof.stack import ACCOUNTS, HEALTHY_S, ProofStack, open_proof_stack
from tests.proof.videos import Video, unique_video_bytes
from tests.s3_bucket import Bucket, new_bucket

WAKE: Final = "wake_on_s3_notifications"
NOTIFIED: Final = "reelflow_s3_notifications"
PREFIX: Final = "reelflow"
#: Enough that every post keeps to TikTok's six inits a minute and account.
CREATORS: Final = ACCOUNTS[:8]
DAY_S: Final = 24 * 3600
NONSENSE: Final = (
    "no JSON",
    "[" * 5000,
    '{"Records": []}',
    '{"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "../../etc/passwd"}}}]}',
    '{"Records": [{"s3": "\\u0000{{ ti.xcom_pull() }}"}]}',
    "x" * 200_000,
)


@dataclass(frozen=True)
class NotifyingInbox:
    """An inbox in a bucket that tells a queue of each file that comes, as another bucket does.

    :param foreign: the other bucket, which is nobody's inbox
    :param queue: name of the queue
    :param copies: name of a queue that is told the same, and read by nobody else
    """

    server: S3Server
    bucket: Bucket
    foreign: Bucket
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
            account = CREATORS[number % len(CREATORS)]
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


@pytest.fixture(scope="module")
def inbox(s3_process: S3Server) -> NotifyingInbox:
    sqs = boto3.client(
        "sqs",
        endpoint_url=s3_process.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
    )
    bucket, foreign = (new_bucket(s3_process, f"{PREFIX}/") for _ in range(2))
    inbox = NotifyingInbox(s3_process, bucket, foreign, sqs, queue="inbox", copies="copies")
    only_inboxes = {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{PREFIX}/inbox/"}]}}
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


@pytest.fixture(scope="module")
def stack(
    inbox: NotifyingInbox,
    postgresql_server: PostgresqlServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ProofStack]:
    """A stack of its own, whose watcher has listed the empty inbox once and will tomorrow."""
    extra = {
        "region_name": REGION,
        "endpoint_url": inbox.server.url,
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }
    connection = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
    with open_proof_stack(
        tmp_path_factory.mktemp("proof"),
        postgresql_server,
        account_names=CREATORS,
        dags=[DAG_ID, WAKE],
        extra_environment={
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "REELFLOW_STORAGE_URL": f"s3://{inbox.bucket.name}/{PREFIX}",
            "REELFLOW_SQS_QUEUE_URL": inbox.url,
            "REELFLOW_WATCH_INTERVAL_S": str(DAY_S),
        },
    ) as stack:
        stack.end("triggerer")
        inbox.server.reset()
        stack.restart("triggerer")
        wait_until(inbox.is_listed, deadline_s=HEALTHY_S, waiting_for="the inbox to be listed")
        yield stack


def test_a_notification_wakes_and_no_other_message_changes_anything(
    play: Play, inbox: NotifyingInbox
) -> None:
    inbox.told()  # a bucket tells at once that it will
    play.process_for(ENDLESS_S)
    with play.unpaused(WAKE) as wake:
        inbox.drop(play, 20)
        with play.mid_stage():
            known = wake.ids()
            inbox.say(inbox.told())
            inbox.say(NONSENSE)
            inbox.foreign.put(f"inbox/{CREATORS[0]}/foreign.mp4", unique_video_bytes())
            play.wait_told(inbox.is_read, "every message to be read")
            play.wait_told(lambda: wake.ids() > known and wake.is_idle(), "what they woke to end")
        assert play.knows_all(play.videos)
        assert len(play.ledger.posts()) == 20

        later = inbox.drop(play, 5)
        play.wait_known(later)
        play.wait_told(wake.is_idle, "what woke to end")
        assert {run.state for run in wake.all()} == {"success"}
        for run_id in play.ledger.batches():
            assert WAKE in wakers_of(play, run_id), f"{run_id} was woken otherwise"
        heard = [event["payload"] for event in play.runs.events(NOTIFIED)]
        assert heard
        assert all(list(one) == ["messages"] for one in heard), "Airflow keeps what messages say"

        play.let_go()
        play.finish()


def test_a_queue_that_is_gone_is_told_once_and_wakes_when_it_is_there_again(
    play: Play, inbox: NotifyingInbox
) -> None:
    play.process_for(ENDLESS_S)
    with play.unpaused(WAKE) as wake:
        inbox.drop(play, 20)
        with play.mid_stage():
            play.wait_told(inbox.is_read, "every message to be read")
            play.wait_told(wake.is_idle, "what they woke to end")
            play.wait_told(
                lambda: play.runs.have_found(UPLOADS), "what that woke to list the inbox"
            )
            inbox.sqs.delete_queue(QueueUrl=inbox.url)
            play.wait_told(lambda: bool(complaints(play)), "the triggerer to tell of it")
            unheard, asked = inbox.drop(play, 4), inbox.asked()
            play.wait_told(lambda: inbox.asked() >= asked + 2, "the queue to be asked for again")
            files = {post.file_name for post in play.ledger.posts()}
            assert not files & {video.file_name for video in unheard}, "the inbox was listed"

        inbox.sqs.create_queue(QueueName=inbox.queue)
        inbox.drop(play, 1)
        play.wait_known(play.videos)
        assert len(complaints(play)) == 1, complaints(play)
        play.let_go()
        play.finish()


def wakers_of(play: Play, run_id: str) -> set[str | None]:
    """Return the DAGs whose events began a run; None for a watcher."""
    path = f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}/upstreamAssetEvents"
    return {event["source_dag_id"] for event in play.stack.api("GET", path)["asset_events"]}


def complaints(play: Play) -> list[str]:
    """Return what the triggerer has said of a queue that cannot be read."""
    lines = (play.stack.folders.logs / "triggerer.log").read_text().splitlines()
    wrong = ("the queue of S3's notifications cannot be read", "exited with error")
    return [line for line in lines if any(what in line for what in wrong)]
