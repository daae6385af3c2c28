"""Which post a task instance was given, by what Airflow's database keeps of its run.

It is read by Airflow's models, as its own links do in the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from airflow.utils.session import create_session
from sqlalchemy import select

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey
    from sqlalchemy.orm import Session

#: The task over whose result a DAG's tasks of posts are mapped.
FINDERS: Final = {
    "approve_posts": "find_posts_to_approve",
    "prepare_media": "find_unprepared_media",
    "publish_to_tiktok": "find_new_uploads",
}


@dataclass(frozen=True)
class _Try:
    """What Airflow has of one try of a task instance; less before it begins."""

    is_latest: bool
    began_at: datetime | None = None
    label: str | None = None


@dataclass(frozen=True)
class _Found:
    """The posts over which a run's tasks are mapped.

    :param anew_at: when the run began to find them once more; None while it found them only once
    """

    post_ids: list[int]
    anew_at: datetime | None

    def are_for(self, this: _Try) -> bool:
        """Whether a try was mapped over these, or will be."""
        return self.anew_at is None or this.began_at is None or this.began_at >= self.anew_at


def given_post_id(
    ti_key: TaskInstanceKey, *, names_of: Callable[[Collection[int]], Mapping[int, str]]
) -> int | None:
    """Return what a try of a task instance was given as ``post_id``; None where nothing tells.

    A mapped one was given the post at its place in the result that it is mapped over, which Airflow
    keeps as long as the run. Once a cleared run has found its posts anew they may stand at other
    places, as a backfill's do. Then a try from before had what Airflow rendered, which it keeps
    for the latest try and in the latest runs only; else the one post that has its label's name.

    :param names_of: the ledger's names of posts, which are the labels of their tasks
    """
    with create_session() as session:
        if ti_key.map_index < 0:
            return _rendered(session, ti_key)
        found, this = _found(session, ti_key), _try(session, ti_key)
        if found is not None and found.are_for(this):
            return next(iter(found.post_ids[ti_key.map_index :]), None)
        rendered = _rendered(session, ti_key) if this.is_latest else None
    if rendered is not None or found is None:
        return rendered
    names = names_of(found.post_ids)
    named = [post_id for post_id, name in names.items() if name == this.label]
    return named[0] if len(named) == 1 else None


def _found(session: Session, ti_key: TaskInstanceKey) -> _Found | None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XCOM_RETURN_KEY, XComModel

    row = session.execute(
        select(XComModel.value, TaskInstance.try_number, TaskInstance.start_date)
        .join(XComModel.task)
        .where(
            XComModel.dag_id == ti_key.dag_id,
            XComModel.run_id == ti_key.run_id,
            XComModel.task_id == FINDERS.get(ti_key.dag_id),
            XComModel.map_index == -1,
            XComModel.key == XCOM_RETURN_KEY,
        )
    ).first()
    # A store of XComs of somebody's own may keep them elsewhere, and here only where.
    if row is None or not isinstance(row.value, list):
        return None
    return _Found(row.value, row.start_date if row.try_number > 1 else None)


def _try(session: Session, ti_key: TaskInstanceKey) -> _Try:
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory

    for model in (TaskInstance, TaskInstanceHistory):
        columns = model.__table__.c
        this_try = (columns[name] == value for name, value in ti_key._asdict().items())
        row = session.execute(
            select(columns.start_date, columns.rendered_map_index).where(*this_try)
        ).first()
        if row is not None:
            return _Try(model is TaskInstance, row.start_date, row.rendered_map_index)
    return _Try(is_latest=False)


def _rendered(session: Session, ti_key: TaskInstanceKey) -> int | None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    fields = RenderedTaskInstanceFields.get_templated_fields(ti_key, session=session)  # type: ignore[arg-type]
    post_id = (fields or {}).get("post_id")
    return post_id if isinstance(post_id, int) else None
