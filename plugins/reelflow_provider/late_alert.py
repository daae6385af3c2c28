"""The deadline alert: what is told of when a run is not done and its posts are late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reelflow.services.late_posts import LatePost
    from reelflow.settings import Settings

log = logging.getLogger(__name__)


async def tell_late_posts(*, context: Mapping[str, Any] | None = None) -> str:
    """Name the posts that are late, each once, with what they wait for; runs in the triggerer.

    That a run takes long is no news by itself: it may wait for TikTok. The ledger says whether
    a post is late, of whichever run. Airflow also calls this for a run that failed before.

    :param context: what Airflow tells of the run and its deadline
    :return: what Airflow keeps of it
    """
    # Imported where it runs: DAG files import this module, and parse.
    from reelflow.settings import Settings

    run = (context or {}).get("dag_run") or {}
    run_id = str(run.get("dag_run_id", "unknown"))
    return await asyncio.to_thread(_tell, Settings.load(), run_id)


def _tell(settings: Settings, run_id: str) -> str:
    from reelflow.services.late_posts import TOLD_BY_ALERT, newly_late
    from reelflow_provider.storage import open_workspace

    actor = f"deadline alert of {run_id}"
    found = newly_late(
        open_workspace(settings),
        late_after=timedelta(minutes=settings.late_after_min),
        told_as=TOLD_BY_ALERT,
        run=actor,
        actor=actor,
    )
    late_posts(found.new)
    return f"late posts: {found.total}, told of now: {len(found.new)}"


def late_posts(found: Sequence[LatePost]) -> None:
    """Tell whoever runs Reelflow of posts that were not late when they were told of last."""
    for post in found:
        log.error("%s", post.line)
