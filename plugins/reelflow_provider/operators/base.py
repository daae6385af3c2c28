"""What all operators of a post have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout

from reelflow.exceptions import (
    BreakerOpenError,
    BudgetSpentError,
    ConfigurationError,
    PostHeldError,
    PostNotTakeableError,
    ReelflowError,
    TransientError,
)
from reelflow.settings import Settings
from reelflow_provider.retries import is_left_to_the_ledger
from reelflow_provider.storage import open_workspace

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.ledger.photo_images import Outline
    from reelflow.services.workspace import Workspace


log = logging.getLogger(__name__)

#: A file of up to so many bytes is read, hashed and, at 10 Mbit/s, sent within seconds.
_SMALL_BYTES: Final = 8_000_000


class LedgerMixin:
    """What a task needs to work with the ledger: this process's settings and workspace."""

    #: What whoever looks at the task in Airflow reads of it: what it does, when it is red.
    TASK_DOC: ClassVar[str]

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process."""
        return Settings.load()

    @cached_property
    def workspace(self) -> Workspace:
        """The ledger and the folders."""
        return open_workspace(self.settings)


class PostMixin(LedgerMixin):
    """A task that works on one post, and is shown under its file's name."""

    post_id: int
    #: Whether it works before a run publishes the post, which does what this could not do.
    ahead: bool = False

    #: The ledger is asked for the name where it is shown: a second mapped argument would cost each
    #: task another call of Airflow's API.
    LABEL = "{{ task.map_index_label(ti.try_number) }}"
    _has_begun: bool = False

    def map_index_label(self, try_number: int) -> str:
        """Return what the task is shown under; nothing before it works, where that takes moments.

        Airflow tells its API server of a name at once, by a call that costs as much as such a task;
        of none it tells nothing, and of the later one with the state in which the task ends. A try
        after the first is named at once: a task that waits for it has no name, and one that was
        cleared has the last one's, which may be another post's.
        """
        is_told = self._has_begun or try_number > 1 or self.may_take_long()
        return self.file_name if is_told else ""

    def may_take_long(self) -> bool:
        """Whether somebody may see the task at work."""
        return True

    @property
    def file_name(self) -> str:
        """The name of the post's file, or of its folder of photos."""
        return self._outline.name if self._outline else f"post {self.post_id}"

    @cached_property
    def _outline(self) -> Outline | None:
        """What the ledger says of the post; None where it does not."""
        from reelflow.ledger import photo_images

        try:
            with self.workspace.ledger.read() as session:
                return photo_images.outline_of(session, self.post_id)
        except ReelflowError:
            return None  # a label is no reason to hide what the task itself says


class ReelflowOperator(LedgerMixin, BaseOperator):
    """Base of the operators."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("doc_md", getattr(self, "TASK_DOC", None))
        super().__init__(**kwargs)


class PostOperator(PostMixin, ReelflowOperator):
    """Base of the operators that work on one post.

    :param post_id: the post in the ledger
    """

    template_fields: Sequence[str] = ("post_id",)

    def __init__(self, *, post_id: int, **kwargs: Any) -> None:
        kwargs.setdefault("map_index_template", self.LABEL)
        super().__init__(**kwargs)
        self.post_id = post_id

    def may_take_long(self) -> bool:
        """Whether there is much to read, or an engine to wait for."""
        outline = self._outline
        return outline is not None and (
            outline.size_bytes is None or outline.size_bytes > _SMALL_BYTES or outline.is_analysed
        )

    def pre_execute(self, context: Context) -> None:
        """Give the task its label."""
        super().pre_execute(context)
        self._has_begun = True
        context["ti"].rendered_map_index = self.file_name


class BriefPostOperator(PostOperator):
    """Base of those that take moments, whatever the post."""

    def may_take_long(self) -> bool:
        """Say that it does not."""
        return False


def run_id_of(context: Context) -> str:
    """Return the id of the run."""
    return str(context["run_id"])


def actor_of(context: Context) -> str:
    """Return who acts: the task instance, the same for each of its tries."""
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}[{ti.map_index}]"


@contextmanager
def post_kept_or_skipped(task: PostMixin, context: Context) -> Iterator[None]:
    """Keep the post for a later run when a stage cannot work; skip what is not for this run.

    Nor is what waits for a budget or an outage longer than a task does: it has its time already.

    A stage that works ahead of time changes nothing of when the post goes out.

    Airflow's own skip operators do not skip inside a mapped group; a raised skip does.
    """
    try:
        yield
    except (PostNotTakeableError, PostHeldError) as exc:
        raise AirflowSkipException(str(exc)) from exc
    except (BudgetSpentError, BreakerOpenError) as exc:
        if not is_left_to_the_ledger(exc):
            raise
        raise AirflowSkipException(f"post {task.post_id} goes out later: {exc}") from exc
    except (TransientError, ConfigurationError) as exc:
        _record(task, exc, context)
        raise
    except AirflowTaskTimeout:
        _record(task, _out_of_time(task), context)
        raise
    except OSError as exc:
        trouble = TransientError(
            f"{exc.filename or 'a file'} cannot be used ({exc.strerror or exc}): check the disk "
            "and the permissions of the data folder",
            code="os_error",
        )
        _record(task, trouble, context)
        raise trouble from exc


def _out_of_time(task: PostMixin) -> TransientError:
    """Return what a timeout of Airflow's says to whoever reads the post's story."""
    name, limit = getattr(task, "task_id", "a task"), getattr(task, "execution_timeout", None)
    return TransientError(
        f"{name} was ended after {limit}: see its log for what took so long. The limits are "
        "REELFLOW_MEDIA_TIMEOUT_S, REELFLOW_UPLOAD_TIMEOUT_S and REELFLOW_TASK_TIMEOUT_S",
        code="task_timeout",
    )


def _record(task: PostMixin, exc: ReelflowError, context: Context) -> None:
    from reelflow.services.stage import postpone

    if task.ahead:
        return
    try:
        postpone(task.workspace, task.post_id, exc, actor=actor_of(context))
    except ReelflowError as second:
        log.warning("post %s: what went wrong was not recorded: %s", task.post_id, second)
