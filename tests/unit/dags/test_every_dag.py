"""What is the same in every DAG: whose it is, how it retries, what ends it, what it takes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.exceptions import ParamValidationError
from airflow.sdk import DAG, AsyncCallback, BaseOperator, DeadlineReference
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.serialization.decoders import decode_deadline_alert
from airflow.serialization.encoders import encode_deadline_alert

from reelflow.airflow_settings import AirflowSettings
from reelflow_provider.dag_defaults import Limits, refuse_unknown_conf
from reelflow_provider.late_alert import tell_late_posts
from reelflow_provider.retries import ReelflowRetryPolicy
from tests.unit.dags.conftest import DAGS, WITH_A_QUEUE, edges_of

FILES = sorted(DAGS.glob("*.py"))


@pytest.fixture(scope="module", params=[path.stem for path in FILES])
def dag(bag: DagBag, request: pytest.FixtureRequest) -> DAG:
    dag = bag.dags[request.param]
    assert isinstance(dag, DAG)
    return dag


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., DagBag]:
    """Parse a DAG file under other settings."""

    def parse(name: str = "publish_to_tiktok", **settings: str) -> DagBag:
        named = {f"REELFLOW_{setting.upper()}": value for setting, value in settings.items()}
        for setting, value in (WITH_A_QUEUE | named).items():
            monkeypatch.setenv(setting, value)
        return DagBag(dag_folder=str(DAGS / f"{name}.py"), safe_mode=False)

    return parse


def test_every_dag_file_can_be_imported_and_is_named_like_its_dag(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_dag_file_imports_nothing_of_ours_but_the_provider(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module))
    others = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert others <= {"airflow", "reelflow_provider"}


def test_it_tells_people_what_it_is_and_whose(dag: DAG) -> None:
    assert dag.tags == {"reelflow", "tiktok"}
    assert dag.owner == "reelflow"
    assert dag.doc_md is not None
    for question in ("**What.**", "**When.**", "**Safe to clear.**", "**When it is red.**"):
        assert question in dag.doc_md


def test_days_before_it_was_switched_on_are_left_to_backfills(dag: DAG) -> None:
    assert dag.catchup is False
    assert dag.start_date == datetime(2026, 1, 1, tzinfo=UTC)


def test_every_task_is_retried_by_the_one_policy(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.retries is not None
        assert task.retries >= 3
        assert isinstance(task.retry_policy, ReelflowRetryPolicy)
        assert task.retry_delay <= timedelta(minutes=10)
        assert task.retry_exponential_backoff


def test_nothing_runs_for_ever(dag: DAG) -> None:
    # One waits for people, who have a week.
    assert dag.dagrun_timeout == timedelta(days=8 if dag.dag_id == "approve_posts" else 1)
    for task in dag.tasks:
        assert task.execution_timeout is not None
        assert timedelta(0) < task.execution_timeout <= timedelta(hours=1)
    assert dag.max_active_runs is not None  # not Airflow's 16


def test_its_tasks_use_pools_that_components_make(dag: DAG) -> None:
    settings = AirflowSettings()
    made = {settings.upload_pool, settings.media_pool}
    assert {task.pool for task in dag.tasks} <= {"default_pool", *made}


def test_the_scheduler_reads_the_same_graph_and_limits(dag: DAG, as_scheduled: Any) -> None:
    assert edges_of(as_scheduled) == edges_of(dag)
    assert as_scheduled.max_active_runs == dag.max_active_runs
    assert as_scheduled.max_active_tasks == dag.max_active_tasks
    assert as_scheduled.dagrun_timeout == dag.dagrun_timeout
    for task in dag.tasks:
        stored = as_scheduled.get_task(task.task_id)
        assert (stored.pool, stored.execution_timeout) == (task.pool, task.execution_timeout)
        assert stored.has_retry_policy


# What a run may be asked for.


def test_a_conf_of_the_wrong_type_is_refused_where_the_run_is_asked_for(
    dag: DAG, as_scheduled: Any
) -> None:
    # What the REST API, the UI, the command line and backfills do with a run's conf.
    asked_for = as_scheduled.params.deep_merge({"dry_run": "yes"})
    with pytest.raises(ParamValidationError, match=r"(?s)param dry_run: .*'yes'"):
        asked_for.validate()


def test_only_the_sweep_has_a_dry_run(dag: DAG, as_scheduled: Any) -> None:
    asked_for = as_scheduled.params.deep_merge({"dry_run": True})
    if dag.dag_id == "sweep_storage":
        assert asked_for.validate() == {"dry_run": True}
        return
    with pytest.raises(ParamValidationError, match="reelflow plan"):
        asked_for.validate()


def test_a_run_that_is_asked_for_nothing_is_no_dry_run(dag: DAG, as_scheduled: Any) -> None:
    assert as_scheduled.params.deep_merge({}).validate() == {"dry_run": False}


def test_no_task_begins_in_a_run_with_an_unknown_conf(dag: DAG) -> None:
    for task in dag.tasks:
        if isinstance(task, MappedOperator):
            hook = task.partial_kwargs["pre_execute"]
        else:
            assert isinstance(task, BaseOperator)
            hook = task._pre_execute_hook
        assert hook is refuse_unknown_conf


# Settings, as the file is parsed.


def test_settings_give_the_limits(parsed: Callable[..., DagBag]) -> None:
    dag = parsed(
        max_active_runs="2",
        max_active_tasks="8",
        run_timeout_h="6",
        media_timeout_s="120",
        task_timeout_s="90",
        upload_timeout_s="1800",
        media_pool="cpu",
        upload_pool="default_pool",
    ).dags["publish_to_tiktok"]
    assert (dag.max_active_runs, dag.max_active_tasks) == (2, 8)
    assert dag.dagrun_timeout == timedelta(hours=6)
    limits = {
        task.task_id.rpartition(".")[2]: (task.pool, task.execution_timeout) for task in dag.tasks
    }
    media, others = ("cpu", timedelta(minutes=2)), ("default_pool", timedelta(seconds=90))
    assert limits == {
        "find_new_uploads": others,
        "validate": media,
        "extract_metadata": media,
        "generate_thumbnail": media,
        "upload_to_tiktok": ("default_pool", timedelta(minutes=30)),
        "wait_for_publish": others,
        "clean_up_files": others,
        "expire_sessions": others,
        "summarize": others,
    }


def test_media_work_ahead_of_time_shares_the_pool_and_has_a_limit_of_its_own(
    parsed: Callable[..., DagBag],
) -> None:
    dag = parsed("prepare_media", media_pool="cpu", max_tasks_ahead="1").dags["prepare_media"]
    assert {task.pool for task in dag.tasks} == {"cpu"}
    assert (dag.max_active_runs, dag.max_active_tasks) == (1, 1)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_active_runs", "0"),
        ("max_active_tasks", "many"),
        ("upload_timeout_s", "3600"),
        ("run_timeout_h", "1"),
        ("media_pool", "two words"),
        ("late_after_min", "0"),
        ("batch_size", "1001"),  # no limit of a DAG's, and its tasks would fail one by one
    ],
)
@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_a_wrong_setting_is_the_import_error_of_every_file(
    parsed: Callable[..., DagBag], name: str, setting: str, value: str
) -> None:
    bag = parsed(name, **{setting: value})
    (error,) = bag.import_errors.values()
    assert f"REELFLOW_{setting.upper()} is '{value}'" in error
    assert bag.dags == {}


# Posts that are late.


def test_only_publishing_has_a_deadline_counted_from_when_a_run_was_queued(
    dag: DAG, as_scheduled: Any
) -> None:
    if dag.dag_id != "publish_to_tiktok":
        assert not dag.deadline
        return
    (alert,) = dag.deadline
    assert type(alert.reference) is type(DeadlineReference.DAGRUN_QUEUED_AT)
    # Posts that the run itself found, after it was queued, are late by then.
    assert Limits.load().late_after == timedelta(minutes=30)
    encoded = encode_deadline_alert(alert)
    assert decode_deadline_alert(encoded).interval == timedelta(minutes=31)
    # As Airflow 3.3.2 reads it when the run is cleared.
    assert timedelta(seconds=encoded["interval"]) == timedelta(minutes=31)
    # Run by the triggerer, which finds it by its name.
    assert isinstance(alert.callback, AsyncCallback)
    assert alert.callback.path == f"{tell_late_posts.__module__}.{tell_late_posts.__name__}"
