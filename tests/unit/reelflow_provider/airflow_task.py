"""Runs an operator as a worker does: by Airflow's own task runner, whose messages are kept."""

from __future__ import annotations

import copy
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import structlog
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.api.datamodels._generated import DagRun, DagRunState, DagRunType, TIRunContext
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner
from airflow.sdk.serde import deserialize, serialize

from reelflow.ledger import publications
from reelflow.ledger.models import Post
from reelflow.services.workspace import Workspace
from reelflow_provider.retries import ReelflowRetryPolicy

RUN_ID = "asset_triggered__tests"


def publish_id_of(workspace: Workspace, post: Post) -> str:
    """Return the publish_id of a post's current publication."""
    with workspace.ledger.read() as session:
        publication = publications.current(session, post.id)
    assert publication is not None
    assert publication.publish_id is not None
    return publication.publish_id


class Supervisor:
    """Stands where a task's supervisor process does: keeps what is sent, knows no connection."""

    def __init__(self, *, final_state: str) -> None:
        self.sent: list[Any] = []
        self._final_state = final_state

    def send(self, msg: Any) -> Any:
        self.sent.append(msg)
        if isinstance(msg, comms.GetConnection):
            return comms.ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
        if isinstance(msg, comms.ValidateInletsAndOutlets):
            return comms.InactiveAssetsResult(inactive_assets=[])
        if isinstance(msg, comms.GetTaskStates):
            states = {run_id: {"task": self._final_state} for run_id in msg.run_ids or []}
            return comms.TaskStatesResult(task_states=states)
        return None

    async def asend(self, msg: Any) -> Any:
        return self.send(msg)


@dataclass
class Ended:
    """How one try of a task ended, and what Airflow learned of it."""

    state: str
    error: BaseException | None
    message: Any
    sent: list[Any]
    log: list[Any] = field(repr=False)

    @property
    def told(self) -> list[Any]:
        """What the task sent, but for what it asked to be masked in logs."""
        return [one for one in self.sent if not isinstance(one, comms.MaskSecret)]

    @property
    def xcoms(self) -> dict[str, Any]:
        return {
            one.key: deserialize(cast("Any", one.value))
            for one in self.sent
            if isinstance(one, comms.SetXCom)
        }

    @property
    def result(self) -> Any:
        return self.xcoms["return_value"]

    @property
    def skipped_because(self) -> str:
        assert self.state == "skipped"
        return next(str(call.kwargs["reason"]) for call in self.log if "reason" in call.kwargs)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The asset events that are emitted through the alias, as (asset, extra)."""
        return [
            {"asset": event["dest_asset_key"]["name"], **event["extra"]}
            for event in self.message.outlet_events
        ]

    @property
    def trigger_kwargs(self) -> dict[str, Any]:
        assert self.state == "deferred"
        return cast("dict[str, Any]", deserialize(self.message.trigger_kwargs))


def run_task(
    operator: BaseOperator | type[BaseOperator],
    *,
    conf: dict[str, Any] | None = None,
    event: dict[str, Any] | None = None,
    run_id: str = RUN_ID,
    run_type: str = "asset_triggered",
    run_after: datetime | None = None,
    interval: tuple[datetime, datetime] | None = None,
    map_index: int = -1,
    try_number: int = 1,
    finalize: bool = True,
    final_state: str = "success",
    **arguments: Any,
) -> Ended:
    """Run one try of a task, or what follows its deferral, and its callbacks.

    :param operator: a DAG's; or a class, of which one is made with the arguments
    :param conf: what the run was asked for
    :param event: what its trigger fired; with it the task goes on in ``execute_complete``
    :param interval: the run's data interval; without it there is no logical date either
    :param final_state: what Airflow says afterwards that the task's state is
    :param finalize: False ends the process before its callbacks, as a kill would
    """
    if isinstance(operator, type):
        operator = _of_dag(operator, arguments)
    else:
        assert not arguments
        operator = copy.copy(operator)  # each process has its own, with a ledger that it opens
    now = datetime.now(UTC)
    start, end = interval or (None, None)
    dag_run = DagRun(
        dag_id=operator.dag_id,
        run_id=run_id,
        logical_date=start,
        data_interval_start=start,
        data_interval_end=end,
        run_after=run_after or now + timedelta(seconds=1),
        start_date=now,
        end_date=None,
        run_type=DagRunType(run_type),
        state=DagRunState.RUNNING,
        consumed_asset_events=[],
        conf=conf,
        partition_key=None,
    )
    from_server = TIRunContext(dag_run=dag_run, max_tries=3, should_retry=True)
    if event is not None:
        from_server.next_method = "execute_complete"
        from_server.next_kwargs = serialize({"event": event})
    ti = task_runner.RuntimeTaskInstance.model_construct(
        id=uuid.uuid4(),
        task_id=operator.task_id,
        dag_id=operator.dag_id,
        run_id=run_id,
        try_number=try_number,
        dag_version_id=uuid.uuid4(),
        map_index=map_index,
        task=operator,
        bundle_instance=None,
        _ti_context_from_server=from_server,
        max_tries=3,
        start_date=now,
    )
    return _run(ti, finalize=finalize, final_state=final_state)


def _of_dag(operator_class: type[BaseOperator], arguments: dict[str, Any]) -> BaseOperator:
    with DAG("tests", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        return operator_class(
            task_id="task", retries=3, retry_policy=ReelflowRetryPolicy(), **arguments
        )


def _run(ti: task_runner.RuntimeTaskInstance, *, finalize: bool, final_state: str) -> Ended:
    log = structlog.testing.CapturingLogger()
    with _supervisor(final_state) as supervisor:
        context = ti.get_template_context()
        state, message, error = task_runner.run(ti, context, log)
        if finalize:
            task_runner.finalize(ti, state, context, log, error)
    return Ended(str(state.value), error, message, supervisor.sent, log.calls)


@contextmanager
def _supervisor(final_state: str) -> Iterator[Supervisor]:
    """Be a worker's process for a while; leave nothing of it behind."""
    supervisor = Supervisor(final_state=final_state)
    before = signal.getsignal(signal.SIGTERM)
    task_runner.SUPERVISOR_COMMS = supervisor  # type: ignore[assignment]
    try:
        yield supervisor
    finally:
        del task_runner.SUPERVISOR_COMMS
        signal.signal(signal.SIGTERM, before)
        for name in [name for name in os.environ if name.startswith("AIRFLOW_CTX_")]:
            del os.environ[name]
