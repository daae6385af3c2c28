"""What Airflow's long-lived components do before they fork: load stages, make pools, tie aliases.

LocalExecutor's workers are forked from the scheduler and every task from a worker, so what the
scheduler has imported costs a task nothing: without this, each task of a post spends a quarter of
a second of CPU on imports. They also have its fork server, so that none loads libav for its videos.
A task that another user runs (``run_as_user``) is a new program, as is one of Celery or Kubernetes:
it has neither.
"""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Final

from airflow.listeners import hookimpl

from reelflow.exceptions import ReelflowError

log = logging.getLogger(__name__)

_STAGES: Final = (
    "reelflow_provider.assets",
    "reelflow_provider.dag_defaults",
    "reelflow_provider.hooks.detection",
    "reelflow_provider.late_alert",
    "reelflow_provider.lineage",
    "reelflow_provider.notifications.alerts",
    "reelflow_provider.operators.accounts",
    "reelflow_provider.operators.late_posts",
    "reelflow_provider.operators.approval",
    "reelflow_provider.operators.announcing",
    "reelflow_provider.operators.media",
    "reelflow_provider.operators.post_metrics",
    "reelflow_provider.operators.posts",
    "reelflow_provider.operators.reporting",
    "reelflow_provider.operators.settling",
    "reelflow_provider.operators.storage",
    "reelflow_provider.operators.tiktok",
    "reelflow_provider.retries",
    "reelflow_provider.sensors.tiktok",
    "reelflow_provider.stats",
    "reelflow_provider.triggers.tiktok",
    "reelflow.services.accounts.expiring",
    "reelflow.services.accounts.tokens",
    "reelflow.services.approval.asking",
    "reelflow.services.approval.deciding",
    "reelflow.services.approval.finding",
    "reelflow.services.alerting",
    "reelflow.services.cleanup",
    "reelflow.services.discover",
    "reelflow.services.gauges",
    "reelflow.services.intake.ahead",
    "reelflow.services.intake.analyse",
    "reelflow.services.intake.engines",
    "reelflow.services.intake.prepare",
    "reelflow.services.late_posts",
    "reelflow.services.late_posts_told",
    "reelflow.services.post_metrics.collect",
    "reelflow.services.post_metrics.shown",
    "reelflow.services.post_metrics.troubles",
    "reelflow.services.publishing.publish",
    "reelflow.services.settling.for_a_person",
    "reelflow.services.settling.sweep",
    "reelflow.services.storage_sweep.sweep",
    "reelflow.services.summarize",
    "reelflow.tiktok.client",
)
#: Those of them that have operators and sensors.
TASKS: Final = tuple(
    name
    for name in _STAGES
    if name.startswith(("reelflow_provider.operators.", "reelflow_provider.sensors."))
)
#: What Airflow itself loads late: in each task for its DAG file or a time limit, and in those that
#: ask for a connection.
_AIRFLOW: Final = (
    "airflow.providers.standard.operators.empty",
    "airflow.sdk.definitions.connection",
    "airflow.sdk.definitions.decorators.task_group",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.timeout",
)
#: Loaded where media lie in S3; nobody else pays for boto3.
_S3: Final = ("airflow.providers.amazon.aws.hooks.s3", "reelflow.storage.s3")


@hookimpl
def on_starting(component: object) -> None:
    """Import what tasks will need, if this is a component and not a task itself."""
    if type(component).__name__ != "Job":
        return
    from reelflow.ledger.models import Base

    for name in (*_AIRFLOW, *_STAGES):
        importlib.import_module(name)
    Base.registry.configure()
    _load_s3()
    _make_pools()
    if _parses_dags():
        _tie_aliases()
    if _forks_tasks():
        _render_label()
        _warm_up()
        _start_fork_server()


def _load_s3() -> None:
    """Load S3 if media lie there."""
    from reelflow.settings import Settings

    try:
        if Settings.load().storage_location is not None:
            for name in _S3:
                importlib.import_module(name)
    except ReelflowError as exc:
        log.info("tasks will start more slowly: %s", exc)


def _render_label() -> None:
    """Render a template as a label is: Jinja compiles its lexer's patterns for the first one."""
    from airflow.sdk import DAG

    DAG("preload", schedule=None).get_template_env().from_string("{{ 1 }}").render()


def _warm_up() -> None:
    """Compile the stages' statements, in an engine that the tasks have, too.

    A ledger that is not ready is no reason not to start.
    """
    from reelflow.services.warmup import warm_up
    from reelflow.settings import Settings
    from reelflow_provider.storage import open_workspace

    try:
        workspace = open_workspace(Settings.load())
        try:
            warm_up(workspace)
        finally:
            workspace.ledger.engine.dispose()  # no connection lives through a fork
    except ReelflowError as exc:
        log.info("tasks will start more slowly: %s", exc)


def _make_pools() -> None:
    """Make the pools that the DAGs name; wrong settings are told where the DAGs are parsed."""
    from reelflow.settings import Settings
    from reelflow_provider.pools import make_missing_pools

    try:
        make_missing_pools(Settings.load())
    except ReelflowError as exc:
        log.warning("no pools are made: %s", exc)


def _parses_dags() -> bool:
    """Say whether this is a DAG processor."""
    # A job has no type yet when it says that it starts, but only DAG processors load this.
    return "airflow.jobs.dag_processor_job_runner" in sys.modules


def _tie_aliases() -> None:
    """Tie the aliases to their assets; that another DAG processor did it meanwhile is as well."""
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    from reelflow_provider.aliases import tie_aliases

    try:
        with create_session() as session:
            tie_aliases(session)
    except SQLAlchemyError as exc:
        log.info("aliases are tied to their assets by the first event: %s", type(exc).__name__)


def _forks_tasks() -> bool:
    """Say whether this is a scheduler whose workers, and their tasks, are forked from it."""
    # As of DAG processors: only schedulers load this.
    if "airflow.jobs.scheduler_job_runner" not in sys.modules:
        return False
    import multiprocessing

    from airflow.executors.executor_loader import ExecutorLoader
    from airflow.executors.local_executor import LocalExecutor

    names = ExecutorLoader.get_executor_names()
    executors = [ExecutorLoader.import_executor_cls(name)[0] for name in names]
    has_local = any(issubclass(executor, LocalExecutor) for executor in executors)
    return has_local and multiprocessing.get_start_method() == "fork"


def _start_fork_server() -> None:
    """Start what forks the children that read videos; without it, each task starts its own."""
    from reelflow.media.decoder import LIBAV
    from reelflow.sandbox.fork_server import start_fork_server
    from reelflow.sandbox.program import LibraryMissingError

    try:
        start_fork_server(LIBAV)
    except (LibraryMissingError, ReelflowError) as exc:
        log.info("tasks will read videos more slowly: %s", exc)
