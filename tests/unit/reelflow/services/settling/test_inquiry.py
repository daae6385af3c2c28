"""A round of status calls: what cannot be asked is not asked again and again."""

from __future__ import annotations

import pytest

from reelflow.exceptions import (
    AccountRevokedError,
    BudgetSpentError,
    ConfigurationError,
    LedgerLockedError,
    ReelflowError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.services.calls.rounds import FAILED_ACCOUNTS_MAX
from reelflow.services.settling.inquiry import StatusInquiry, was_asked
from tests.unit.reelflow.services.settling.asked_tiktok import WORKING, AskedTikTok


def ask(inquiry: StatusInquiry, *calls: tuple[int, str]) -> list[object]:
    said: list[object] = []
    for account_id, publish_id in calls:
        try:
            said.append(inquiry.fetch_status(account_id, publish_id))
        except ReelflowError as exc:
            said.append(exc)
    return said


@pytest.mark.parametrize(
    "trouble",
    [
        BudgetSpentError("30 status calls a minute", retry_after_s=1),
        TikTokRateLimitedError("slow down"),
        AccountRevokedError("connect it again", account="acme"),
        ConfigurationError("the Fernet key is another"),
    ],
)
def test_an_account_that_cannot_be_asked_now_is_asked_nothing_more_and_others_are(
    trouble: ReelflowError,
) -> None:
    tiktok = AskedTikTok(says={"a1": trouble})
    said = ask(StatusInquiry(tiktok), (1, "a1"), (1, "a2"), (2, "b1"))
    assert said == [trouble, trouble, WORKING]
    assert tiktok.asked == [(1, "a1"), (2, "b1")]
    assert ask(StatusInquiry(tiktok), (1, "a2")) == [WORKING]


@pytest.mark.parametrize(
    "trouble",
    [
        TikTokUnavailableError("HTTP 503"),
        TikTokUnreachableError("no way to TikTok"),
        TikTokUnreachableError("its token cannot be renewed now", code="token_not_renewed"),
    ],
)
def test_an_account_that_fails_is_asked_nothing_more_and_others_are(trouble: ReelflowError) -> None:
    tiktok = AskedTikTok(says={"a1": trouble})
    failed, not_asked, other = ask(StatusInquiry(tiktok), (1, "a1"), (1, "a2"), (2, "b1"))
    assert (failed, other) == (trouble, WORKING)
    assert isinstance(not_asked, TikTokUnreachableError)
    assert not was_asked(not_asked)
    assert tiktok.asked == [(1, "a1"), (2, "b1")]
    assert ask(StatusInquiry(tiktok), (1, "a2")) == [WORKING]


def test_nobody_is_asked_once_many_accounts_failed() -> None:
    calls = [(account_id, f"p{account_id}") for account_id in range(FAILED_ACCOUNTS_MAX + 1)]
    down = TikTokUnreachableError("no way to TikTok")
    tiktok = AskedTikTok(says={publish_id: down for _, publish_id in calls})
    assert "5 accounts failed in a row" in str(ask(StatusInquiry(tiktok), *calls)[-1])
    assert tiktok.asked == calls[:-1]


def test_a_publication_that_tiktok_does_not_know_stops_nothing() -> None:
    trouble = TikTokRejectedError("no such publish_id")
    tiktok = AskedTikTok(says={"a1": trouble})
    assert ask(StatusInquiry(tiktok), (1, "a1"), (1, "a2")) == [trouble, WORKING]


@pytest.mark.parametrize(
    ("trouble", "asked"),
    [
        (TikTokRejectedError("no such publish_id"), True),
        (TikTokUnavailableError("HTTP 503"), True),
        (TikTokUnreachableError("no way to TikTok"), False),
        (BudgetSpentError("spent", retry_after_s=1), False),
        (TikTokRateLimitedError("slow down"), False),
        (TikTokAuthError("token"), False),
        (AccountRevokedError("connect", account="acme"), True),
        (ConfigurationError("key"), False),
        (LedgerLockedError("busy"), False),
    ],
)
def test_only_an_answer_about_the_publication_counts_as_asked(
    trouble: ReelflowError, asked: bool
) -> None:
    assert was_asked(trouble) is asked
