"""Metrics as a statsd gets them from the process of a task."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.observability import stats

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow_provider.operators.posts import FindNewUploadsOperator, SummarizeOperator
from reelflow_provider.operators.tiktok import TikTokUploadOperator
from reelflow_provider.stats import set_gauges
from reelflow_provider.storage import open_workspace
from tests import factories
from tests.database_faults import locked_at
from tests.integration.simulator_process import Simulator
from tests.statsd_listener import StatsdListener
from tests.unit.reelflow_provider.airflow_task import run_task

REPOSITORY = Path(__file__).parents[3]

#: What Airflow's task runner does with metrics in the process of a task, and one task.
TASK = """
import sys
from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
from airflow.sdk.module_loading import import_string
from tests.unit.reelflow_provider.airflow_task import run_task

stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
operator, arguments = import_string(sys.argv[1]), eval(sys.argv[2])
print(run_task(operator, **arguments).state)
"""


@pytest.fixture
def statsd() -> Iterator[StatsdListener]:
    with StatsdListener() as listener:
        yield listener


def run_in_process(operator: type, statsd: StatsdListener, **arguments: object) -> str:
    """Run a task in a process of its own, whose metrics go to a statsd."""
    name = f"{operator.__module__}.{operator.__name__}"
    done = subprocess.run(
        [sys.executable, "-c", TASK, name, repr(arguments)],
        env={**os.environ, **statsd.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_an_upload_tells_of_its_bytes_and_how_long_they_took(
    worker: Workspace, creator: Account, tiktok: Simulator, statsd: StatsdListener
) -> None:
    post = factories.make_post(worker, creator)
    assert run_in_process(TikTokUploadOperator, statsd, post_id=post.id) == "success"
    assert statsd.wait_for("airflow.reelflow.bytes_sent") == [(post.media.size_bytes, "c")]
    ((took_ms, kind),) = statsd.wait_for("airflow.reelflow.chunk")
    assert kind == "ms"
    assert 0 < took_ms < 60_000


def test_a_chunk_that_failed_and_a_stage_that_is_tried_again_are_counted(
    worker: Workspace, creator: Account, tiktok: Simulator, statsd: StatsdListener
) -> None:
    post = factories.make_post(worker, creator)
    tiktok.fault("put", status=503, when="before", times=9)
    settings = {"REELFLOW_CHUNK_ATTEMPTS": "2", "REELFLOW_CHUNK_RETRY_S": "0.01"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        ended = run_in_process(TikTokUploadOperator, statsd, post_id=post.id)
    assert ended in ("up_for_retry", "failed")
    statsd.wait_for("airflow.reelflow.retries")
    assert statsd.values("airflow.reelflow.chunks.failed") == [(1.0, "c")] * 2
    assert statsd.values("airflow.reelflow.retries") == [(1.0, "c")]


def test_a_task_that_takes_or_judges_posts_tells_how_they_stand(
    worker: Workspace, account: Account, statsd: StatsdListener
) -> None:
    factories.make_post(worker, account, state=PostState.PUBLISHED)
    factories.make_post(worker, account, due_at=worker.ledger.now() - timedelta(minutes=10))
    assert run_in_process(FindNewUploadsOperator, statsd) == "success"
    # The last that is set, so all others are here as well.
    assert statsd.wait_for("airflow.reelflow.budget_left.draft.acme") == [(5.0, "g")]
    assert statsd.values("airflow.reelflow.posts.published") == [(1.0, "g")]
    assert statsd.values("airflow.reelflow.posts.failed") == [(0.0, "g")]
    assert statsd.values("airflow.reelflow.queue.due") == [(1.0, "g")]
    ((age_s, _),) = statsd.values("airflow.reelflow.queue.age_s")
    assert 600 <= age_s < 900
    assert statsd.values("airflow.reelflow.posts.stuck") == [(0.0, "g")]
    assert statsd.values("airflow.reelflow.breaker.open") == [(0.0, "g")]
    assert statsd.values("airflow.reelflow.budget_left.init.acme") == [(6.0, "g")]


@pytest.mark.usefixtures("worker")
def test_so_does_one_that_fails(statsd: StatsdListener) -> None:
    assert run_in_process(SummarizeOperator, statsd, batch=None) == "failed"
    statsd.wait_for("airflow.reelflow.queue.due")


def test_where_nobody_takes_metrics_the_ledger_is_not_asked(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(stats, "gauge", lambda name, *_, **__: told.append(name))
    set_gauges(worker, late_after=timedelta(minutes=30))
    assert told == []
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    set_gauges(worker, late_after=timedelta(minutes=30))
    assert "reelflow.queue.age_s" in told


def test_a_ledger_that_cannot_be_read_for_metrics_fails_no_task(
    worker: Workspace,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    with locked_at(open_workspace(Settings.load()), "GROUP BY posts.state"):
        ended = run_task(FindNewUploadsOperator)
    assert ended.state == "success"
    assert "no metrics were set: " in caplog.text
