"""Operators around the posts of a run: find them, clean up after them, settle, sum up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reelflow.domain.post import DONE
from reelflow.exceptions import TerminalError, TransientError
from reelflow_provider.assets import PUBLISHED
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.lineage import add_lineage
from reelflow_provider.operators.announcing import AnnouncingOperator
from reelflow_provider.operators.base import (
    BriefPostOperator,
    actor_of,
    post_kept_or_skipped,
    run_id_of,
)
from reelflow_provider.operators.reporting import ReportingOperator
from reelflow_provider.run_notes import NOTE_BEGINS, NOTE_KEY

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.domain.schedule import Run


class FindNewUploadsOperator(ReportingOperator):
    """Register the inbox's files and take this run's batch of due posts.

    Its result is what the mapped task group expands over: the posts' ids. The same run, cleared,
    gets the same batch again.
    """

    TASK_DOC = """\
**What.** Makes posts of the inbox's files and takes the posts that are due, at most a batch, fair
between accounts. Posts that are too late for a normal run become MISSED here.

**Safe to clear.** The run gets the same posts again, a backfill those that its day gained as
well.

**When it is red.** Nothing of this run was posted. The ledger or the inbox cannot be read: the
error says what to run or to set, most often `reelflow db upgrade`. Then clear the run.
"""

    def execute(self, context: Context) -> list[int]:
        """Return the batch."""
        from reelflow.services.discover import find_new_uploads

        batch = find_new_uploads(self.workspace, self._run(context), actor=actor_of(context))
        for post in batch:
            self.log.info("post %s: %s", post.post_id, post.file_name)
        return [post.post_id for post in batch]

    def _run(self, context: Context) -> Run:
        from reelflow.domain.schedule import BackfillRun, NormalRun

        dag_run = context["dag_run"]
        if dag_run.run_type == "backfill":
            start, end = dag_run.data_interval_start, dag_run.data_interval_end
            assert start is not None
            assert end is not None
            return BackfillRun(run_id_of(context), start, end)
        max_lateness = self.workspace.rules.max_lateness
        return NormalRun(run_id_of(context), dag_run.run_after, max_lateness)


class CleanUpFilesOperator(BriefPostOperator, AnnouncingOperator):
    """Delete the source of a post that TikTok has, and announce the post.

    :param post_id: the post in the ledger
    """

    TASK_DOC = """\
**What.** Deletes the files of one post that TikTok has, once no other post needs them, and
announces it: one event of the asset `reelflow_published`.

**Safe to clear.** What is deleted and announced stays so.

**When it is red.** A file could not be deleted, or the event not be written: the post itself is
published. The next `expire_sessions` does both again.
"""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return whether the source is gone.

        :raises TransientError: Airflow 3.3.2 starts all tasks of a cleared run's new members at
            once; it waits for `wait_for_publish` before the next try
        """
        from reelflow.services.cleanup import announcement, clean_up_files
        from reelflow.services.known_time import goes_later
        from reelflow.services.stage import begin

        with post_kept_or_skipped(self, context):
            post = begin(self.workspace, self.post_id, run_id=run_id_of(context))
        later = goes_later(post, now=self.workspace.ledger.now())
        if post.state not in DONE and later is None:
            raise TransientError(
                f"post {post.id} is {post.state}: it is cleaned up after once TikTok has it",
                code="not_published",
            )
        with post_kept_or_skipped(self, context):
            deleted = clean_up_files(self.workspace, self.post_id)
        news = announcement(self.workspace, self.post_id)
        if news is not None:
            self.announce(context, news)
            add_lineage(
                self, inputs=lambda files: files.sources, outputs=lambda files: files.on_tiktok
            )
        return {"source_deleted": deleted, "announced": news is not None}


class ExpireSessionsOperator(AnnouncingOperator):
    """Settle what nobody works on any more, in this run or in one that died.

    It comes after every task that works on the run's posts: what the run claimed is free for it.

    :param tiktok_conn_id: connection of type ``tiktok``
    """

    TASK_DOC = """\
**What.** Settles what nobody works on any more: asks TikTok about posts whose run died, takes
uploads up again that stopped, deletes and announces what is done, gives up uploads that expired.

**Safe to clear.** TikTok is only asked; nothing is posted from here.

**When it is red.** The connection `tiktok_app` or the ledger cannot be used: the error says what
to set. What is open is settled by the next run, or by `reelflow reconcile`.
"""

    template_fields: Sequence[str] = ("tiktok_conn_id",)

    def __init__(
        self, *, tiktok_conn_id: str = TikTokHook.default_conn_name, **kwargs: Any
    ) -> None:
        # Named as an inlet, the asset is known to Airflow before two tasks announce at once.
        super().__init__(inlets=[PUBLISHED], **kwargs)
        self.tiktok_conn_id = tiktok_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Return what was settled and deleted."""
        from reelflow.services.settling.sweep import expire_sessions

        hook = TikTokHook(self.tiktok_conn_id)
        with hook.account_clients(self.workspace, self.settings, actor=actor_of(context)) as tiktok:
            report = expire_sessions(
                self.workspace,
                tiktok,
                actor=actor_of(context),
                longest_put_s=self.settings.tiktok_limits.longest_put_s,
                run_id=self.claimant(context),
            )
        for post_id, trouble in report.still_unsettled.items():
            self.log.warning("post %s is not settled yet: %s", post_id, trouble)
        for news in report.to_announce:
            self.announce(context, news)
        return {
            "returned_to_ready": report.returned_to_ready,
            "settled": {str(post_id): str(state) for post_id, state in report.settled.items()},
            "still_unsettled": len(report.still_unsettled),
            "cleaned": report.cleaned,
            "expired_uploads": report.expired_uploads,
            "deleted_work": report.deleted_work,
            "announced": self.announced_ids,
        }

    def claimant(self, context: Context) -> str | None:
        """Return the run whose claims do not stand in the way; None where all do."""
        return run_id_of(context)


class SummarizeOperator(ReportingOperator):
    """Say what became of the run's posts, by the ledger, and fail the run where a person must look.

    The run fails if a post of its batch is FAILED, REJECTED or UNKNOWN, or was not sent and has
    no recorded time for its next try; and if there is no batch, because it could not be found.

    :param batch: the result of :class:`FindNewUploadsOperator`
    """

    TASK_DOC = """\
**What.** Says what became of each post of the run, by the ledger. The log has a line for each.

**Safe to clear.** It is green once every post that it named is done, or waits for a known time.

**When it is red.** The error names each post that needs a person: FAILED, REJECTED or UNKNOWN,
with the fix. Do that, then `reelflow posts retry ID` or `resolve ID`. The other posts of the run
are done.
"""

    template_fields: Sequence[str] = ("batch",)

    def __init__(self, *, batch: list[int] | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch

    def execute(self, context: Context) -> dict[str, int]:
        """Return how many posts are in each state."""
        from reelflow.services.summarize import summarize

        if self.batch is None:
            raise TerminalError(
                "the run has no batch: find_new_uploads did not end, its log says why. Clear it, "
                "or wait for the next run",
                code="no_batch",
            )
        summary = summarize(self.workspace, run_id_of(context))
        for line in summary.lines:
            self.log.info("%s", line)
        if summary.lines:
            context["ti"].xcom_push(key=NOTE_KEY, value=NOTE_BEGINS + summary.note)
        if summary.problems:
            raise TerminalError(
                f"{len(summary.problems)} of {len(summary.lines)} posts need a person:\n"
                + "\n".join(summary.problems),
                code="posts_need_a_person",
            )
        return summary.counts
