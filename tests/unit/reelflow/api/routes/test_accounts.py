"""Accounts over HTTP, where nobody asks TikTok; what it says is in test_posts_api.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.api.platform import Platform
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from tests.factories import change_account
from tests.known_users import CARL
from tests.unit.reelflow.api.conftest import Web


def test_names_and_budgets_cost_no_call(
    open_web: Callable[[Platform | None], Web],
    make_account: Callable[..., Account],
    workspace: Workspace,
) -> None:
    for name in ("beta", "acme"):
        make_account(name)
    answer = open_web(None).get("/accounts", params={"live": "false"}, headers=CARL)
    assert answer.status_code == 200
    told = answer.json()["accounts"]
    assert [one["name"] for one in told] == ["acme", "beta"]
    assert [(one["creator"], one["creator_error"]) for one in told] == [(None, None)] * 2
    assert told[0]["budgets"]["post"] == {
        "limit": workspace.rules.budgets.posts_per_day,
        "window_s": 24 * 3600 + 1,
        "used": 0,
        "free_at": None,
    }
    assert "act.acme" not in answer.text


def test_one_account_is_asked_for_by_its_name(
    web: Web, make_account: Callable[..., Account]
) -> None:
    for name in ("beta", "acme"):
        make_account(name)
    params = {"live": "false", "name": "beta"}
    told = web.get("/accounts", params=params, headers=CARL).json()["accounts"]
    assert [one["name"] for one in told] == ["beta"]
    unknown = web.get("/accounts", params={"name": "\0"}, headers=CARL)
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "account_not_found")


@pytest.mark.parametrize("is_revoked", [True, False])
def test_what_keeps_tiktok_from_being_asked_is_told(
    open_web: Callable[[Platform | None], Web],
    platform: Platform,
    workspace: Workspace,
    account: Account,
    is_revoked: bool,
) -> None:
    change_account(workspace, account.id, revoked=is_revoked)
    web = open_web(platform if is_revoked else None)
    (told,) = web.get("/accounts", headers=CARL).json()["accounts"]
    expected = "account_revoked" if is_revoked else "tiktok_app_missing"
    assert (told["creator"], told["creator_error"]["reason"]) == (None, expected)
    assert bool(told["revoked"]) is is_revoked


def test_no_post_of_anybody_is_told_with_the_accounts(
    web: Web, account: Account, make_post: Callable[..., Post]
) -> None:
    make_post(account, user_id="ben", caption="secret plan")
    answer = web.get("/accounts", params={"live": "false"}, headers=CARL)
    assert "secret" not in answer.text
