"""What all operators of a post have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from reelflow.exceptions import PostHeldError, PostNotTakeableError
from reelflow.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.services.workspace import Workspace


class ReelflowOperator(BaseOperator):
    """Base of the operators: settings and workspace of this process, and who acts."""

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process."""
        return Settings.load()

    @cached_property
    def workspace(self) -> Workspace:
        """The ledger and the folders."""
        return self.settings.open_workspace()


class PostOperator(ReelflowOperator):
    """Base of the operators that work on one post.

    :param post_id: the post in the ledger
    :param file_name: its file's name; the task instance is shown under it
    """

    template_fields: Sequence[str] = ("post_id", "file_name")

    def __init__(self, *, post_id: int, file_name: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("map_index_template", "{{ task.file_name }}")
        super().__init__(**kwargs)
        self.post_id = post_id
        self.file_name = file_name


def run_id_of(context: Context) -> str:
    """Return the id of the run."""
    return str(context["run_id"])


def actor_of(context: Context) -> str:
    """Return who acts: the task instance, the same for each of its tries."""
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}[{ti.map_index}]"


@contextmanager
def skipping_what_is_not_for_this_run() -> Iterator[None]:
    """Skip the task, with the reason, when the ledger says that a run leaves the post alone.

    Airflow's own skip operators do not skip inside a mapped group; a raised skip does.
    """
    try:
        yield
    except (PostNotTakeableError, PostHeldError) as exc:
        raise AirflowSkipException(str(exc)) from exc
