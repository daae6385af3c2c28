"""Videos of the dashboard: whole, recorded and judged, or gone without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from reelflow.analysis.base import Analysis, Subject
from reelflow.domain.analysis import AnalysisEngine
from reelflow.domain.upload_session import SessionState
from reelflow.exceptions import (
    AnalysisRefusedError,
    AnalysisUnavailableError,
    MediaRejectedError,
    QuotaExceededError,
    TerminalError,
)
from reelflow.ledger import upload_sessions
from reelflow.ledger.models import Account, Media
from reelflow.services.intake.engines import open_engines
from reelflow.services.intake.lone_media import measure_lone_media, waiting_lone_media
from reelflow.services.intake.submission import submit_post
from reelflow.services.uploads.dashboard import sessions as dashboard
from reelflow.services.uploads.dashboard.video import Video, find_video, keep_video
from reelflow.services.uploads.media import delete_media, find_media
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.uploads.whole.files import WholeFile
from reelflow.services.uploads.whole.spool import Spool, open_spool
from reelflow.services.workspace import Workspace
from tests import media_files
from tests.chunked_uploads import ANNA, BEN, ROOT
from tests.factories import Clock
from tests.frail_store import Died
from tests.intake_users import limit_user
from tests.left_behind import assert_nothing_is_left, reserved, used
from tests.postgresql import ON_BOTH_DATABASES
from tests.presigning_folder import PresigningFolder
from tests.unit.reelflow.services.intake.scripted_engine import ScriptedEngine, engines

pytestmark = ON_BOTH_DATABASES


@pytest.fixture
def spool() -> Iterator[Spool]:
    with open_spool() as spool:
        spool.write(media_files.h264_mp4().read_bytes())
        yield spool


@pytest.fixture
def session_id(bucket: Workspace, spool: Spool) -> str:
    """A session whose file has just come."""
    session_id = dashboard.open_session(bucket, ANNA).id
    dashboard.use_session(bucket, ANNA, session_id)
    dashboard.reserve_room(bucket, session_id, size_bytes=spool.size_bytes + 200)
    return session_id


@pytest.fixture
def keep(bucket: Workspace, session_id: str, spool: Spool) -> Callable[[ScriptedEngine], Video]:
    file = WholeFile("clip.mp4", "video/mp4", spool)
    return lambda engine: keep_video(bucket, ANNA, session_id, file, engines(engine))


Keep = Callable[[ScriptedEngine], Video]


class DyingEngine(ScriptedEngine):
    """The process dies as it asks this engine."""

    def start(self, subject: Subject, *, model_type: str) -> Analysis:
        raise Died


def keys(bucket_store: PresigningFolder) -> list[str]:
    return [info.key for info in bucket_store.list("dashboard-uploads")]


def test_an_analysis_goes_on_until_it_is_read(
    bucket: Workspace, bucket_store: PresigningFolder, session_id: str, keep: Keep, spool: Spool
) -> None:
    engine = ScriptedEngine()
    kept = keep(engine)
    assert (kept.detection.verdict, kept.detection.remaining_s) == (None, 5)
    assert engine.polls == 0
    key = f"dashboard-uploads/anna/{session_id}.mp4"
    assert keys(bucket_store) == [key]
    assert (kept.object_name, kept.container) == (f"prefix/{key}", "mp4")
    assert kept.url is not None
    assert kept.url.endswith(f"{key}?for=3600")
    assert used(bucket) == (1, spool.size_bytes)
    assert reserved(bucket) == (0, 0)

    found = find_video(bucket, ANNA, session_id, engines(engine))
    assert found.detection.id == kept.detection.id
    assert found.detection.verdict is not None
    assert found.detection.verdict.is_fake is True
    again = find_video(bucket, ANNA, session_id, {}).detection.verdict
    assert again is not None
    assert again.verdict_id == found.detection.verdict.verdict_id


def test_a_file_larger_than_was_reserved_must_fit_into_the_quota(
    bucket: Workspace, bucket_store: PresigningFolder, spool: Spool
) -> None:
    """Each of two at once had room for what was known of it, and both have not."""
    sessions = [dashboard.open_session(bucket, ANNA).id for _ in range(2)]
    for session_id in sessions:
        dashboard.use_session(bucket, ANNA, session_id)
        dashboard.reserve_room(bucket, session_id, size_bytes=0)
    limit_user(bucket, bytes_per_day=2 * spool.size_bytes - 1)
    file = WholeFile("clip.mp4", "video/mp4", spool)
    keep_video(bucket, ANNA, sessions[0], file, engines(ScriptedEngine()))
    with pytest.raises(QuotaExceededError):
        keep_video(bucket, ANNA, sessions[1], file, engines(ScriptedEngine()))
    dashboard.give_up(bucket, sessions[1])
    assert (used(bucket), reserved(bucket)) == ((1, spool.size_bytes), (0, 0))
    assert keys(bucket_store) == [f"dashboard-uploads/anna/{sessions[0]}.mp4"]


def test_a_video_is_looked_into_once_it_is_kept_and_then_nothing_waits(
    bucket: Workspace, session_id: str, keep: Keep
) -> None:
    keep(ScriptedEngine())
    assert waiting_lone_media(bucket) == [session_id]
    assert measure_lone_media(bucket, session_id)
    assert waiting_lone_media(bucket) == []
    assert not measure_lone_media(bucket, session_id)
    with bucket.ledger.read() as session:
        media = session.get_one(Media, session_id)
    assert media.thumbnail_path is not None
    assert bucket.folders.store.stat(media.thumbnail_path) is not None
    assert (media.container, media.video_codec) == ("mp4", "h264")


def test_a_video_that_is_given_up_leaves_no_picture(
    bucket: Workspace, session_id: str, keep: Keep
) -> None:
    with pytest.raises(Died):
        keep(DyingEngine())
    assert measure_lone_media(bucket, session_id)
    dashboard.give_up(bucket, session_id)
    assert_nothing_is_left(bucket)


def test_a_file_without_evidence_is_judged_at_once(
    bucket: Workspace, session_id: str, spool: Spool
) -> None:
    file = WholeFile("clip.mp4", "", spool)
    with open_engines(None) as embedded:
        kept = keep_video(bucket, ANNA, session_id, file, embedded)
    assert kept.detection.id == f"{session_id}-provenance"
    assert kept.detection.verdict is not None
    assert kept.detection.verdict.is_fake is None


def test_an_engine_that_refuses_the_file_has_said_so(keep: Keep) -> None:
    engine = ScriptedEngine()
    engine.start_failure = AnalysisRefusedError("the engine judges faces only")
    verdict = keep(engine).detection.verdict
    assert verdict is not None
    assert (verdict.is_fake, verdict.refused_because) == (None, "the engine judges faces only")


def test_an_engine_that_cannot_be_asked_leaves_nothing_once_that_is_undone(
    bucket: Workspace, bucket_store: PresigningFolder, session_id: str, keep: Keep
) -> None:
    engine = ScriptedEngine()
    engine.start_failure = AnalysisUnavailableError("the engine is away")
    with pytest.raises(AnalysisUnavailableError):
        keep(engine)
    done = dashboard.give_up(bucket, session_id)
    assert done == dashboard.CleanUp(session_closed=True, row_deleted=True, object_deleted=True)
    assert keys(bucket_store) == []
    assert_nothing_is_left(bucket)


def test_an_engine_that_is_away_for_a_while_is_still_processing(
    bucket: Workspace, session_id: str, keep: Keep
) -> None:
    engine = ScriptedEngine()
    keep(engine)
    engine.poll_failures = [AnalysisUnavailableError("the engine is away")]
    video = find_video(bucket, ANNA, session_id, engines(engine))
    assert video.detection.verdict is None
    assert find_video(bucket, ANNA, session_id, engines(engine)).detection.verdict is not None


@pytest.mark.parametrize("when", ["after the file is stored", "as the engine is asked"])
def test_a_process_that_dies_leaves_nothing_after_the_sweep(
    bucket: Workspace, bucket_store: PresigningFolder, keep: Keep, clock: Clock, when: str
) -> None:
    def die() -> None:
        raise Died

    if when == "after the file is stored":
        bucket_store.after_put = die
    with pytest.raises(Died):
        keep(DyingEngine())
    assert len(keys(bucket_store)) == 1
    clock.advance(timedelta(hours=2))
    assert len(expire_uploads(bucket, actor="sweep")) == 1
    assert keys(bucket_store) == []
    assert_nothing_is_left(bucket)


@pytest.mark.parametrize("when", ["before_put", "after_put", "before_open"])
def test_a_session_that_is_given_up_meanwhile_keeps_no_file(
    bucket: Workspace,
    bucket_store: PresigningFolder,
    session_id: str,
    keep: Keep,
    clock: Clock,
    when: str,
) -> None:
    setattr(bucket_store, when, lambda: dashboard.cancel(bucket, ANNA, session_id))
    with pytest.raises(TerminalError) as caught:
        keep(ScriptedEngine())
    assert caught.value.code == "session_not_found"
    assert not dashboard.give_up(bucket, session_id).session_closed
    assert keys(bucket_store) == []
    clock.advance(timedelta(hours=2))
    assert expire_uploads(bucket, actor="sweep") == [session_id]
    assert_nothing_is_left(bucket)


def test_a_video_that_comes_after_its_session_was_given_up_goes_with_the_sweep(
    bucket: Workspace, bucket_store: PresigningFolder, session_id: str, keep: Keep, clock: Clock
) -> None:
    def die() -> None:
        dashboard.cancel(bucket, ANNA, session_id)
        raise Died

    bucket_store.after_put = die
    with pytest.raises(Died):
        keep(ScriptedEngine())
    bucket_store.put(f"dashboard-uploads/anna/{session_id}.mp4", b"late", size_bytes=4)
    clock.advance(timedelta(hours=2))
    assert expire_uploads(bucket, actor="sweep") == [session_id]
    assert keys(bucket_store) == []
    assert_nothing_is_left(bucket)


def test_a_video_that_breaks_a_rule_is_not_stored(
    bucket: Workspace, bucket_store: PresigningFolder, session_id: str
) -> None:
    with open_spool() as spool:
        spool.write(media_files.truncated_mp4().read_bytes())
        file = WholeFile("clip.mp4", "video/mp4", spool)
        with pytest.raises(MediaRejectedError) as caught:
            keep_video(bucket, ANNA, session_id, file, {})
    assert caught.value.code == "not_this_media"
    assert keys(bucket_store) == []


def test_a_video_is_told_of_to_its_user_alone_and_when_it_is_whole(
    bucket: Workspace, session_id: str, keep: Keep
) -> None:
    with pytest.raises(Died):
        keep(DyingEngine())
    with pytest.raises(TerminalError, match="no such video"):
        find_video(bucket, ANNA, session_id, {})
    with bucket.ledger.write() as session:
        upload_sessions.move(session, session_id, SessionState.FINISHED, now=bucket.ledger.now())
    engine = ScriptedEngine()
    for user in (ANNA, ROOT):
        assert find_video(bucket, user, session_id, engines(engine)).media.id == session_id
    for stranger, video_id in ((BEN, session_id), (ANNA, "\0"), (ANNA, "0" * 32)):
        with pytest.raises(TerminalError) as caught:
            find_video(bucket, stranger, video_id, {})
        assert caught.value.code == "video_not_found"


def test_a_video_is_nobodys_to_take_before_its_session_is_finished(
    bucket: Workspace, bucket_store: PresigningFolder, account: Account, session_id: str, keep: Keep
) -> None:
    """Else a post holds on to a record that goes if the engine fails."""
    with pytest.raises(Died):
        keep(DyingEngine())
    wish = {"media_ids": [session_id], "account": "acme", "privacy_level": "SELF_ONLY"}
    for user in (ANNA, ROOT):
        for take in (
            lambda user=user: submit_post(bucket, user, wish),
            lambda user=user: find_media(bucket, user, session_id),
            lambda user=user: delete_media(bucket, user, session_id),
        ):
            with pytest.raises(TerminalError) as caught:
                take()
            assert caught.value.code == "media_not_found"
    assert dashboard.give_up(bucket, session_id).row_deleted
    assert keys(bucket_store) == []
    assert_nothing_is_left(bucket)


def test_a_video_can_be_posted_once_its_session_is_finished(
    bucket: Workspace, account: Account, session_id: str, keep: Keep
) -> None:
    keep(ScriptedEngine())
    wish = {"media_ids": [session_id], "account": "acme", "privacy_level": "SELF_ONLY"}
    post_id, is_new = submit_post(bucket, ANNA, wish)
    assert is_new
    assert find_media(bucket, ANNA, session_id).post_ids == [post_id]


def test_a_verdict_is_told_also_of_a_video_that_was_deleted(
    bucket: Workspace, session_id: str, keep: Keep
) -> None:
    engine = ScriptedEngine()
    engine.estimated_s = None
    keep(engine)
    with bucket.ledger.write() as session:
        session.get_one(Media, session_id).deleted_at = bucket.ledger.now()
    video = find_video(bucket, ANNA, session_id, {})
    assert video.detection.id == f"{session_id}-{AnalysisEngine.HTTP}"
    assert video.detection.verdict is not None
    assert video.url is None
