"""Follow what Reelflow publishes: one event of `reelflow_published` for each post.

Put such a file into your own DAGs. Events wake the DAG up; several may come at once, or with a
later run, and one may come twice. So it reads what there was since it last succeeded, an hour more
for good measure, and knows a post by its `post_id`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, dag, task

log = logging.getLogger(__name__)

# By its name alone: what it is, is declared by Reelflow.
PUBLISHED = Asset.ref(name="reelflow_published")


@dag(
    schedule=PUBLISHED,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["example"],
)
def follow_published() -> None:
    """Do something with each published post."""

    @task(inlets=[PUBLISHED])
    def tell(
        inlet_events: Any = None, prev_start_date_success: datetime | None = None
    ) -> list[int]:
        since = (prev_start_date_success or datetime(2026, 1, 1, tzinfo=UTC)) - timedelta(hours=1)
        posts: dict[int, dict[str, Any]] = {}
        for event in inlet_events[PUBLISHED].after(since.isoformat()):
            posts[event.extra["post_id"]] = event.extra
        for post in posts.values():
            link = post["link"] or post["publish_id"]
            log.info("%s published %s: %s", post["account"], post["file_name"], link)
        return sorted(posts)

    tell()


follow_published()
