"""Files in S3, whose notifications alone wake the DAG: its inbox is listed once a day here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from demo.stack import DAG_ID
from demo.waiting import wait_until
from reelflow.domain.post import PostState
from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY
from tests.contract.storage.stores import S3Server
from tests.postgresql import PostgresqlServer
from tests.proof.notifying_inbox import NotifyingInbox, open_notifying_inbox
from tests.proof.play import ENDLESS_S, UPLOADS, Play
from tests.proof.stack import ACCOUNTS, HEALTHY_S, ProofStack, open_proof_stack
from tests.proof.sweeping import SWEEP, Swept, sweep
from tests.proof.videos import unique_video_bytes

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


@pytest.fixture(scope="module")
def inbox(s3_process: S3Server) -> NotifyingInbox:
    return open_notifying_inbox(s3_process, f"{PREFIX}/", CREATORS)


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
        dags=[DAG_ID, WAKE, SWEEP],
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


def test_what_a_crash_left_in_the_bucket_is_swept_and_no_file_of_a_post(
    play: Play, inbox: NotifyingInbox
) -> None:
    """In S3, where a test can date an object; a file on a disk has the time of its change."""
    old = set(inbox.bucket.list())  # of cases whose posts the ledger has forgotten
    play.process_for(ENDLESS_S)
    with play.unpaused(WAKE), play.unpaused(SWEEP) as dag:
        inbox.drop(play, 20)
        with play.mid_stage(20, {PostState.PROCESSING}):
            # What is older than the first file of the ledger, another ledger may know.
            play.ledger.date_media(datetime.now(UTC) - timedelta(days=40))
            orphan, young = (f"media/{uuid.uuid4().hex}.mp4" for _ in range(2))
            for key in (orphan, young):
                inbox.bucket.put(key, b"left by a crash")
            before = inbox.bucket.list()
            for key in set(before) - old - {young}:
                inbox.server.date(inbox.bucket.name, f"{PREFIX}/{key}", days_ago=3)
            assert sweep(play, dag, dry_run=True) == Swept(orphan=1, quarantine=0, deleted=0)
            assert inbox.bucket.list() == before
            assert sweep(play, dag) == Swept(orphan=1, quarantine=0, deleted=1)
            assert inbox.bucket.list() == [key for key in before if key != orphan]
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
