"""Analysing posts: asked once, waited for in bounds, and followed as the account wants it."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select

from reelflow.analysis.base import Progress
from reelflow.domain.analysis import AI_GENERATED, NOT_ANALYSED, AnalysisEngine, AnalysisPolicy
from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    AnalysisLostError,
    AnalysisPendingError,
    AnalysisRefusedError,
    AnalysisUnavailableError,
    ConfigurationError,
    MediaRejectedError,
    PostHeldError,
    PostNotTakeableError,
)
from reelflow.ledger import audit, publications, verdicts
from reelflow.ledger.models import Account, Media, Post, Verdict
from reelflow.services.intake.analyse import analyse, engine_asked, obtain_verdicts
from reelflow.services.intake.engines import open_engines
from reelflow.services.steering import commands
from reelflow.services.workspace import Workspace
from tests import content_credentials, media_files, photo_files
from tests.data_folder import data_folder
from tests.factories import ACTOR, change_account, read_post
from tests.postgresql import ON_BOTH_DATABASES
from tests.unit.reelflow.services.intake.scripted_engine import ScriptedEngine, engines
from tests.unit.reelflow.services.publication_factory import make_publication

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]
RUN = "run"


def no_wait(seconds: float) -> None:
    """Wait in no time."""


def ask(
    workspace: Workspace, post: Post, engine: ScriptedEngine, **options: Any
) -> Sequence[Verdict]:
    return analyse(
        workspace, post.id, engines=engines(engine), run_id=RUN, actor=ACTOR, sleep=no_wait,
        **options,
    )  # fmt: skip


def want(workspace: Workspace, account: Account, policy: AnalysisPolicy, **more: Any) -> None:
    wish = {"analysis_engine": AnalysisEngine.HTTP, "analysis_model_type": "cnn", **more}
    change_account(workspace, account.id, analysis_policy=policy, **wish)


def story(workspace: Workspace, post: Post) -> list[str]:
    with workspace.ledger.read() as session:
        return [entry.why for entry in audit.story(session, post.id)]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def post(account: Account, make_post: MakePost) -> Post:
    return make_post(account)


def test_an_account_that_does_not_ask_is_not_asked_for(
    workspace: Workspace, post: Post, engine: ScriptedEngine
) -> None:
    assert engine_asked(workspace, post.id) is None
    assert ask(workspace, post, engine) == []
    assert engine.started == []


def test_the_model_type_is_passed_through_and_the_verdict_is_asked_for_once(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.LABEL)
    assert engine_asked(workspace, post.id) is AnalysisEngine.HTTP
    (found,) = ask(workspace, post, engine)
    (again,) = ask(workspace, post, engine)
    assert (found.verdict_id, again.verdict_id) == ("v-1", "v-1")
    assert engine.model_types == ["cnn"]
    assert engine.started[0].sha256 == post.sha256


def test_an_engine_is_told_the_hash_of_a_file_that_nobody_hashed_yet(
    workspace: Workspace, account: Account, make_post: MakePost, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.LABEL)
    ask(workspace, make_post(account, content=b"video", validated=False), engine)
    assert [subject.sha256 for subject in engine.started] == [sha256(b"video").hexdigest()]


def test_a_generated_post_is_labelled_once(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.LABEL)
    ask(workspace, post, engine)
    ask(workspace, post, engine)
    after = read_post(workspace, post.id)
    assert (after.is_aigc, after.state) == (True, PostState.READY)
    told = [why for why in story(workspace, post) if "labelled as AI-generated" in why]
    assert told == [
        "labelled as AI-generated: clip.mp4 is generated, says http/cnn (confidence 90%)"
    ]


def test_what_a_person_approved_is_labelled_once_the_account_asks_for_labels(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)
    with pytest.raises(PostHeldError):
        ask(workspace, post, engine)
    commands.release(workspace, post.id, actor="mia")
    want(workspace, account, AnalysisPolicy.LABEL)
    ask(workspace, post, engine)
    assert read_post(workspace, post.id).is_aigc


def test_what_was_begun_without_the_label_is_given_up(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    make_publication(workspace, post, state=PublicationState.UPLOADING)
    want(workspace, account, AnalysisPolicy.LABEL)
    ask(workspace, post, engine)
    with workspace.ledger.read() as session:
        assert publications.current(session, post.id) is None


def test_a_generated_draft_is_not_said_to_be_labelled(
    workspace: Workspace, account: Account, make_post: MakePost, engine: ScriptedEngine
) -> None:
    post = make_post(account, mode=PostMode.DRAFT)
    begun = make_publication(workspace, post, state=PublicationState.UPLOADING)
    want(workspace, account, AnalysisPolicy.LABEL)
    ask(workspace, post, engine)
    assert story(workspace, post)[-1].startswith(
        "AI-generated, and a draft carries no label: set it in TikTok's app: clip.mp4 is generated"
    )
    assert read_post(workspace, post.id).is_aigc
    with workspace.ledger.read() as session:
        current = publications.current(session, post.id)
    assert current is not None
    assert current.id == begun.id


@pytest.mark.parametrize("is_fake", [False, None])
@pytest.mark.parametrize("policy", AnalysisPolicy)
def test_a_post_that_nothing_is_held_against_goes_on_as_it_is(
    workspace: Workspace,
    account: Account,
    post: Post,
    policy: AnalysisPolicy,
    is_fake: bool | None,
) -> None:
    want(workspace, account, policy)
    ask(workspace, post, ScriptedEngine(is_fake=is_fake))
    after = read_post(workspace, post.id)
    assert (after.state, after.is_aigc) == (PostState.READY, False)


def test_a_held_post_waits_for_approval_and_the_same_verdict_holds_it_no_more(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)
    with pytest.raises(PostHeldError, match="reelflow posts release"):
        ask(workspace, post, engine)
    held = read_post(workspace, post.id)
    assert (held.state, held.reason_code) == (PostState.HELD, AI_GENERATED)
    assert "clip.mp4 is generated, says http/cnn" in held.reason
    with pytest.raises(PostNotTakeableError):  # as every run leaves it alone
        ask(workspace, post, engine)
    commands.release(workspace, post.id, actor="mia")
    (found,) = ask(workspace, post, engine)
    assert (found.approved_by, len(engine.started)) == ("mia", 1)
    assert read_post(workspace, post.id).state is PostState.READY
    assert "approved: clip.mp4 is generated, says http/cnn (confidence 90%)" in story(
        workspace, post
    )


def test_a_new_verdict_holds_an_approved_post_again(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)
    with pytest.raises(PostHeldError):
        ask(workspace, post, engine)
    commands.release(workspace, post.id, actor="mia")
    want(workspace, account, AnalysisPolicy.HOLD, analysis_model_type="resnet")
    with pytest.raises(PostHeldError, match="http/resnet"):
        ask(workspace, post, engine)


def test_releasing_a_post_held_for_something_else_approves_nothing(
    workspace: Workspace, account: Account, make_post: MakePost, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)
    post = make_post(account, state=PostState.HELD, reason_code="no_privacy")
    (found,) = obtain_verdicts(workspace, post, engines=engines(engine), sleep=no_wait)
    assert found.is_fake
    commands.release(workspace, post.id, actor="mia")
    with pytest.raises(PostHeldError):
        ask(workspace, post, engine)


def test_a_rejected_post_says_why_and_goes_on_once_a_person_has_decided(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.REJECT)
    with pytest.raises(MediaRejectedError) as caught:
        ask(workspace, post, engine)
    (violation,) = caught.value.violations
    assert violation["rule"] == AI_GENERATED
    assert "http/cnn" in violation["value"]
    assert violation["limit"] == "nothing generated is posted to acme"
    assert "reelflow posts retry" in violation["fix"]
    rejected = read_post(workspace, post.id)
    assert rejected.state is PostState.REJECTED
    assert rejected.media.source_path.startswith("quarantine/")
    assert rejected.media.facts is not None
    want(workspace, account, AnalysisPolicy.HOLD)
    commands.retry(workspace, post.id, actor="mia")
    with pytest.raises(PostHeldError):
        ask(workspace, post, engine)
    commands.release(workspace, post.id, actor="mia")
    want(workspace, account, AnalysisPolicy.REJECT)
    ask(workspace, post, engine)
    assert read_post(workspace, post.id).state is PostState.READY


def test_a_rejected_post_keeps_what_is_known_of_its_file_as_it_stands(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    known = {"container": "mp4", "kind": "video", "size_bytes": 7, "told by a later version": 1}
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media.id).facts = known
    want(workspace, account, AnalysisPolicy.REJECT)
    with pytest.raises(MediaRejectedError):
        ask(workspace, post, engine)
    assert read_post(workspace, post.id).media.facts == known


@pytest.mark.parametrize(
    "policy", [AnalysisPolicy.LABEL, AnalysisPolicy.HOLD, AnalysisPolicy.REJECT]
)
def test_a_file_that_the_engine_refuses_waits_for_a_person(
    workspace: Workspace,
    account: Account,
    post: Post,
    engine: ScriptedEngine,
    policy: AnalysisPolicy,
) -> None:
    want(workspace, account, policy)
    engine.start_failure = AnalysisRefusedError("no face in it")
    with pytest.raises(PostHeldError, match="no face in it"):
        ask(workspace, post, engine)
    assert read_post(workspace, post.id).reason_code == NOT_ANALYSED
    commands.release(workspace, post.id, actor="mia")
    ask(workspace, post, engine)
    assert read_post(workspace, post.id).state is PostState.READY


def test_an_analysis_that_fails_later_is_refused_too(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)
    engine.poll_failures = [AnalysisRefusedError("it failed")]
    with pytest.raises(PostHeldError, match="it failed"):
        ask(workspace, post, engine)


def test_nothing_is_held_against_an_account_that_asks_no_more(
    workspace: Workspace, account: Account, post: Post
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)

    class Late(ScriptedEngine):
        """An engine that refuses when a person has just told the account to ignore analysis."""

        def poll(self, analysis_id: str) -> Progress:
            want(workspace, account, AnalysisPolicy.IGNORE)
            raise AnalysisRefusedError("it failed")

    ask(workspace, post, Late())
    assert read_post(workspace, post.id).state is PostState.READY


def test_a_post_of_one_generated_image_and_one_unjudged_is_rejected(
    workspace: Workspace, account: Account, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.REJECT)
    images = [photo_files.image(shade=shade) for shade in (1, 2)]
    post = photo_files.make_photo_post(workspace, account, images=images)
    engine.poll_failures = [AnalysisRefusedError("it failed")]
    with pytest.raises(MediaRejectedError, match="is generated"):
        ask(workspace, post, engine)
    assert read_post(workspace, post.id).state is PostState.REJECTED


def test_what_takes_longer_is_asked_for_by_the_next_try_and_not_begun_again(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.LABEL)
    engine.polls_needed = 5
    with pytest.raises(AnalysisPendingError) as caught:
        ask(workspace, post, engine, wait_s=12)
    assert (caught.value.retry_after_s, engine.polls) == (5, 2)
    assert read_post(workspace, post.id).state is PostState.READY
    (found,) = ask(workspace, post, engine, wait_s=10)
    assert (found.is_fake, len(engine.started)) == (True, 1)


@pytest.mark.parametrize(
    ("estimated_s", "says_what_remains", "pauses"),
    [
        (None, False, [1, 1]),
        (5, False, [5, 1, 1]),
        (5, True, [5, 5, 5]),
        (40, False, [15, 15, 10]),
        (40, True, [15, 5, 5]),
    ],
)
def test_the_engines_own_estimate_is_waited_for(
    workspace: Workspace,
    account: Account,
    post: Post,
    engine: ScriptedEngine,
    estimated_s: float | None,
    says_what_remains: bool,
    pauses: list[float],
) -> None:
    want(workspace, account, AnalysisPolicy.LABEL)
    engine.polls_needed, engine.estimated_s = 3, estimated_s
    engine.remaining_s = 5 if says_what_remains else None
    slept: list[float] = []
    analyse(
        workspace, post.id, engines=engines(engine), run_id=RUN, actor=ACTOR, sleep=slept.append
    )
    assert slept == pauses


def test_files_that_are_judged_at_once_are_waited_for_once(
    workspace: Workspace, account: Account, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.LABEL)
    post = photo_files.make_photo_post(
        workspace, account, images=[photo_files.image(shade=shade) for shade in (1, 2, 3)]
    )
    slept: list[float] = []
    analyse(
        workspace, post.id, engines=engines(engine), run_id=RUN, actor=ACTOR, sleep=slept.append
    )
    assert (len(engine.started), slept) == (3, [5])


def test_an_analysis_that_the_engine_lost_is_begun_again(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.LABEL)
    engine.poll_failures = [AnalysisLostError("gone")]
    (found,) = ask(workspace, post, engine)
    assert (found.verdict_id, len(engine.started)) == ("v-1", 2)


def test_an_analysis_that_another_run_began_again_is_not_forgotten(
    workspace: Workspace, account: Account, post: Post
) -> None:
    want(workspace, account, AnalysisPolicy.LABEL)

    class Overtaken(ScriptedEngine):
        """An engine that lost an analysis, which another run has begun again by now."""

        def poll(self, analysis_id: str) -> Progress:
            if analysis_id == "another":
                return super().poll(analysis_id)
            with workspace.ledger.write() as session:
                session.scalars(select(Verdict)).one().analysis_id = "another"
            raise AnalysisLostError("it is gone")

    overtaken = Overtaken()
    (found,) = ask(workspace, post, overtaken)
    assert (found.is_fake, len(overtaken.started)) == (True, 1)


def test_an_engine_that_cannot_be_asked_leaves_the_post_as_it_is(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.REJECT)
    engine.start_failure = AnalysisUnavailableError("busy")
    with pytest.raises(AnalysisUnavailableError):
        ask(workspace, post, engine)
    with pytest.raises(ConfigurationError, match="detection_default"):
        analyse(workspace, post.id, engines={}, run_id=RUN, actor=ACTOR)
    assert read_post(workspace, post.id).state is PostState.READY


def test_a_post_whose_file_changed_is_rejected_and_its_file_not_sent(
    workspace: Workspace, account: Account, post: Post, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)
    data_folder(workspace).path(post.media.source_path).write_bytes(b"something else altogether")
    with pytest.raises(MediaRejectedError, match="changed after it was taken from the inbox"):
        ask(workspace, post, engine)
    assert engine.started == []
    rejected = read_post(workspace, post.id)
    assert (rejected.state, rejected.reason_code) == (PostState.REJECTED, "source_changed")


@pytest.mark.parametrize("state", sorted(set(PostState) - {PostState.READY, PostState.REJECTED}))
def test_only_a_ready_post_is_moved(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    engine: ScriptedEngine,
    state: PostState,
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)
    post = make_post(account, state=state)
    with contextlib.suppress(PostNotTakeableError):
        assert ask(workspace, post, engine) == []
    assert read_post(workspace, post.id).state is state


@pytest.mark.parametrize("policy", AnalysisPolicy)
def test_ahead_of_time_a_held_posts_verdicts_are_there_for_who_releases_it(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    engine: ScriptedEngine,
    policy: AnalysisPolicy,
) -> None:
    want(workspace, account, policy)
    post = make_post(account, state=PostState.HELD, reason_code="no_privacy")
    found = analyse(
        workspace, post.id, engines=engines(engine), run_id=None, actor=ACTOR, sleep=no_wait
    )
    assert [one.is_fake for one in found] == ([] if policy is AnalysisPolicy.IGNORE else [True])
    after = read_post(workspace, post.id)
    assert (after.state, after.reason_code, after.is_aigc) == (PostState.HELD, "no_privacy", False)


def test_ahead_of_time_a_post_of_next_week_is_held_now(
    workspace: Workspace, account: Account, make_post: MakePost, engine: ScriptedEngine
) -> None:
    want(workspace, account, AnalysisPolicy.HOLD)
    post = make_post(account, due_at=workspace.ledger.now() + timedelta(days=7))
    with pytest.raises(PostHeldError):
        analyse(
            workspace, post.id, engines=engines(engine), run_id=None, actor=ACTOR, sleep=no_wait
        )
    assert read_post(workspace, post.id).state is PostState.HELD


def test_each_image_of_a_photo_post_is_judged_and_one_is_enough(
    workspace: Workspace, account: Account
) -> None:
    want(
        workspace,
        account,
        AnalysisPolicy.HOLD,
        analysis_engine=AnalysisEngine.PROVENANCE,
        analysis_model_type="provenance",
    )
    plain = photo_files.image(shade=1)
    signed = content_credentials.sign(photo_files.image(shade=2), "image/jpeg")
    post = photo_files.make_photo_post(workspace, account, images=[plain, signed])
    with open_engines(None) as real, pytest.raises(PostHeldError) as caught:
        analyse(workspace, post.id, engines=real, run_id=RUN, actor=ACTOR)
    assert "C2PA: created using generative AI" in str(caught.value)
    with workspace.ledger.read() as session:
        found = verdicts.of_media(session, [post.media_id])
    assert [one.is_fake for one in found] == [None]


def test_a_signed_video_is_labelled_by_the_embedded_engine(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    change_account(workspace, account.id, analysis_policy=AnalysisPolicy.LABEL)
    content = content_credentials.sign(media_files.h264_mp4().read_bytes(), "video/mp4")
    signed, plain = make_post(account, content=content), make_post(account)
    with open_engines(None) as real:
        for post in (signed, plain):
            analyse(workspace, post.id, engines=real, run_id=RUN, actor=ACTOR)
    assert read_post(workspace, signed.id).is_aigc
    assert not read_post(workspace, plain.id).is_aigc
