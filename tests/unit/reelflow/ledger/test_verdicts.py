"""Verdicts in the ledger: one a file, engine and model; approvals hold for one verdict alone."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from reelflow.domain.analysis import AnalysisEngine
from reelflow.exceptions import ConfigurationError, PostNotFoundError
from reelflow.ledger import verdicts
from reelflow.ledger.models import Account, Post, Verdict
from reelflow.services.workspace import Workspace
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

MakePost = Callable[..., Post]


@pytest.fixture
def media_id(account: Account, make_post: MakePost) -> str:
    return make_post(account).media_id


def find(workspace: Workspace, media_id: str, model_type: str = "cnn") -> Verdict | None:
    with workspace.ledger.read() as session:
        return verdicts.find(session, media_id, engine=AnalysisEngine.HTTP, model_type=model_type)


def begin(workspace: Workspace, media_id: str, model_type: str = "cnn") -> None:
    with workspace.ledger.write() as session:
        verdicts.begin(
            session, media_id, engine=AnalysisEngine.HTTP, model_type=model_type,
            analysis_id="an-1", now=workspace.ledger.now(),
        )  # fmt: skip


def record(workspace: Workspace, media_id: str, verdict_id: str, **changes: Any) -> None:
    found = {
        "is_fake": True, "confidence": 0.1, "seconds": 1.5, "details": {"a": "\ufffd"}, **changes,
    }  # fmt: skip
    begin(workspace, media_id)
    with workspace.ledger.write() as session:
        row = verdicts.find(session, media_id, engine=AnalysisEngine.HTTP, model_type="cnn")
        assert row is not None
        verdicts.record(session, row, verdict_id=verdict_id, now=workspace.ledger.now(), **found)


def refuse(workspace: Workspace, media_id: str) -> None:
    begin(workspace, media_id)
    with workspace.ledger.write() as session:
        row = verdicts.find(session, media_id, engine=AnalysisEngine.HTTP, model_type="cnn")
        assert row is not None
        verdicts.refuse(session, row, why="no face in it", now=workspace.ledger.now())


def approve(workspace: Workspace, media_id: str) -> list[str | None]:
    with workspace.ledger.write() as session:
        post = session.scalars(select(Post).where(Post.media_id == media_id)).one()
        seen = verdicts.of_post(session, post)
        held = verdicts.approve(session, seen, actor="mia", now=workspace.ledger.now())
        return [one.verdict_id for one in held]


def is_approved(workspace: Workspace, media_id: str) -> bool:
    row = find(workspace, media_id)
    assert row is not None
    return row.approved_at is not None


def test_an_analysis_is_begun_once_for_each_model_of_a_file(
    workspace: Workspace, media_id: str
) -> None:
    assert find(workspace, media_id) is None
    for model_type in ("cnn", "cnn", "resnet"):
        begin(workspace, media_id, model_type)
    with workspace.ledger.read() as session:
        asked = verdicts.of_media(session, [media_id])
    assert [one.model_type for one in asked] == ["cnn", "resnet"]
    assert {one.analysis_id for one in asked} == {"an-1"}


def test_what_was_found_is_kept_as_it_was_said(workspace: Workspace, media_id: str) -> None:
    record(workspace, media_id, "v-1")
    row = find(workspace, media_id)
    assert row is not None
    assert (row.verdict_id, row.is_fake, row.confidence) == ("v-1", True, 0.1)
    assert (row.seconds, row.details, row.analysis_id) == (1.5, {"a": "\ufffd"}, None)
    assert row.found_at == workspace.ledger.now()


def test_an_approval_holds_for_the_same_verdict_and_not_for_another(
    workspace: Workspace, media_id: str
) -> None:
    record(workspace, media_id, "v-1")
    assert approve(workspace, media_id) == ["v-1"]
    record(workspace, media_id, "v-1")
    assert is_approved(workspace, media_id)
    assert approve(workspace, media_id) == []
    record(workspace, media_id, "v-2")
    assert not is_approved(workspace, media_id)


def test_an_approved_refusal_stays_approved_until_there_is_a_verdict(
    workspace: Workspace, media_id: str
) -> None:
    refuse(workspace, media_id)
    assert approve(workspace, media_id) == [None]
    refuse(workspace, media_id)
    assert is_approved(workspace, media_id)
    record(workspace, media_id, "v-1")
    assert not is_approved(workspace, media_id)


def test_a_refusal_does_not_take_over_the_approval_of_a_verdict(
    workspace: Workspace, media_id: str
) -> None:
    record(workspace, media_id, "v-1")
    approve(workspace, media_id)
    refuse(workspace, media_id)
    assert not is_approved(workspace, media_id)


@pytest.mark.parametrize("is_fake", [False, None])
def test_there_is_nothing_to_approve_where_nothing_is_held_against_a_file(
    workspace: Workspace, media_id: str, is_fake: bool | None
) -> None:
    record(workspace, media_id, "v-1", is_fake=is_fake)
    assert approve(workspace, media_id) == []
    assert not is_approved(workspace, media_id)


def test_of_no_post_and_of_a_damaged_account_no_engine_is_told(
    workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account)
    with workspace.ledger.read() as session, pytest.raises(PostNotFoundError, match="id 4711"):
        verdicts.engine_asked(session, 4711)
    with workspace.ledger.write() as session:
        session.execute(text("UPDATE accounts SET analysis_policy = 'gone'"))
    with (
        workspace.ledger.read() as session,
        pytest.raises(ConfigurationError, match=f"post {post.id} cannot be read.*analysis_policy"),
    ):
        verdicts.engine_asked(session, post.id)
