"""A run of a DAG as Airflow's database has it: its tasks, and what their tries left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

from airflow.models import import_all_models
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from tests.unit.reelflow_provider.airflow_tables import airflow_tables

_RUN_ID = "run-7"
_BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
_TABLES = (
    *("dag", "dag_bundle", "dag_version", "log_template", "trigger", "backfill", "dag_run"),
    *("task_instance", "task_instance_history", "task_reschedule", "hitl_detail", "xcom"),
    *("hitl_detail_history", "rendered_task_instance_fields"),
)


@dataclass(frozen=True)
class AirflowRun:
    """A run; each thing that is done in it takes a minute.

    :param finder: the task that finds the posts
    """

    dag_id: str
    finder: str
    _minutes: Iterator[int] = field(default_factory=count, repr=False)

    def find(self, *post_ids: int, kept: object = None) -> None:
        """Run the task that finds posts, once more if it ran before.

        :param kept: what is in Airflow's database of its result; None for the posts
        """
        with create_session() as session:
            self._begin(session, self.finder, -1)
            XComModel.set(
                "return_value",
                kept or list(post_ids),
                dag_id=self.dag_id,
                run_id=_RUN_ID,
                task_id=self.finder,
                serialize=False,
                session=session,
            )

    def begin_to_find(self) -> None:
        """Begin to find anew: what was found before is dropped."""
        with create_session() as session:
            self._begin(session, self.finder, -1)
            session.execute(delete(XComModel).where(XComModel.task_id == self.finder))

    def expand(self, task_id: str, map_index: int) -> TaskInstanceKey:
        """Make a task instance that is still to begin; return its key."""
        with create_session() as session:
            return self._task_instance(session, task_id, map_index).key

    def work(
        self, task_id: str, map_index: int, *, label: str | None = None, post_id: object = None
    ) -> TaskInstanceKey:
        """Run a task, once more if it ran before; return the key of this try.

        :param label: as it names itself; None while it has not
        :param post_id: what was rendered; None where Airflow keeps nothing of it
        """
        rendered = RenderedTaskInstanceFields
        with create_session() as session:
            key = self._begin(session, task_id, map_index, label=label)
            session.execute(delete(rendered).where(rendered.map_index == map_index))
            if post_id is not None:
                fields = {"post_id": post_id, "tiktok_conn_id": "tiktok_app"}
                of = self._of(task_id, map_index)
                session.execute(insert(rendered).values(**of, rendered_fields=fields))
            return key

    def _begin(
        self, session: Session, task_id: str, map_index: int, *, label: str | None = None
    ) -> TaskInstanceKey:
        """Begin a task instance's next try; the one before is kept in its history."""
        one = self._task_instance(session, task_id, map_index)
        if one.try_number:
            one.prepare_db_for_next_try(session)
        one.try_number += 1
        one.start_date = _BEGAN + timedelta(minutes=next(self._minutes))
        one._rendered_map_index = label or one._rendered_map_index
        return one.key

    def _task_instance(self, session: Session, task_id: str, map_index: int) -> TaskInstance:
        of = self._of(task_id, map_index)
        query = select(TaskInstance).filter_by(**of)
        if session.scalar(query) is None:
            new = {"id": uuid4(), "try_number": 0, "max_tries": 3, "pool": "default_pool"}
            session.execute(insert(TaskInstance).values(**of, **new))
        return session.scalars(query).one()

    def _of(self, task_id: str, map_index: int) -> dict[str, str | int]:
        return {
            "dag_id": self.dag_id,
            "run_id": _RUN_ID,
            "task_id": task_id,
            "map_index": map_index,
        }


@contextmanager
def airflow_run(dag_id: str, finder: str) -> Iterator[AirflowRun]:
    """Make the tables and a run in them, until the block ends."""
    import_all_models()
    with airflow_tables(*_TABLES):
        with create_session() as session:
            run = {"dag_id": dag_id, "run_id": _RUN_ID, "run_type": "manual", "run_after": _BEGAN}
            session.execute(insert(DagRun).values(id=1, **run))
        yield AirflowRun(dag_id, finder)
