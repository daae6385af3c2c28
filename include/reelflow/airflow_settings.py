"""Settings of how Airflow runs the work: pools, timeouts, how much at once; read at parse."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

#: An upload task must end before the hour of its upload URL does
#: (content-posting-api-reference-direct-post, read 2026-09-11).
UPLOAD_TIMEOUT_MAX_S: Final = 59 * 60
_DAY_S: Final = 24 * 3600
#: What Airflow stores of a pool's name, without what its page cannot show.
_POOL: Final = r"^[A-Za-z0-9_.-]{1,250}$"


class AirflowSettings(BaseSettings):
    """The settings that the DAG files are parsed with.

    They must be set where the DAG processor runs. A change is in force once it was started again
    and has parsed the files anew; tasks that run keep the timeouts that they began with.

    :param upload_pool: pool of the tasks that send bytes to TikTok, over all runs and backfills
        together; made when it is missing, see :mod:`reelflow_provider.pools`. ``default_pool``
        shares Airflow's own
    :param upload_pool_slots: slots it is made with; from then on it is changed in Airflow. As many
        as one run may have tasks: fewer where the network is narrow
    :param media_pool: pool of the tasks that read, decode and analyse media, those ahead of time
        included; made likewise
    :param media_pool_slots: slots it is made with, as many as a Celery worker has processes: two a
        processor that such tasks run on are enough
    :param media_queue: the queue of these tasks, for executors whose workers take some queues only;
        empty is Airflow's default queue
    :param upload_timeout_s: longest run of an upload task, below the hour that an upload URL lives
    :param media_timeout_s: longest run of a task that reads media: one full pass over 4 GB in a
        slow bucket, decoding and the wait for an analysis are a few minutes each
    :param task_timeout_s: longest run of every other task; of the one that waits for TikTok the
        time on a worker alone
    :param run_timeout_h: a run that is not done by then is failed and its tasks ended, so that it
        holds none of ``max_active_runs``; its posts are free for the next run once their claims
        lapse. Longer than a batch of large videos takes on a narrow network
    :param max_active_runs: runs of ``publish_to_tiktok``. With so many that wait or run, days of
        backfills included, Airflow makes none for an event: the posts of all accounts would wait
        for a slow moderation of one, or for the end of a backfill. More than a month has days, and
        than the posts that a few accounts may send in one; without workers as many runs pile up
    :param max_active_tasks: tasks at once of one run of ``publish_to_tiktok``
    :param max_tasks_ahead: tasks at once of ``prepare_media``: half of the six that a small
        installation has, because there is time
    :param late_after_min: a post that is not on its way so long after its time is late: it is told
        of, with what it waits for
    """

    model_config = SettingsConfigDict(env_prefix="REELFLOW_", extra="ignore", env_ignore_empty=True)

    upload_pool: Annotated[str, Field(pattern=_POOL)] = "reelflow_uploads"
    upload_pool_slots: Annotated[int, Field(ge=1, le=10_000)] = 32
    media_pool: Annotated[str, Field(pattern=_POOL)] = "reelflow_media"
    media_pool_slots: Annotated[int, Field(ge=1, le=10_000)] = 16
    media_queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,256}$")] = ""
    upload_timeout_s: Annotated[float, Field(ge=60, le=UPLOAD_TIMEOUT_MAX_S)] = 55 * 60
    media_timeout_s: Annotated[float, Field(ge=60, le=_DAY_S)] = 30 * 60
    task_timeout_s: Annotated[float, Field(ge=60, le=_DAY_S)] = 30 * 60
    run_timeout_h: Annotated[float, Field(ge=2, le=24 * 31)] = 24
    max_active_runs: Annotated[int, Field(ge=1, le=1000)] = 64
    max_active_tasks: Annotated[int, Field(ge=1, le=10_000)] = 32
    max_tasks_ahead: Annotated[int, Field(ge=1, le=10_000)] = 3
    late_after_min: Annotated[float, Field(ge=1, le=7 * 24 * 60)] = 30
