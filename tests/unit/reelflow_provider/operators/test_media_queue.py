"""Which queue the tasks go to that read media."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reelflow_provider.operators.media import (
    ExtractMetadataOperator,
    FindUnpreparedMediaOperator,
    GenerateThumbnailOperator,
    MeasureUploadsOperator,
    ValidateMediaOperator,
)

DEFAULT = "default"
MAKERS: list[Callable[..., Any]] = [
    lambda **more: ValidateMediaOperator(task_id="validate", post_id=1, **more),
    lambda **more: ExtractMetadataOperator(task_id="extract_metadata", post_id=1, **more),
    lambda **more: GenerateThumbnailOperator(task_id="generate_thumbnail", post_id=1, **more),
    lambda **more: MeasureUploadsOperator(task_id="measure_uploads", **more),
]


@pytest.mark.parametrize("make", MAKERS)
def test_media_tasks_go_to_the_queue_of_the_settings(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make().queue == DEFAULT
    monkeypatch.setenv("REELFLOW_MEDIA_QUEUE", "media")
    assert make().queue == "media"
    assert make(queue="gpu").queue == "gpu"


def test_other_tasks_stay_where_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_MEDIA_QUEUE", "media")
    assert FindUnpreparedMediaOperator(task_id="find").queue == DEFAULT


@pytest.mark.parametrize("wrong", ["media,default", "two words"])
def test_a_queue_that_cannot_be_one_leaves_the_dag_readable(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_MEDIA_QUEUE", wrong)
    assert ValidateMediaOperator(task_id="validate", post_id=1).queue == DEFAULT
