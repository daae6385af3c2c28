"""Links that Airflow shows on a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from reelflow.exceptions import ReelflowError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class TikTokPostLink(BaseOperatorLink):
    """The post on TikTok, once it is public and has a link."""

    name = "Post on TikTok"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the post's address, or an empty string while it has none."""
        post_id = getattr(operator, "post_id", None)
        if not isinstance(post_id, int):
            return ""
        try:
            return _address(post_id)
        except ReelflowError:
            return ""  # a link is no reason to trouble a task that has ended


def _address(post_id: int) -> str:
    # The plugin loads this module in every task of every DAG: what is heavy waits until here.
    from reelflow.services.report import show_post
    from reelflow.settings import Settings

    link: str | None = show_post(Settings.load().open_workspace(), post_id)["link"]
    return link or ""
