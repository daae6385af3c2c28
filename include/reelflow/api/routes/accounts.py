"""``GET /accounts``: where posts can go, and what their creators allow now."""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from reelflow.api.advice import for_callers
from reelflow.api.errors import errors
from reelflow.api.intake import Intake
from reelflow.domain.user import User
from reelflow.exceptions import BudgetSpentError, ReelflowError
from reelflow.services.accounts.offers import Offer, list_offers
from reelflow.services.accounts.revocation import ACCOUNT_REVOKED, held_because
from reelflow.services.post_rows import iso

log = logging.getLogger(__name__)

#: Whose words are for whoever asks; others may name places of ours, and the log has those.
_NO_APP: Final = "tiktok_app_missing"
_TOLD: Final = frozenset({_NO_APP, "budget_kept", ACCOUNT_REVOKED, BudgetSpentError.default_code})


class Creator(BaseModel):
    """What the creator of an account may post now, by TikTok's word; in its terms."""

    username: str
    nickname: str
    privacy_level_options: list[str]
    comment_disabled: bool
    duet_disabled: bool
    stitch_disabled: bool
    max_video_post_duration_sec: int


class Trouble(BaseModel):
    """Why TikTok did not say what a creator may post."""

    reason: str
    message: str


class BudgetRecord(BaseModel):
    """At most `limit` calls in any `window_s` seconds; null in `free_at` means now."""

    limit: int
    window_s: float
    used: int
    free_at: str | None


class AccountRecord(BaseModel):
    """One account."""

    name: str
    username: str | None
    display_name: str | None
    revoked: str | None
    analysis_policy: str
    budgets: dict[str, BudgetRecord]
    creator: Creator | None
    creator_error: Trouble | None


class AccountsRecord(BaseModel):
    """All accounts, by name."""

    accounts: list[AccountRecord]


def account_routes(intake: Intake) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/accounts", tags=["accounts"])

    @router.get("", response_model=AccountsRecord, responses=errors(404))
    def list_accounts(
        user: User = Depends(intake.guard.reader),
        live: Annotated[
            bool, Query(description="Ask TikTok what each creator may post right now.")
        ] = True,
        name: Annotated[
            str | None, Query(max_length=64, description="Only the account of this name.")
        ] = None,
    ) -> dict[str, Any]:
        """List the accounts, what is left of their budgets, and what their creators allow now.

        TikTok is asked within the accounts' budgets: half of what it answers in a minute is kept
        for publishing.
        """
        open_clients = None
        if live and intake.platform is not None:
            clients = intake.platform.account_clients
            open_clients = partial(clients, intake.workspace, actor=user.actor)
        offers = list_offers(intake.workspace, open_clients, name=name)
        unknown_app = live and intake.platform is None
        return {"accounts": [_record(offer, unknown_app=unknown_app) for offer in offers]}

    return router


def _record(offer: Offer, *, unknown_app: bool) -> dict[str, Any]:
    account, trouble = offer.account, offer.trouble
    if unknown_app:
        message = "this Reelflow does not know the TikTok app, so it cannot ask TikTok"
        trouble = ReelflowError(message, code=_NO_APP)
    return {
        "name": account.name,
        "username": account.username,
        "display_name": account.display_name,
        "revoked": held_because(account) if account.revoked else None,
        "analysis_policy": str(account.analysis_policy),
        "budgets": {
            str(call): {
                "limit": use.limit,
                "window_s": use.window_s,
                "used": use.used,
                "free_at": iso(use.free_at),
            }
            for call, use in offer.budgets.items()
        },
        "creator": offer.creator and _creator(offer),
        "creator_error": trouble and _told(account.name, trouble),
    }


def _creator(offer: Offer) -> dict[str, Any]:
    creator = offer.creator
    assert creator is not None
    return {
        "username": creator.creator_username,
        "nickname": creator.creator_nickname,
        "privacy_level_options": list(creator.privacy_level_options),
        "comment_disabled": creator.comment_disabled,
        "duet_disabled": creator.duet_disabled,
        "stitch_disabled": creator.stitch_disabled,
        "max_video_post_duration_sec": creator.max_video_post_duration_sec,
    }


def _told(name: str, trouble: ReelflowError) -> dict[str, str]:
    if trouble.code in _TOLD:
        return {"reason": trouble.code, "message": for_callers(trouble.message)}
    log.warning("TikTok does not say what %s may post: %s", name, trouble)
    message = "TikTok did not say what its creator may post now: try again later"
    return {"reason": trouble.code, "message": message}
