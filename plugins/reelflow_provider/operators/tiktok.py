"""The operator that sends a post's bytes to TikTok."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from reelflow.exceptions import ConfigurationError
from reelflow.settings import Settings
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.lineage import add_lineage
from reelflow_provider.operators.base import (
    PostOperator,
    actor_of,
    post_kept_or_skipped,
    run_id_of,
)

if TYPE_CHECKING:
    from airflow.sdk import Context


class TikTokUploadOperator(PostOperator):
    """Upload a post to TikTok in chunks, resuming what was begun before.

    Cleared or retried at any time it posts nothing twice: the ledger knows what TikTok has.

    :param post_id: the post in the ledger
    :param tiktok_conn_id: connection of type ``tiktok``; its host decides TikTok or simulator
    :param execution_timeout: ``REELFLOW_UPLOAD_TIMEOUT_S`` unless told otherwise
    """

    TASK_DOC = """\
**What.** Sends one post's bytes to TikTok in chunks, or has TikTok fetch them. A try that was cut
off is gone on with where TikTok stands.

**Safe to clear.** At any time: the ledger knows what TikTok has, nothing is posted twice.

**When it is red.** The error says why and what to do: an account to connect again, a setting, a
refusal by TikTok. What passes by itself has its next try in the ledger: the run that is due then
takes it. `reelflow posts show ID` has the time.

**When it is skipped.** The post waits: for a person, for its budget, or another run sends it.
"""

    template_fields: Sequence[str] = (*PostOperator.template_fields, "tiktok_conn_id")

    def __init__(
        self, *, tiktok_conn_id: str = TikTokHook.default_conn_name, **kwargs: Any
    ) -> None:
        kwargs.setdefault("execution_timeout", _upload_timeout())
        super().__init__(**kwargs)
        self.tiktok_conn_id = tiktok_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        """Return the publish_id and the post's state."""
        from reelflow.services.publishing.publish import upload_to_tiktok

        hook, actor = TikTokHook(self.tiktok_conn_id), actor_of(context)
        with (
            post_kept_or_skipped(self, context),
            hook.account_clients(self.workspace, self.settings, actor=actor) as tiktok,
        ):
            uploaded = upload_to_tiktok(
                self.workspace,
                tiktok,
                self.post_id,
                run_id=run_id_of(context),
                owner=actor,
                limits=self.settings.tiktok_limits,
            )
        add_lineage(self, inputs=lambda files: files.sources, outputs=lambda files: files.on_tiktok)
        return {"publish_id": uploaded.publish_id, "state": str(uploaded.state)}


def _upload_timeout() -> timedelta:
    """Return the setting; its default where settings are wrong, which the task itself then says."""
    try:
        timeout_s = Settings.load().upload_timeout_s
    except ConfigurationError:
        timeout_s = Settings.model_fields["upload_timeout_s"].default
    return timedelta(seconds=timeout_s)
