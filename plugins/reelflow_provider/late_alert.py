"""The deadline alert: what is told of when a run is not done and its posts are late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reelflow.settings import Settings

log = logging.getLogger(__name__)


async def tell_late_posts(*, context: Mapping[str, Any] | None = None) -> str:
    """Tell people of late posts, each once, with what it waits for; runs in the triggerer.

    That a run takes long is no news by itself: it may wait for TikTok. The ledger says whether
    a post is late, of whichever run. Airflow also calls this for a run that failed before.

    :param context: what Airflow tells of the run and its deadline
    :return: what Airflow keeps of it
    """
    # Imported where it runs: DAG files import this module, and parse.
    from reelflow.settings import Settings

    return await asyncio.to_thread(_tell, Settings.load(), context or {})


def _tell(settings: Settings, context: Mapping[str, Any]) -> str:
    from reelflow.services.late_posts_told import untold_late
    from reelflow_provider.notifications.alerts import Teller, tell_alerts
    from reelflow_provider.storage import open_workspace

    workspace = open_workspace(settings)
    late_after = timedelta(minutes=settings.late_after_min)
    untold = partial(untold_late, workspace, late_after=late_after)
    found = untold()
    for alert in found:
        log.error("%s", alert.text)
    run_id = (context.get("dag_run") or {}).get("dag_run_id", "unknown")
    tell_alerts(Teller(settings, workspace, untold, f"deadline alert of {run_id}", context))
    return f"late posts that nobody was told of: {sum(len(alert.post_ids) for alert in found)}"
