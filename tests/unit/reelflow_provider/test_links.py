"""The link to a post on TikTok: there when the post has one, and never a reason to fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Post
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from reelflow_provider.links import TikTokPostLink
from reelflow_provider.operators.tiktok import TikTokUploadOperator
from tests import factories
from tests.unit.reelflow_provider.airflow_task import publish_id_of


def link_of(post_id: object) -> str:
    operator = TikTokUploadOperator(task_id="upload", post_id=post_id)
    return TikTokPostLink().get_link(operator, ti_key=None)  # type: ignore[arg-type]


def test_a_public_post_is_linked_by_its_creators_handle_and_its_id(
    worker: Workspace, sent_post: Callable[..., Post]
) -> None:
    post = sent_post()
    factories.change_account(worker, post.account_id, username="aurora.kitchen")
    status = PublishStatus("PUBLISH_COMPLETE", post_ids=("7300000000000000001",))
    publish_id = publish_id_of(worker, post)
    assert apply_status(worker, post.id, publish_id, status, actor="tests") is PostState.PUBLISHED
    assert link_of(post.id) == "https://www.tiktok.com/@aurora.kitchen/video/7300000000000000001"


def test_a_post_without_a_link_has_none(worker: Workspace, account: Account) -> None:
    assert link_of(factories.make_post(worker, account).id) == ""


@pytest.mark.parametrize("post_id", [4711, "{{ a template }}", None])
def test_an_unknown_post_has_none(worker: Workspace, post_id: object) -> None:
    assert link_of(post_id) == ""


def test_a_ledger_out_of_reach_is_no_reason_to_trouble_the_task(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = factories.make_post(worker, account)
    monkeypatch.setenv("REELFLOW_FERNET_KEY", "not a key")
    assert link_of(post.id) == ""
