"""A post whose media are still to come: nothing trips over it, and nothing sends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reelflow.domain.analysis import AnalysisPolicy
from reelflow.domain.post import PostKind, PostState
from reelflow.domain.schedule import BackfillRun, NormalRun
from reelflow.exceptions import IllegalTransitionError, PostNotTakeableError
from reelflow.ledger import photo_images
from reelflow.ledger.accounts import TokenSet
from reelflow.ledger.models import Account, Post
from reelflow.services import report
from reelflow.services.accounts.enrolment import store_access
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.cleanup import clean_up_files
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.ahead import find_unprepared_media, waiting_media
from reelflow.services.intake.analyse import analyse
from reelflow.services.intake.moves import finish_moves
from reelflow.services.intake.post_wish import PostWish
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.intake.submit import create_post
from reelflow.services.settling.sweep import SweepReport, expire_sessions
from reelflow.services.steering.commands import cancel, retry
from reelflow.services.steering.covers import choose_cover
from reelflow.services.steering.editing import edit_post
from reelflow.services.summarize import summarize
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, Clock, change_account, read_post, waiting_work
from tests.intake_users import ANN
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.settling.asked_tiktok import AskedTikTok

pytestmark = ON_BOTH_DATABASES

KINDS = ["video", "image"]


def awaiting(workspace: Workspace, media_type: str, **fields: object) -> Post:
    data = {"account": "acme", "privacy_level": "PUBLIC_TO_EVERYONE", **fields}
    with workspace.ledger.write() as session:
        return create_post(
            session,
            user=ANN,
            wish=PostWish.parse(data, media_type),
            media=[],
            now=workspace.ledger.now(),
            actor=ANN.actor,
        ).post


@pytest.mark.parametrize("media_type", KINDS)
def test_no_run_takes_it_however_long_it_is_due(
    workspace: Workspace, account: Account, clock: Clock, media_type: str
) -> None:
    due = clock() - timedelta(hours=1)
    post = awaiting(workspace, media_type, publish_at=due.isoformat())
    clock.advance(timedelta(days=3))
    assert waiting_work(workspace) == frozenset()
    late = timedelta(hours=24)
    assert find_new_uploads(workspace, NormalRun("run", clock(), late), actor=ACTOR) == []
    backfill = BackfillRun("backfill", due - timedelta(days=1), due + timedelta(days=1))
    assert find_new_uploads(workspace, backfill, actor=ACTOR) == []
    assert read_post(workspace, post.id).reason_code == "no_media"


@pytest.mark.parametrize("media_type", KINDS)
def test_nothing_of_it_is_prepared_ahead_of_time(
    workspace: Workspace, account: Account, media_type: str
) -> None:
    change_account(workspace, account.id, analysis_policy=AnalysisPolicy.HOLD)
    post = awaiting(workspace, media_type)
    assert waiting_media(workspace) == frozenset()
    assert find_unprepared_media(workspace, run_id="run") == []
    for run_id in ("run", None):
        stages: list[Callable[[], object]] = [
            lambda run_id=run_id: validate(workspace, post.id, run_id=run_id, actor=ACTOR),
            lambda run_id=run_id: extract_metadata(workspace, post.id, run_id=run_id),
            lambda run_id=run_id: generate_thumbnail(
                workspace, post.id, run_id=run_id, actor=ACTOR
            ),
            lambda run_id=run_id: analyse(
                workspace, post.id, engines={}, run_id=run_id, actor=ACTOR
            ),
        ]
        for stage in stages:
            with pytest.raises(PostNotTakeableError, match="no media yet"):
                stage()
    after = read_post(workspace, post.id)
    assert (after.state, after.media.violations) == (PostState.HELD, None)


@pytest.mark.parametrize("media_type", KINDS)
def test_what_sweeps_leaves_it_alone(
    workspace: Workspace,
    account: Account,
    clock: Clock,
    media_type: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    post = awaiting(workspace, media_type)
    clock.advance(timedelta(days=30))
    finish_moves(workspace, actor=ACTOR)
    swept = expire_sessions(workspace, AskedTikTok(), actor=ACTOR, longest_put_s=1)
    assert swept == SweepReport()
    assert caplog.messages == []
    assert summarize(workspace, "run").problems == []
    after = read_post(workspace, post.id)
    assert (after.state, after.media.awaited, after.rescheduled_because) == (
        PostState.HELD,
        True,
        None,
    )


@pytest.mark.parametrize("media_type", KINDS)
def test_it_is_listed_and_shown_with_why_it_waits(
    workspace: Workspace, account: Account, media_type: str
) -> None:
    post = awaiting(workspace, media_type)
    (row,) = report.list_posts(workspace)
    shown = report.show_post(workspace, post.id)
    for told in (row, shown):
        assert told["file_name"] == "(no media yet)"
        assert (told["media_ids"], told["size_bytes"], told["reason_code"]) == ([], 0, "no_media")
    assert shown["images"] == []


def test_its_fields_and_its_cover_are_chosen_before_its_media_come(
    workspace: Workspace, account: Account
) -> None:
    post = awaiting(workspace, "video")
    choose_cover(workspace, post.id, actor=ACTOR, at_ms=500)
    edit_post(workspace, post.id, {"caption": "new"}, actor=ACTOR)
    after = read_post(workspace, post.id)
    assert (after.state, after.cover_timestamp_ms, after.caption) == (PostState.HELD, 500, "new")
    photos = awaiting(workspace, "image")
    edit_post(workspace, photos.id, {"cover_index": 3}, actor=ACTOR)
    assert read_post(workspace, photos.id).photo_cover_index == 3


def test_it_is_cancelled_and_is_not_tried_again(workspace: Workspace, account: Account) -> None:
    post = awaiting(workspace, "video")
    cancel(workspace, post.id, actor=ACTOR)
    with pytest.raises(IllegalTransitionError, match="has no media yet"):
        retry(workspace, post.id, actor=ACTOR)
    assert not clean_up_files(workspace, post.id)
    assert read_post(workspace, post.id).state is PostState.CANCELLED


def test_two_of_them_are_no_duplicates(workspace: Workspace, account: Account) -> None:
    assert awaiting(workspace, "video").id != awaiting(workspace, "video").id


def test_an_account_whose_access_comes_back_does_not_release_it(
    workspace: Workspace, account: Account
) -> None:
    post = awaiting(workspace, "video")
    mark_revoked(workspace, account.id, why="test", actor=ACTOR)
    tokens = TokenSet("act.new")
    connected = store_access(
        workspace, open_id=account.open_id, name=account.name, tokens=tokens, actor=ACTOR
    )
    assert connected.released == []
    assert read_post(workspace, post.id).reason_code == "no_media"


def test_it_counts_as_a_photo_post_that_may_yet_be_published(
    workspace: Workspace, account: Account
) -> None:
    post = awaiting(workspace, "image")
    with workspace.ledger.read() as session:
        assert photo_images.count_unsent_posts(session) == 1
        files = photo_images.media_of(session, read_post(workspace, post.id))
    assert [one.awaited for one in files] == [True]
    assert post.kind is PostKind.PHOTO
