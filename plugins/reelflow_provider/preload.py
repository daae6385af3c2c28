"""Loads the stages' modules in Airflow's long-lived components, before they fork.

LocalExecutor's workers are forked from the scheduler and every task from a worker, so what the
scheduler has imported costs a task nothing: without this, each task of a post spends a quarter of
a second of CPU on imports.
"""

from __future__ import annotations

import importlib
import logging
from typing import Final

from airflow.listeners import hookimpl

from reelflow.exceptions import ReelflowError

log = logging.getLogger(__name__)

_STAGES: Final = (
    "reelflow_provider.assets",
    "reelflow_provider.hooks.detection",
    "reelflow_provider.operators.media",
    "reelflow_provider.operators.posts",
    "reelflow_provider.operators.tiktok",
    "reelflow_provider.retries",
    "reelflow_provider.sensors.tiktok",
    "reelflow_provider.triggers.tiktok",
    "reelflow.services.cleanup",
    "reelflow.services.discover",
    "reelflow.services.intake.ahead",
    "reelflow.services.intake.analyse",
    "reelflow.services.intake.engines",
    "reelflow.services.intake.prepare",
    "reelflow.services.publishing.publish",
    "reelflow.services.summarize",
    "reelflow.services.settling.sweep",
    "reelflow.tiktok.client",
)
#: Loaded where media lie in S3; nobody else pays for boto3.
_S3: Final = ("airflow.providers.amazon.aws.hooks.s3", "reelflow.storage.s3")


@hookimpl
def on_starting(component: object) -> None:
    """Import what tasks will need, if this is a component and not a task itself."""
    if type(component).__name__ != "Job":
        return
    from reelflow.ledger.models import Base

    for name in _STAGES:
        importlib.import_module(name)
    Base.registry.configure()
    _warm_up()


def _warm_up() -> None:
    """Load S3 if media lie there, and compile the stages' statements.

    A ledger that is not ready is no reason not to start.
    """
    from reelflow.services.warmup import warm_up
    from reelflow.settings import Settings

    try:
        settings = Settings.load()
        if settings.storage_location is not None:
            for name in _S3:
                importlib.import_module(name)
        # A database elsewhere may answer late or never, which must not hold up a component.
        if settings.ledger_url.startswith("sqlite"):
            warm_up(settings.open_workspace())
    except ReelflowError as exc:
        log.info("tasks will start more slowly: %s", exc)
