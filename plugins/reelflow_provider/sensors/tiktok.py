"""The sensor that waits, without a worker slot, until TikTok has published a post."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowSkipException

from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostState, PrivacyLevel
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import (
    PostFailedError,
    TerminalError,
    TikTokRateLimitedError,
    TransientError,
)
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.operators.base import (
    PostMixin,
    actor_of,
    post_kept_or_skipped,
    run_id_of,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.ledger.models import Post, Publication
    from reelflow.tiktok.models import PublishStatus

#: What `upload_to_tiktok` has still to send, if it is not kept for a later run.
_UNSENT = frozenset({PostState.READY, PostState.UPLOADING})
#: A post that TikTok has had for less is not asked about before its trigger does.
FRESH_S: Final = 10.0
#: Airflow's own limit on the deferral; the trigger's deadline comes first.
_DEFERRAL_SLACK = timedelta(minutes=5)


class TikTokPublishStatusSensor(PostMixin, BaseSensorOperator):
    """Wait until TikTok has published a post, or has said why not.

    It asks once before it defers, unless the last byte was sent just now, and the answer is written
    to the ledger the same way however it came, so that a retry or a clear changes nothing. Of a
    post that TikTok has the trigger tells, which ends the task; of any other a worker does, and
    of all where the task pushes its result, has outlets, an ``on_success_callback`` or a
    ``post_execute``, or is of a class that resumes otherwise. When the waiting takes too long the
    task is skipped: the post stays PROCESSING and is settled by a later run.

    :param post_id: the post in the ledger
    :param tiktok_conn_id: connection of type ``tiktok``
    :param poll_interval_s: pause between two polls, at least 10; None for the setting
    :param timeout_s: how long to wait since the last byte was sent; None for the setting
    """

    TASK_DOC = """\
**What.** Waits until TikTok has published one post, or says why not. It holds no worker
meanwhile: the triggerer asks.

**Safe to clear.** TikTok is only asked.

**When it is red.** TikTok failed the post: the error says why and what to do, then `reelflow
posts retry ID`. Judge the post by `summarize` or by its story: the ledger has the last word.

