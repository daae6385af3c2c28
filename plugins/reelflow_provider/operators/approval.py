"""Operators that ask a person whether a post may go, in Airflow's human-in-the-loop view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException

from reelflow.exceptions import PostNotTakeableError
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.operators.base import PostMixin, ReelflowOperator, actor_of, run_id_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.services.approval.asking import Asker, Question

#: Where the application is mounted in Airflow's API server, for the pictures of questions.
_API_PATH: Final = "/reelflow/api/v1"
_APPROVE: Final = "Approve"
_OPTIONS: Final = (_APPROVE, "Reject", "Not now")


class FindPostsToApproveOperator(ReelflowOperator):
    """Take the posts that a person is to be asked about, and nobody is.

    Its result is what the asking task expands over: the posts' ids. The same run, cleared, gets
    the same posts again.
    """

    TASK_DOC = """\
**What.** Takes the held posts that a person is to be asked about, and nobody is yet.

**Safe to clear.** The same run gets the same posts again.

**When it is red.** The ledger cannot be read: the error says what to set. The watcher wakes the DAG
again as long as posts wait.
"""

    def execute(self, context: Context) -> list[int]:
        """Return the posts."""
        from reelflow.services.approval.finding import find_posts_to_approve

        found = find_posts_to_approve(self.workspace, run_id=run_id_of(context))
        for post in found:
            self.log.info("post %s: %s", post.post_id, post.file_name)
        return [post.post_id for post in found]


class AskForApprovalOperator(PostMixin, HITLOperator):
    """Ask a person whether a HELD post may go, and do what they answer.

    The task waits in ``awaiting_input``: without worker, slot or lease. Approved, the post becomes
    READY, and goes out at its time; rejected, it is CANCELLED, and no other is. An answer that
    cannot be used changes nothing: another run asks again, with what was wrong. So does one after a
    clear, because Airflow shows for good what a task asked first. A post that somebody settled
    meanwhile skips the task, or has its answer told as too late.

    :param post_id: the post in the ledger
    :param tiktok_conn_id: connection of type ``tiktok``, for what the creator offers
    """

    TASK_DOC = """\
**What.** Asks whether a held post may go, under "Required Actions", and does what is answered. It
waits without a worker. Approve makes the post READY for its time; Reject cancels this post and no
other; Not now asks again later.

**Safe to clear.** Another run asks again. An answer to a question that is over changes nothing.

An answer that cannot be used is told in the log, and another run asks about the post. `reelflow
posts release ID` and `reelflow posts cancel ID` decide as well.

**When it is red.** The ledger or its settings cannot be used: the error says what to set. The post
is still held, and another run asks about it.
"""

    template_fields: Sequence[str] = ("post_id", "tiktok_conn_id")

    def __init__(
        self, *, post_id: int, tiktok_conn_id: str = TikTokHook.default_conn_name, **kwargs: Any
    ) -> None:
        # What is asked depends on the post, and is not known where DAGs are parsed; but without a
        # limit of the waiting, Airflow would take the task's own for it.
        kwargs.setdefault("response_timeout", timedelta(days=7))
        super().__init__(subject="", options=list(_OPTIONS), **kwargs)
        self.post_id = post_id
        self.tiktok_conn_id = tiktok_conn_id

    def execute(self, context: Context) -> None:
        """Ask, and wait."""
        from reelflow.services.approval.asking import ask

        hook, asker = TikTokHook(self.tiktok_conn_id), self._asker(context)
        try:
            question = ask(
                self.workspace,
                self.post_id,
                asker=asker,
                open_clients=partial(
                    hook.account_clients, self.workspace, self.settings, actor=asker.actor
                ),
                pictures_at=_api_path(),
            )
        except PostNotTakeableError as exc:
            raise AirflowSkipException(str(exc)) from exc
        self.subject, self.body = question.subject, question.body
        if not question.is_approvable:
            self.options = [one for one in _OPTIONS if one != _APPROVE]
        self.response_timeout = max(question.timeout, timedelta(seconds=1))
        self.params = ParamsDict(_params(question))
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Do what was answered; Airflow takes any string, so it is checked once more."""
        from reelflow.domain.user import known_as
        from reelflow.services.approval.deciding import Answer, decide, go_unanswered

        asker, user = self._asker(context), event.get("responded_by_user")
        if not user:  # Airflow goes on with an error when the time is over
            told = go_unanswered(self.workspace, self.post_id, asker=asker)
        else:
            answer = Answer(
                options=[str(one) for one in event.get("chosen_options") or ()],
                by=known_as(str(user.get("id") or ""), str(user.get("name") or "")),
                fields=event.get("params_input") or {},
            )
            told = decide(self.workspace, self.post_id, answer, asker=asker)
        self.log.info("%s", told)
        return told

    def _asker(self, context: Context) -> Asker:
        from reelflow.services.approval.asking import Asker

        return Asker(run_id_of(context), actor_of(context))


def _params(question: Question) -> dict[str, Param]:
    """Return the fields that the view shows; those of which there is nothing to choose are left."""
    params = {}
    if question.privacy_levels:
        levels = dict.fromkeys((question.privacy_level, *question.privacy_levels))
        params["privacy_level"] = Param(
            question.privacy_level,
            type="string",
            enum=list(levels),
            title="Who may watch",
            description="What the creator offers now.",
            # Airflow's label of a level that nobody has chosen yet would be "null".
            values_display={"null": "choose one"},
        )
    if question.covers:
        params["cover"] = Param(
            question.covers[0], type="string", enum=list(question.covers), title="Cover"
        )
    return params


def _api_path() -> str:
    """Return the application's path as the approver's browser knows it."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + _API_PATH
