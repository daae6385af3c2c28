"""The note of a run: what became of its posts, from the task that sums it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.sqlalchemy import prohibit_commit
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from reelflow.domain.post import PostState
from reelflow.ledger import batches
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow_provider import run_notes
from reelflow_provider.operators.posts import SummarizeOperator
from reelflow_provider.run_notes import NOTE_KEY, on_dag_run_failed, on_dag_run_success
from tests import factories
from tests.unit.reelflow_provider.airflow_task import RUN_ID, run_task

TEXT = "Reelflow: 1 post: 1 PUBLISHED"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Airflow's database with the tables of runs and results, as the scheduler has it."""
    engine = create_engine(f"sqlite:///{tmp_path / 'airflow.db'}")
    names = ("log_template", "backfill", "dag_run", "dag_run_note", "xcom")
    Base.metadata.create_all(engine, tables=[Base.metadata.tables[name] for name in names])
    with Session(engine) as session:
        yield session
    engine.dispose()


def ended_run(session: Session, *, dag_id: str = "publish_to_tiktok") -> DagRun:
    run = DagRun(dag_id=dag_id, run_id="run-7", run_type="manual", state="success")
    run.log_template_id = None
    session.add(run)
    session.flush()
    return run


def leave(session: Session, run: DagRun, value: object, *, key: str = NOTE_KEY) -> None:
    session.add(
        XComModel(
            dag_run_id=run.id,
            task_id="summarize",
            map_index=-1,
            key=key,
            dag_id=run.dag_id,
            run_id=run.run_id,
            value=value,
        )
    )
    session.commit()  # as the task's process did, long before


def stored(session: Session, run: DagRun) -> str | None:
    session.commit()
    session.expire_all()
    note: str | None = session.scalars(select(DagRun).where(DagRun.id == run.id)).one().note
    return note


@pytest.mark.parametrize("tell", [on_dag_run_success, on_dag_run_failed])
def test_a_run_gets_the_note_that_its_task_left(session: Session, tell: object) -> None:
    run = ended_run(session)
    leave(session, run, "something else", key="return_value")
    leave(session, run, TEXT)
    assert callable(tell)
    tell(dag_run=run, msg="")
    assert stored(session, run) == TEXT


def test_a_run_that_ends_again_gets_the_note_of_its_new_end(session: Session) -> None:
    run = ended_run(session)
    run.note = "Reelflow: 1 post: 1 FAILED"
    leave(session, run, TEXT)
    on_dag_run_success(dag_run=run, msg="")
    assert stored(session, run) == TEXT


def test_a_note_of_a_persons_stays(session: Session) -> None:
    run = ended_run(session)
    run.note = "I look after this one"
    leave(session, run, TEXT)
    on_dag_run_success(dag_run=run, msg="")
    assert stored(session, run) == "I look after this one"


def test_runs_of_others_and_runs_without_posts_get_none(session: Session) -> None:
    run = ended_run(session)
    on_dag_run_success(dag_run=run, msg="")
    assert stored(session, run) is None
    other = ended_run(session, dag_id="somebody_elses")
    leave(session, other, TEXT)
    on_dag_run_success(dag_run=other, msg="")
    assert stored(session, other) is None


def test_what_is_too_long_for_a_note_is_cut(session: Session) -> None:
    run = ended_run(session)
    leave(session, run, "Reelflow: " + "x" * 2000)
    on_dag_run_success(dag_run=run, msg="")
    assert len(stored(session, run) or "") == run_notes.NOTE_MAX_CHARS


def test_a_table_that_cannot_be_read_costs_the_note_and_nothing_else(session: Session) -> None:
    run = ended_run(session)
    session.commit()
    XComModel.__table__.drop(session.get_bind())
    run.state = "failed"
    on_dag_run_failed(dag_run=run, msg="")
    assert stored(session, run) is None
    assert run.state == "failed"


def test_nothing_is_committed_for_the_scheduler(session: Session) -> None:
    run = ended_run(session)
    leave(session, run, TEXT)
    with prohibit_commit(session) as guard:  # as the scheduler works on runs
        run.state = "success"
        session.flush()
        on_dag_run_success(dag_run=run, msg="")
        guard.commit()
    assert stored(session, run) == TEXT


def test_a_run_that_no_session_holds_gets_none() -> None:
    run = DagRun(dag_id="publish_to_tiktok", run_id="run-7", run_type="manual")
    on_dag_run_success(dag_run=run, msg="")
    assert run.note is None


def test_the_task_leaves_how_many_posts_became_what_and_which_need_a_person(
    worker: Workspace, account: Account
) -> None:
    done, failed = (
        factories.make_post(worker, account, state=state, reason="the reason")
        for state in (PostState.PUBLISHED, PostState.FAILED)
    )
    with worker.ledger.write() as session:
        batches.append(session, RUN_ID, [done.id, failed.id], now=worker.ledger.now())
    ended = run_task(SummarizeOperator, batch=[done.id, failed.id])
    assert ended.state == "failed"
    assert ended.xcoms[NOTE_KEY] == (
        "Reelflow: 2 posts: 1 FAILED, 1 PUBLISHED\n"
        f"post {failed.id} (clip.mp4, acme): FAILED: the reason"
    )


def test_a_run_without_posts_has_nothing_to_note(worker: Workspace) -> None:
    assert NOTE_KEY not in run_task(SummarizeOperator, batch=[]).xcoms
