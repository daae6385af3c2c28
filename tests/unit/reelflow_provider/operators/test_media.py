"""The media operators as a worker runs them, on real files where a file is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.analysis.connection import VARIABLE
from reelflow.domain.analysis import AI_GENERATED, MODEL_TYPES, AnalysisEngine, AnalysisPolicy
from reelflow.domain.post import PostState
from reelflow.exceptions import ConfigurationError, MediaRejectedError, MediaToolError
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.media import (
    ExtractMetadataOperator,
    FindUnpreparedMediaOperator,
    GenerateThumbnailOperator,
    MeasureUploadsOperator,
    ValidateMediaOperator,
)
from tests import content_credentials, factories, media_files
from tests.data_folder import data_folder
from tests.first_files import allow_no_process
from tests.intake_users import upload
from tests.unit.reelflow_provider.airflow_task import run_task

OPERATORS = (ValidateMediaOperator, ExtractMetadataOperator, GenerateThumbnailOperator)


@pytest.fixture
def video(worker: Workspace, account: Account) -> Post:
    """A post of a real video that nothing was done for yet."""
    return factories.make_post(
        worker, account, content=media_files.h264_mp4(), validated=False, file_name="clip.mp4"
    )


def test_a_video_is_validated_described_and_pictured(
    worker: Workspace, video: Post, read_post: Callable[[int], Post]
) -> None:
    validated, described, pictured = (
        run_task(operator, post_id=video.id) for operator in OPERATORS
    )
    media = read_post(video.id).media
    assert validated.result == media.sha256
    assert described.result["video_codec"] == "h264"
    assert described.result["duration_s"] == media.duration_s
    assert pictured.result == media.thumbnail_path
    assert data_folder(worker).path(pictured.result).read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize("operator", OPERATORS)
def test_done_work_is_not_done_again(operator: Any, video: Post, worker: Workspace) -> None:
    first = {done: run_task(done, post_id=video.id).result for done in OPERATORS}
    # Without its file, nothing but the ledger can answer.
    data_folder(worker).path(video.media.source_path).unlink()
    again = run_task(operator, post_id=video.id)
    assert (again.state, again.result) == ("success", first[operator])


def test_a_bad_file_fails_its_task_at_once_with_the_fix(
    worker: Workspace, account: Account, read_post: Callable[[int], Post]
) -> None:
    post = factories.make_post(worker, account, content=b"not a video at all", validated=False)
    ended = run_task(ValidateMediaOperator, post_id=post.id)
    assert ended.state == "failed"  # and not up_for_retry: the file stays bad
    assert isinstance(ended.error, MediaRejectedError)
    assert "To fix:" in str(ended.error)
    assert read_post(post.id).state is PostState.REJECTED


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_rejected_post_fails_again_for_the_same_reason(
    operator: Any, worker: Workspace, account: Account
) -> None:
    post = factories.make_post(worker, account, content=b"not a video at all", validated=False)
    first = run_task(ValidateMediaOperator, post_id=post.id)
    again = run_task(operator, post_id=post.id)
    assert again.state == "failed"
    assert isinstance(first.error, MediaRejectedError)
    assert isinstance(again.error, MediaRejectedError)
    assert again.error.violations == first.error.violations


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    "state", [PostState.HELD, PostState.CANCELLED, PostState.MISSED, PostState.FAILED]
)
def test_a_post_that_is_not_for_a_run_skips_with_its_state_and_reason(
    operator: Any, state: PostState, worker: Workspace, account: Account
) -> None:
    post = factories.make_post(worker, account, state=state, reason="somebody said so")
    ended = run_task(operator, post_id=post.id)
    assert ended.skipped_because == f"post {post.id} is {state}: somebody said so."


def test_the_same_bytes_as_another_post_skip(
    worker: Workspace, account: Account, video: Post
) -> None:
    twin = factories.make_post(worker, account, content=media_files.h264_mp4(), validated=False)
    run_task(ValidateMediaOperator, post_id=video.id)
    ended = run_task(ValidateMediaOperator, post_id=twin.id)
    assert f"the same bytes as post {video.id}" in ended.skipped_because


def test_a_process_that_cannot_be_started_is_waited_for_and_the_post_is_kept(
    video: Post, read_post: Callable[[int], Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_no_process(monkeypatch)
    ended = run_task(ValidateMediaOperator, post_id=video.id)
    assert ended.state == "up_for_retry"
    assert isinstance(ended.error, MediaToolError)
    assert ended.message.retry_reason == ended.error.code
    assert read_post(video.id).state is PostState.READY


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_wrong_setting_fails_at_once_and_is_named(
    operator: Any, video: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_BATCH_SIZE", "many")
    ended = run_task(operator, post_id=video.id)
    assert ended.state == "failed"
    assert isinstance(ended.error, ConfigurationError)
    assert "REELFLOW_BATCH_SIZE is 'many'" in str(ended.error)


def test_each_stage_renews_the_claim_of_its_run(
    worker: Workspace, video: Post, read_post: Callable[[int], Post]
) -> None:
    run_task(ValidateMediaOperator, run_id="run-7", post_id=video.id)
    claimed = read_post(video.id)
    assert claimed.claimed_by == "run-7"
    assert claimed.claimed_until is not None
    assert claimed.claimed_until > worker.ledger.now()


@pytest.mark.parametrize("engine", AnalysisEngine)
def test_a_detection_engine_that_is_set_up_wrongly_stops_only_who_asks_it(
    engine: AnalysisEngine,
    worker: Workspace,
    account: Account,
    video: Post,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, '{"conn_type": "http"}')
    factories.change_account(
        worker,
        account.id,
        analysis_policy=AnalysisPolicy.LABEL,
        analysis_engine=engine,
        analysis_model_type=MODEL_TYPES[engine][0],
    )
    ended = run_task(ValidateMediaOperator, post_id=video.id)
    asks_it = engine is AnalysisEngine.HTTP
    assert ended.state == ("failed" if asks_it else "success")
    assert ("detection_default" in str(ended.error)) == asks_it


# Ahead of time


@pytest.fixture
def future(worker: Workspace, account: Account) -> Post:
    """A post of a real video that is due next week."""
    return factories.make_post(
        worker,
        account,
        content=media_files.h264_mp4(),
        validated=False,
        due_at=worker.ledger.now() + timedelta(days=7),
    )


def test_media_are_found_and_prepared_without_a_claim(
    worker: Workspace, future: Post, read_post: Callable[[int], Post]
) -> None:
    assert run_task(FindUnpreparedMediaOperator).result == [future.id]
    for operator in OPERATORS:
        assert run_task(operator, post_id=future.id, ahead=True).state == "success"
    after = read_post(future.id)
    assert (after.claimed_by, after.due_at) == (None, future.due_at)
    assert (after.media.display_width, len(after.media.candidates or [])) == (640, 4)
    assert run_task(FindUnpreparedMediaOperator, run_id="another").result == []


@pytest.mark.parametrize("operator", OPERATORS)
def test_ahead_of_time_what_is_due_skips(operator: Any, video: Post) -> None:
    ended = run_task(operator, post_id=video.id, ahead=True)
    assert ended.skipped_because == (
        f"post {video.id} is due: the run that publishes it prepares it"
    )


def test_a_post_that_is_held_ahead_of_time_gets_its_pictures_all_the_same(
    worker: Workspace, account: Account, read_post: Callable[[int], Post]
) -> None:
    factories.change_account(worker, account.id, analysis_policy=AnalysisPolicy.HOLD)
    content = content_credentials.sign(media_files.h264_mp4().read_bytes(), "video/mp4")
    post = factories.make_post(
        worker,
        account,
        content=content,
        validated=False,
        due_at=worker.ledger.now() + timedelta(days=7),
    )
    for operator in OPERATORS:
        assert run_task(operator, post_id=post.id, ahead=True).state == "success"
    after = read_post(post.id)
    assert (after.state, after.reason_code) == (PostState.HELD, AI_GENERATED)
    assert len(after.media.candidates or []) == 4


def test_uploads_without_a_post_are_looked_into_once(worker: Workspace) -> None:
    first = upload(worker, content=media_files.h264_mp4().read_bytes())
    upload(worker, content=b"words", file_name="clip.mov")
    ended = run_task(MeasureUploadsOperator)
    assert (ended.state, ended.result) == ("success", 2)
    with worker.ledger.read() as session:
        assert session.get_one(Media, first.id).thumbnail_path is not None
    assert run_task(MeasureUploadsOperator).result == 0
