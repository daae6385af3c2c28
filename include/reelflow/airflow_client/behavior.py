"""What a backfill does with days that have a run; apart, so that the command line starts fast."""

from __future__ import annotations

from enum import StrEnum


class ReprocessBehavior(StrEnum):
    """What a backfill does with a day that has a run: ``--reprocess-behavior`` of Airflow."""

    NONE = "none"
    FAILED = "failed"
    COMPLETED = "completed"
