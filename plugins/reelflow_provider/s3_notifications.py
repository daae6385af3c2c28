"""What S3 says through SQS; loaded by the one DAG file that needs it, because it imports boto3."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import Asset, AssetWatcher

from reelflow.exceptions import ConfigurationError
from reelflow.settings import Settings
from reelflow.storage.location import DEFAULT_CONNECTION
from reelflow_provider.triggers.tiktok import FIRST_POLL_S

#: Most messages that SQS gives at once (AWSSimpleQueueService API, ReceiveMessage).
_MESSAGES_AT_ONCE: Final = 10
#: How long SQS may wait for a message before it answers; the most that it takes.
_LONG_POLL_S: Final = 20
#: S3 tells times by the second.
_MARGIN_S: Final = 1.0


def s3_notifications() -> Asset:
    """Return the asset that has an event for each handful of messages in the queue.

    Messages are deleted as they are received: they are no work list, only a wake-up.

    :raises ConfigurationError: media lie in no bucket, so that nothing can be notified of
    """
    settings = Settings.load()
    location = settings.storage_location
    if location is None:
        raise ConfigurationError(
            f"REELFLOW_SQS_QUEUE_URL is {settings.sqs_queue_url!r}, but REELFLOW_STORAGE_URL names "
            "no bucket whose notifications it could get: set both or none",
            code="settings",
        )
    trigger = MessageQueueTrigger(
        scheme="sqs",
        sqs_queue=settings.sqs_queue_url,
        aws_conn_id=location.connection or DEFAULT_CONNECTION,
        max_messages=_MESSAGES_AT_ONCE,
        wait_time_seconds=_LONG_POLL_S,
        waiter_delay=1,
    )
    return Asset(
        name="reelflow_s3_notifications",
        uri="x-reelflow://s3-notifications",
        watchers=[AssetWatcher(name="reelflow_s3_notifications", trigger=trigger)],
    )


def quiet_time() -> timedelta:
    """Return how long after a message what it tells of has been left alone long enough."""
    # Not shorter: Airflow 3.3.2 can fail a task whose trigger fires right after it deferred.
    return timedelta(seconds=max(Settings.load().inbox_quiet_s + _MARGIN_S, FIRST_POLL_S))