**When it is skipped.** TikTok is not done yet; `reconcile_publications` asks on every hour.
"""

    template_fields: Sequence[str] = ("post_id", "tiktok_conn_id")

    def __init__(
        self,
        *,
        post_id: int,
        tiktok_conn_id: str = TikTokHook.default_conn_name,
        poll_interval_s: float | None = None,
        timeout_s: float | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("map_index_template", self.LABEL)
        kwargs.setdefault("doc_md", self.TASK_DOC)
        super().__init__(**kwargs)
        self.post_id = post_id
        self.tiktok_conn_id = tiktok_conn_id
        self.poll_interval_s = poll_interval_s
        self.timeout_s = timeout_s

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask once, then defer until the status is final.

        :raises TransientError: Airflow 3.3.2 starts all tasks of a cleared run's new members at
            once; it waits for the upload before the next try
        """
        from reelflow.services.known_time import goes_later
        from reelflow.services.stage import begin

        with post_kept_or_skipped(self, context):
            post = begin(self.workspace, self.post_id, run_id=run_id_of(context))
        publication = self._publication()
        later = goes_later(post, now=self.workspace.ledger.now())
        if post.state in _UNSENT and later is None:
            raise TransientError(
                f"post {post.id} is {post.state}: run `upload_to_tiktok` for it first",
                code="not_sent",
            )
        if not self._is_waiting(post):
            return self._result(post, publication)
        if publication is None or publication.publish_id is None:
            raise AirflowSkipException(f"post {self.post_id} is {post.state}: {post.reason}")
        first_pause_s = FRESH_S if self._is_fresh(post) else None
        if first_pause_s is None:
            status = self._ask(post, publication.publish_id, context)
            if status is not None:
                post, publication = self._write_down(status, publication.publish_id, context)
        if not self._is_waiting(post):
            return self._result(post, publication)
        self._defer(post, publication, context, first_pause_s)
        raise AssertionError("defer always raises")

    def _is_fresh(self, post: Post) -> bool:
        """Whether TikTok has had the post for moments: it is not done, and the trigger asks."""
        age_s = (self.workspace.ledger.now() - post.state_since).total_seconds()
        return post.state is PostState.PROCESSING and age_s < FRESH_S

    def _ask(self, post: Post, publish_id: str, context: Context) -> PublishStatus | None:
        """Ask once; None when the account's status calls of this minute are used up."""
        hook, actor = TikTokHook(self.tiktok_conn_id), actor_of(context)
        with hook.account_clients(self.workspace, self.settings, actor=actor) as tiktok:
            try:
                return tiktok.fetch_status(post.account_id, publish_id)
            except TikTokRateLimitedError as exc:
                self.log.info("post %s is left to the trigger: %s", post.id, exc)
                return None

    def _defer(
        self,
        post: Post,
        publication: Publication | None,
        context: Context,
        first_pause_s: float | None,
    ) -> None:
        from reelflow_provider.triggers.tiktok import FIRST_POLL_S, TikTokPublishStatusTrigger

        assert publication is not None
        assert publication.publish_id is not None
        interval_s = self.poll_interval_s or self.settings.poll_interval_s
        timeout_s = self.timeout_s or self.settings.publish_timeout_s
        self.defer(
            trigger=TikTokPublishStatusTrigger(
                post_id=self.post_id,
                publish_id=publication.publish_id,
                tiktok_conn_id=self.tiktok_conn_id,
                poll_interval_s=max(interval_s, FIRST_POLL_S),
                ends_at_s=post.state_since.timestamp() + timeout_s,
                link_timeout_s=self._link_timeout_s(post),
                actor=actor_of(context),
                ends_task=not self._needs_worker(),
                first_pause_s=first_pause_s,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=timeout_s) + _DEFERRAL_SLACK,
        )

    def _needs_worker(self) -> bool:
        """Whether something is done with its success that is done by workers only."""
        return bool(
            self.do_xcom_push
            or self.outlets
            or self.on_success_callback
            or self._post_execute_hook
            or any(
                getattr(type(self), name) is not getattr(TikTokPublishStatusSensor, name)
                for name in ("execute_complete", "resume_execution", "post_execute")
            )
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Write down what the trigger learned; doing it twice is harmless.

        :raises PostFailedError: TikTok failed the post, with the fix
        :raises TerminalError: TikTok refuses to say
        """
        from reelflow.tiktok.models import PublishStatus

        fields = dict(event)
        outcome, publish_id = fields.pop("outcome"), fields.pop("publish_id")
        if outcome == "refused":
            raise TerminalError(fields["message"], code=fields["code"])
        if outcome != "status":
            raise AirflowSkipException(
                f"TikTok is not done with post {self.post_id} (status {fields['status']}): a later "
                "run settles it"
            )
        fields["post_ids"] = tuple(fields["post_ids"])
        # Of the publication that was asked about: the post may have got another one meanwhile.
        return self._result(*self._write_down(PublishStatus(**fields), publish_id, context))

    def _read(self) -> tuple[Post, Publication | None]:
        from reelflow.ledger import posts, publications

        with self.workspace.ledger.read() as session:
            post = posts.get(session, self.post_id)
            return post, publications.current(session, self.post_id)

    def _publication(self) -> Publication | None:
        from reelflow.ledger import publications

        with self.workspace.ledger.read() as session:
            return publications.current(session, self.post_id)

    def _write_down(
        self, status: PublishStatus, publish_id: str, context: Context
    ) -> tuple[Post, Publication | None]:
        from reelflow.services.settling.settle import apply_status

        apply_status(self.workspace, self.post_id, publish_id, status, actor=actor_of(context))
        return self._read()

    def _is_waiting(self, post: Post) -> bool:
        if post.state is PostState.PUBLISHED_NO_LINK:
            age_s = (self.workspace.ledger.now() - post.state_since).total_seconds()
            return age_s < self._link_timeout_s(post)
        return post.state in PAST_LAST_BYTE

    def _result(self, post: Post, publication: Publication | None) -> dict[str, Any]:
        if post.state is PostState.FAILED:
            raise PostFailedError(
                f"post {post.id} failed: {as_sentence(post.reason)} To fix: {post.fix}",
                code=post.reason_code,
            )
        if post.state not in DONE:
            raise AirflowSkipException(f"post {post.id} is {post.state}: {post.reason}")
        return {
            "state": str(post.state),
            "post_id": publication and publication.tiktok_post_id,
        }

    def _link_timeout_s(self, post: Post) -> float:
        """Only public posts get a link (content-posting-api-reference-get-video-status)."""
        public = post.privacy_level == PrivacyLevel.PUBLIC_TO_EVERYONE
        return self.settings.link_timeout_s if public else 0.0
