"""What S3 says through SQS; loaded by the one DAG file that needs it, because it imports boto3."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger
from airflow.sdk import Asset, AssetWatcher
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import TriggerEvent
from botocore.exceptions import BotoCoreError, ClientError

from reelflow.exceptions import ConfigurationError
from reelflow.settings import Settings
from reelflow.storage.location import DEFAULT_CONNECTION
from reelflow_provider.triggers.tiktok import FIRST_POLL_S

log = logging.getLogger(__name__)

#: Most messages that SQS gives at once (AWSSimpleQueueService API, ReceiveMessage).
_MESSAGES_AT_ONCE: Final = 10
#: How long SQS may wait for a message before it answers; the most that it takes.
_LONG_POLL_S: Final = 20
#: S3 tells times by the second.
_MARGIN_S: Final = 1.0
#: Pause before a queue is asked again that could not be read.
_AWAY_S: Final = 30.0


class QueueTrigger(MessageQueueTrigger):
    """Airflow's trigger, which outlives a queue that cannot be read, and says so once.

    Airflow starts a watcher anew that ended, about every second, and logs a traceback each time.
    What messages say goes no further than this: Airflow would keep it with the event.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"scheme": self.scheme, **self.kwargs}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there are messages, and tell how many."""
        told = ""
        while True:
            try:
                async for event in super().run():
                    yield TriggerEvent({"messages": len(event.payload["message_batch"])})
                return
            except Exception as exc:  # noqa: BLE001
                told = _tell(exc, told)
            await asyncio.sleep(_AWAY_S)


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
    trigger = QueueTrigger(
        scheme="sqs",
        sqs_queue=settings.sqs_queue_url,
        aws_conn_id=location.connection or DEFAULT_CONNECTION,
        max_messages=_MESSAGES_AT_ONCE,
        wait_time_seconds=_LONG_POLL_S,
        delete_message_on_reception=True,
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


def _tell(exc: Exception, told: str) -> str:
    """Log what is wrong with the queue, unless it was told; return it."""
    complaint = str(exc) or repr(exc)
    if complaint != told:
        is_foreseen = isinstance(exc, AirflowException | BotoCoreError | ClientError | OSError)
        log.warning(
            "the queue of S3's notifications cannot be read, and is asked again every %d s; the "
            "inbox is listed all the same: %s",
            _AWAY_S,
            complaint,
            exc_info=None if is_foreseen else exc,
        )
    return complaint
