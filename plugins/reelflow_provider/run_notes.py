"""Puts what became of a run's posts into the run's note, where Airflow lists its runs.

A task cannot: neither the SDK nor the API of tasks writes notes. The scheduler tells listeners that
a run has ended, with the run as its session holds it, and stores the note together with its state.
So nothing is asked of the ledger here, nor of anything else that could keep the scheduler waiting:
the task that sums the run up has left the text among its results.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

#: Under which a task leaves its run's note among its results.
NOTE_KEY: Final = "reelflow_run_note"
#: What each of them begins with; a note of a person's is never replaced.
NOTE_BEGINS: Final = "Reelflow: "
NOTE_MAX_CHARS: Final = 1000  # as Airflow stores them
_DAG: Final = "publish_to_tiktok"


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Note what became of its posts."""
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Note what became of its posts, and which of them need a person."""
    _note(dag_run)


def _note(dag_run: DagRun) -> None:
    if dag_run.dag_id != _DAG:
        return
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None or not (dag_run.note or NOTE_BEGINS).startswith(NOTE_BEGINS):
        return
    try:
        text = _left(dag_run, session)
    except SQLAlchemyError as exc:
        log.warning("run %s has no note: %s", dag_run.run_id, type(exc).__name__)
        return
    if isinstance(text, str):
        dag_run.note = text[:NOTE_MAX_CHARS]


def _left(dag_run: DagRun, session: Session) -> object:
    """Return what a task of the run left for its note.

    Read apart from the scheduler's session: what goes wrong must not undo what that writes down,
    and it lets nobody commit here, be it a savepoint.
    """
    from airflow.models.xcom import XComModel
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    left = select(XComModel).where(
        XComModel.dag_id == dag_run.dag_id,
        XComModel.run_id == dag_run.run_id,
        XComModel.key == NOTE_KEY,
    )
    with Session(session.get_bind()) as apart:
        found = apart.scalars(left.limit(1)).first()
        return found and XComModel.deserialize_value(found)
