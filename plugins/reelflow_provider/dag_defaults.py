"""What all DAGs of Reelflow have in common, said once, and the limits that settings give them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from airflow.sdk import (  # type: ignore[attr-defined]  # public, and not in Airflow's stub
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    Param,
)

from reelflow.exceptions import ConfigurationError
from reelflow.settings import Settings
from reelflow_provider.late_alert import tell_late_posts
from reelflow_provider.retries import ReelflowRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

#: A run finds its posts so long after it was queued: they are late no earlier than that.
_FOUND_WITHIN: Final = timedelta(minutes=1)

#: The same for every DAG; each file adds its schedule, its limits and its words.
EVERY_DAG: Final[dict[str, Any]] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    # One run sees all that there is: the days before it bring nothing more, and are backfilled.
    "catchup": False,
    "tags": ["reelflow", "tiktok"],
}

#: What a DAG takes that can do nothing but its work. Airflow refuses another value wherever a run
#: is asked for, a backfill included: that would keep it, and never post what it is to post.
NO_DRY_RUN: Final[dict[str, Any]] = {
    "dry_run": Param(
        default=False,
        description="There is none: see what a backfill would post with `reelflow plan`.",
        const=False,  # which also keeps it out of the form
        title="this DAG has no dry run, and a run keeps its conf: use `reelflow plan`",
    )
}


@dataclass(frozen=True)
class Limits:
    """The settings that a DAG file is parsed with: see :class:`AirflowSettings`."""

    upload_pool: str
    media_pool: str
    media_queue: str
    media_timeout: timedelta
    task_timeout: timedelta
    run_timeout: timedelta
    max_active_runs: int
    max_active_tasks: int
    max_tasks_ahead: int
    late_after: timedelta

    @classmethod
    def load(cls) -> Self:
        """Read the environment of the process that parses.

        :raises ConfigurationError: naming each setting that is wrong; Airflow shows it as the
            file's import error, and makes no run before it is set right
        """
        settings = Settings.load()
        return cls(
            upload_pool=settings.upload_pool,
            media_pool=settings.media_pool,
            media_queue=settings.media_queue,
            media_timeout=timedelta(seconds=settings.media_timeout_s),
            task_timeout=timedelta(seconds=settings.task_timeout_s),
            run_timeout=timedelta(hours=settings.run_timeout_h),
            max_active_runs=settings.max_active_runs,
            max_active_tasks=settings.max_active_tasks,
            max_tasks_ahead=settings.max_tasks_ahead,
            late_after=timedelta(minutes=settings.late_after_min),
        )

    def task_args(self, **others: Any) -> dict[str, Any]:
        """Return ``default_args`` of a DAG.

        :param others: what its tasks have beside, or instead
        """
        return {
            "owner": "reelflow",
            # Short pauses: what takes longer has the time of its next try in the ledger.
            "retries": 3,
            "retry_delay": timedelta(seconds=15),
            "retry_exponential_backoff": 2.0,
            "retry_policy": ReelflowRetryPolicy(),
            "execution_timeout": self.task_timeout,
            "pre_execute": refuse_unknown_conf,
            **others,
        }

    def media_args(self) -> dict[str, Any]:
        """Return what tasks have beside that read, decode and analyse media."""
        queue = {"queue": self.media_queue} if self.media_queue else {}
        return {"pool": self.media_pool, "execution_timeout": self.media_timeout, **queue}

    def late_alert(self) -> DeadlineAlert:
        """Return the alert of a run that is not done when its posts are late.

        Counted from when it was queued: a run that an event woke has no logical date. In seconds,
        which Airflow reads as well: where it is a timedelta, Airflow 3.3.2 can clear no run.
        """
        interval: Any = (self.late_after + _FOUND_WITHIN).total_seconds()
        return DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=interval,
            callback=AsyncCallback(tell_late_posts),
            name="late posts",
        )


#: There is time: posts that are due go first. Absolute, because weights would add up.
WHEN_IDLE: Final[dict[str, Any]] = {"priority_weight": 0, "weight_rule": "absolute"}


def refuse_unknown_conf(context: Context) -> None:
    """Fail a task of a run that was asked for what its DAG does not take, before it does anything.

    Airflow checks the values of declared params itself, and takes every other key.

    :raises ConfigurationError: naming the keys, their values and what the DAG takes
    """
    dag_run, dag = context["dag_run"], context["dag"]
    unknown = {key: value for key, value in (dag_run.conf or {}).items() if key not in dag.params}
    if not unknown:
        return
    told = ", ".join(f"{key}={value!r}" for key, value in unknown.items())
    known = ", ".join(sorted(dag.params)) or "none"
    raise ConfigurationError(
        f"the run was asked for {told}, which {dag.dag_id} does not take (it takes: {known}), so "
        "nothing was done: trigger it again without. A run keeps its conf: one of a day that is "
        "to be backfilled must be deleted first",
        code="conf_unknown",
    )
