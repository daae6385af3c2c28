"""Tokens: their ends, their rotation, their death."""

import pytest

from tiktok_simulator import grants
from tiktok_simulator.accounts import Account, make_accounts
from tiktok_simulator.app_settings import AppSettings

NOW_S = 1_795_000_000.0
DAY_S = 86_400
SCOPES = ("user.info.basic",)


@pytest.fixture
def account() -> Account:
    return make_accounts(seed=1)[0]


def lives(account: Account, token: str, now_s: float = NOW_S) -> bool:
    return grants.holds_access_token(account, token, now_s)


def test_the_tokens_of_the_ready_line_never_end(account: Account) -> None:
    assert lives(account, account.access_token, NOW_S + 1000 * DAY_S)
    assert grants.holds_refresh_token(account, account.refresh_token, NOW_S + 1000 * DAY_S)


def test_an_empty_token_opens_nothing(account: Account) -> None:
    grants.withdraw(account)

    assert not lives(account, "")
    assert not grants.holds_refresh_token(account, "", NOW_S)


def test_a_consent_replaces_the_grant_before_it(account: Account) -> None:
    old = account.access_token

    grants.give(account, SCOPES, AppSettings(), NOW_S)

    assert account.scopes == SCOPES
    assert not lives(account, old)
    assert lives(account, account.access_token, NOW_S + DAY_S - 1)
    assert not lives(account, account.access_token, NOW_S + DAY_S)
    assert account.access_token.startswith("act.")
    assert account.refresh_token.startswith("rft.")


def test_a_refresh_kills_both_old_tokens_at_once(account: Account) -> None:
    grants.give(account, SCOPES, AppSettings(), NOW_S)
    access, refresh = account.access_token, account.refresh_token

    grants.rotate(account, AppSettings(), NOW_S + 10)

    assert not lives(account, access)
    assert not grants.holds_refresh_token(account, refresh, NOW_S + 10)
    assert lives(account, account.access_token, NOW_S + DAY_S + 9)
    assert account.scopes == SCOPES


def test_a_switch_keeps_the_old_access_token_until_its_own_end(account: Account) -> None:
    app = AppSettings(keeps_old_access_token=True)
    grants.give(account, SCOPES, app, NOW_S)
    access = account.access_token

    grants.rotate(account, app, NOW_S + 10)

    assert lives(account, access, NOW_S + DAY_S - 1)
    assert not lives(account, access, NOW_S + DAY_S)


def test_a_consent_kills_what_a_refresh_kept(account: Account) -> None:
    app = AppSettings(keeps_old_access_token=True)
    kept = account.access_token
    grants.rotate(account, app, NOW_S)
    assert lives(account, kept)

    grants.give(account, SCOPES, app, NOW_S)

    assert not lives(account, kept)


def test_the_year_of_a_refresh_token_counts_from_the_consent(account: Account) -> None:
    grants.give(account, SCOPES, AppSettings(), NOW_S)
    grants.rotate(account, AppSettings(), NOW_S + DAY_S)

    assert grants.holds_refresh_token(account, account.refresh_token, NOW_S + 365 * DAY_S - 1)
    assert not grants.holds_refresh_token(account, account.refresh_token, NOW_S + 365 * DAY_S)
    assert grants.token_answer(account, NOW_S + DAY_S)["refresh_expires_in"] == 364 * DAY_S


def test_the_answer_is_flat_and_names_what_was_granted(account: Account) -> None:
    grants.give(account, ("user.info.basic", "video.publish"), AppSettings(), NOW_S)

    assert grants.token_answer(account, NOW_S) == {
        "access_token": account.access_token,
        "expires_in": 86_400,
        "open_id": account.open_id,
        "refresh_expires_in": 31_536_000,
        "refresh_token": account.refresh_token,
        "scope": "user.info.basic,video.publish",
        "token_type": "Bearer",
    }


def test_access_can_be_let_end_alone(account: Account) -> None:
    grants.expire_access(account, NOW_S)

    assert not lives(account, account.access_token)
    assert grants.holds_refresh_token(account, account.refresh_token, NOW_S)


def test_a_withdrawn_grant_leaves_no_token_alive(account: Account) -> None:
    app = AppSettings(keeps_old_access_token=True)
    grants.give(account, SCOPES, app, NOW_S)
    first = account.access_token
    grants.rotate(account, app, NOW_S)
    second, refresh = account.access_token, account.refresh_token

    grants.withdraw(account)

    assert not any(lives(account, one) for one in (first, second, ""))
    assert not grants.holds_refresh_token(account, refresh, NOW_S)
