"""What a person may do to a post over HTTP: release, cancel, retry, resolve."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from reelflow.api.platform import Platform
from reelflow.domain.post import PostState
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import Clock, change_account
from tests.known_users import ANNA, ROOT
from tests.unit.reelflow.api.conftest import Web
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]


def step(web: Web, post: Post, name: str, **options: Any) -> httpx.Response:
    return web.post(f"/posts/{post.id}/{name}", headers=ANNA, **options)


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def test_a_held_post_goes_with_what_is_chosen_for_it(
    web: Web, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, user_id="anna", state=PostState.HELD, privacy_level=None)
    answer = step(web, post, "release")
    assert reason(answer) == (409, "illegal_transition")
    assert 'release it with "privacy_level" and one of PUBLIC' in answer.json()["message"]
    at = clock() + timedelta(days=1)
    chosen = {"privacy_level": "SELF_ONLY", "publish_at": at.isoformat(), "disable": ["duet"]}
    answer = step(web, post, "release", json=chosen)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["state"], shown["privacy_level"], shown["disable_duet"]) == (
        "READY",
        "SELF_ONLY",
        True,
    )
    assert shown["due_at"] == at.isoformat()
    assert shown["story"][-1]["actor"] == "user:anna"


def test_where_an_account_wants_every_post_approved_its_users_do_not_approve_their_own(
    web: Web, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    change_account(workspace, account.id, approval_policy="required")
    post = make_post(account, user_id="anna", state=PostState.HELD)
    answer = step(web, post, "release")
    assert reason(answer) == (409, "illegal_transition")
    assert "approved by somebody else" in answer.json()["message"]
    released = web.post(f"/posts/{post.id}/release", headers=ROOT)
    assert released.json()["state"] == "READY"


def test_a_command_that_is_not_for_the_state_says_what_is(
    web: Web, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, user_id="anna")
    answer = step(web, post, "release")
    assert reason(answer) == (409, "illegal_transition")
    assert "`POST /posts/{id}/cancel` stops it" in answer.json()["message"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("release", {"privacy_level": "ALL"}),
        ("release", {"disable": ["likes"]}),
        ("release", {"privacy": "SELF_ONLY"}),
        ("release", []),
        ("retry", {"publish_at": "2026-01-01T00:00:00"}),
        ("retry", {"publish_at": "0001-01-01T00:00:00+14:00"}),
        ("resolve", {}),
        ("resolve", {"published": "yes"}),
        ("resolve", {"published": False, "tiktok_post_id": "1"}),
    ],
)
def test_a_body_that_means_nothing_is_refused(
    web: Web, account: Account, make_post: MakePost, name: str, body: object
) -> None:
    post = make_post(account, user_id="anna", state=PostState.UNKNOWN)
    assert reason(step(web, post, name, json=body)) == (422, "invalid_request")


def test_a_cancelled_post_is_tried_again_at_another_time(
    web: Web, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, user_id="anna")
    assert step(web, post, "cancel").json()["state"] == "CANCELLED"
    again = step(web, post, "cancel")
    assert reason(again) == (409, "illegal_transition")
    at = (clock() + timedelta(days=1)).isoformat()
    shown = step(web, post, "retry", json={"publish_at": at}).json()
    assert (shown["state"], shown["due_at"]) == ("READY", at)


def test_a_post_whose_file_is_gone_is_not_tried_again(
    web: Web, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, user_id="anna", state=PostState.FAILED)
    data_folder(workspace).path(post.media.source_path).unlink()
    answer = step(web, post, "retry")
    assert reason(answer) == (409, "media_deleted")
    assert str(data_folder(workspace).root) not in answer.text


def test_what_a_person_saw_settles_an_unknown_post(
    web: Web, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    seen = make_post(account, user_id="anna", state=PostState.UNKNOWN)
    make_publication(workspace, seen)
    body = {"published": True, "tiktok_post_id": "7431234567890123456"}
    shown = step(web, seen, "resolve", json=body).json()
    assert (shown["state"], shown["tiktok"]["post_id"]) == ("PUBLISHED", body["tiktok_post_id"])
    missing = make_post(account, user_id="anna", state=PostState.UNKNOWN)
    shown = step(web, missing, "resolve", json={"published": False}).json()
    assert (shown["state"], shown["reason_code"]) == ("FAILED", "not_published")
    assert shown["fix"] == f"`POST /posts/{missing.id}/retry` posts it"


def test_without_the_app_nobody_can_ask_tiktok_to_stop_a_post(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    open_web: Callable[[Platform | None], Web],
) -> None:
    post = make_post(account, user_id="anna", state=PostState.PROCESSING)
    make_publication(workspace, post)
    assert reason(step(open_web(None), post, "cancel")) == (503, "tiktok_app_missing")
