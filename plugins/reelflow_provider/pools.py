"""Makes the pools that the DAGs name, before any of their tasks may wait for one in vain.

A task whose pool does not exist is never scheduled, and Airflow tells it as a warning of the DAG
alone. So whoever parses the DAG files makes the pools when it starts, and so do scheduler and
triggerer: they are there from the first run on, with no command. One that exists is left alone,
because its slots are an operator's to change.
"""

from __future__ import annotations

import logging

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from reelflow.airflow_settings import AirflowSettings

log = logging.getLogger(__name__)


def make_missing_pools(settings: AirflowSettings) -> None:
    """Make what is missing; a component that cannot says so, and starts all the same."""
    for name, slots, purpose in (
        (settings.upload_pool, settings.upload_pool_slots, "Reelflow: uploads to TikTok"),
        (settings.media_pool, settings.media_pool_slots, "Reelflow: reading and decoding media"),
    ):
        try:
            _make_if_missing(name, slots, purpose)
        except SQLAlchemyError as exc:
            log.warning(
                "the pool %s may be missing (%s), and its tasks would wait: make it with "
                "`airflow pools set %s %d '%s'`",
                name, type(exc).__name__, name, slots, purpose,
            )  # fmt: skip


def _make_if_missing(name: str, slots: int, purpose: str) -> None:
    # Imported here: models are for components alone, and plugins are loaded in every task.
    from airflow.models.pool import Pool

    if Pool.get_pool(name) is not None:
        return
    try:
        Pool.create_or_update_pool(name, slots, purpose, include_deferred=False)
    except IntegrityError:
        return  # another component made it at the same moment
    log.info("made the pool %s with %d slots", name, slots)
