"""Posts whose account asks a detection engine: what the engine says decides what TikTok gets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from reelflow.analysis.connection import DetectionConnection
from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.domain.post import PostState
from reelflow.exceptions import PostHeldError, PostNotTakeableError, TransientError
from reelflow.ledger.models import Post
from reelflow.services.intake.analyse import analyse
from reelflow.services.intake.engines import open_engines
from reelflow.services.steering.commands import release
from tests.detection_server import DetectionServer
from tests.factories import change_account, change_post
from tests.integration.public_server import serving
from tests.integration.publisher import OWNER, RUN, Publisher, three_chunks
from tests.photo_files import image, make_photo_post

HOST = "reelflow.example"


@pytest.fixture
def detector() -> Iterator[DetectionServer]:
    with DetectionServer() as server:
        yield server


def want(publisher: Publisher, policy: AnalysisPolicy) -> None:
    change_account(
        publisher.workspace,
        publisher.account.id,
        analysis_policy=policy,
        analysis_engine=AnalysisEngine.HTTP,
        analysis_model_type="cnn",
    )


def ask(publisher: Publisher, detector: DetectionServer, post: Post) -> None:
    """Judge a post as ``validate`` of a run does."""
    with open_engines(DetectionConnection(detector.url)) as engines:
        analyse(
            publisher.workspace, post.id, engines=engines, run_id=RUN, actor=OWNER,
            sleep=lambda _: None,
        )  # fmt: skip


def test_the_label_reaches_tiktok_with_a_video(
    publisher: Publisher, detector: DetectionServer
) -> None:
    want(publisher, AnalysisPolicy.LABEL)
    post = publisher.make_post()
    ask(publisher, detector, post)
    publisher.upload(post)
    assert publisher.simulator.uploads()[0]["post_info"]["is_aigc"] is True


def test_the_label_reaches_tiktok_with_photos(
    publisher: Publisher, detector: DetectionServer
) -> None:
    public = publisher.with_rules(public_url=f"https://{HOST}")
    with serving(public.workspace) as server:
        public.simulator.serve_domain(HOST, server.address)
        want(public, AnalysisPolicy.LABEL)
        images = [image(shade=1), image(shade=2)]
        post = make_photo_post(
            public.workspace, public.account, images=images, privacy_level="PUBLIC_TO_EVERYONE"
        )
        ask(public, detector, post)
        public.upload(post)
    assert len([call for call in detector.calls if call.method == "POST"]) == 2
    assert public.simulator.uploads()[0]["post_info"]["is_aigc"] is True


def test_nothing_is_begun_before_the_engine_was_asked_and_a_person_approved(
    publisher: Publisher, detector: DetectionServer
) -> None:
    post = publisher.make_post()
    want(publisher, AnalysisPolicy.HOLD)  # since it was validated
    with pytest.raises(TransientError, match="was not analysed"):
        publisher.upload(post)
    with pytest.raises(PostHeldError):
        ask(publisher, detector, post)
    with pytest.raises(PostNotTakeableError, match="HELD"):
        publisher.upload(post)
    assert publisher.simulator.uploads() == []
    release(publisher.workspace, post.id, actor="mia")
    ask(publisher, detector, post)
    publisher.upload(post)
    publisher.assert_published_once(post)


def test_an_upload_that_stopped_before_its_account_asked_is_judged_before_it_goes_on(
    publisher: Publisher, detector: DetectionServer
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.fault("put", status=503, chunk=1, times=2)
    with pytest.raises(TransientError):
        publisher.upload(post)
    # As a process that is killed leaves it.
    change_post(publisher.workspace, post.id, state=PostState.UPLOADING)
    want(publisher, AnalysisPolicy.LABEL)
    with pytest.raises(TransientError, match="was not analysed"):
        publisher.upload(post)
    publisher.pass_time(timedelta(minutes=20))
    publisher.sweep()
    assert publisher.read(post).state is PostState.READY
    ask(publisher, detector, post)
    publisher.upload(post)
    publisher.assert_published_once(post)
    assert [one["post_info"]["is_aigc"] for one in publisher.simulator.uploads()] == [False, True]
