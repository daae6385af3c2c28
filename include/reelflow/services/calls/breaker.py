"""The circuit breaker: when failures of the platform spread over accounts, nothing new is begun.

It is one row of the ledger, so that all processes stop together. After a pause one init is let
through as a probe: its success closes the breaker, its failure makes the next pause longer.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from reelflow.exceptions import BreakerOpenError, ReelflowError, TikTokUnavailableError
from reelflow.ledger import breaker
from reelflow.ledger.platform_models import Breaker
from reelflow.services.workspace import Workspace

log = logging.getLogger(__name__)

#: TikTok's word for a fault of its own in a post that it has (fail_reason,
#: content-posting-api-reference-get-video-status).
FAILED_LATER: Final = "internal"


@dataclass(frozen=True)
class BreakerState:
    """The breaker while it is open.

    :param why: which accounts failed, and with what
    :param probe_at: when one init may try again
    :param is_probing: one is trying
    """

    opened_at: datetime
    why: str
    probe_at: datetime
    is_probing: bool
    failed_probes: int

    @property
    def again(self) -> str:
        """When it is tried again, for people."""
        if self.is_probing:
            return "one post is trying now"
        return f"one post tries again from {self.probe_at:%Y-%m-%d %H:%M:%S} UTC on"


def state(session: Session, *, now: datetime) -> BreakerState | None:
    """Return the breaker as it is, None while it is closed."""
    row = breaker.get(session)
    if row is None:
        return None
    return BreakerState(
        opened_at=row.opened_at,
        why=row.why,
        probe_at=row.probe_at,
        is_probing=_is_probing(row, now),
        failed_probes=row.failed_probes,
    )


def outage(workspace: Workspace) -> str | None:
    """Return, for people, that nothing new is begun, since when, why and until when; else None."""
    with workspace.ledger.read() as session:
        now = state(session, now=workspace.ledger.now())
    if now is None:
        return None
    return (
        f"nothing new is begun at TikTok since {now.opened_at:%Y-%m-%d %H:%M:%S} UTC, for any "
        f"account: {now.why}; {now.again}, and the others follow it"
    )


def check_closed(workspace: Workspace, account_id: int) -> bool:
    """Let an init through while the breaker is closed, or as the probe whose turn it is.

    :return: whether it is the probe; end it with :func:`record_success`, :func:`record_failure` or
        :func:`give_probe_up`
    :raises BreakerOpenError: begin nothing before ``retry_after_s``
    """
    ledger = workspace.ledger
    with ledger.read() as session:
        if breaker.get(session) is None:
            return False
    now = ledger.now()
    with ledger.write() as session:
        row = breaker.get(session, lock=True)
        if row is None:
            return False
        if now >= row.probe_at and not _is_probing(row, now):
            row.probing_until = now + workspace.rules.breaker.probe
            log.info("account %d probes whether TikTok works again", account_id)
            return True
    raise _refusal(row, now)


def record_failure(
    workspace: Workspace, account_id: int, code: str, *, is_of_init: bool = True
) -> None:
    """Count a failure of the platform's; open the breaker if they spread, or end its probe.

    :param code: what :func:`is_platform_failure` was said of, or the fail_reason ``internal``
    :param is_of_init: an init failed just now; what failed later says nothing about the probe
    """
    ledger, rules = workspace.ledger, workspace.rules.breaker
    now = ledger.now()
    since = now - rules.within
    with ledger.write() as session:
        breaker.add_failure(session, account_id=account_id, code=code, now=now, forget_before=since)
        row = breaker.get(session, lock=True)
        if row is not None:
            if _is_probing(row, now) and is_of_init:
                row.failed_probes += 1
                row.probing_until = None
                row.probe_at = now + rules.pause(row.failed_probes)
            return
    # A transaction of its own: of two failures at once, the later one sees both.
    with ledger.write() as session:
        failing = breaker.failing_accounts(session, since=since)
        if len(failing) < rules.accounts:
            return
        codes = ", ".join(f"{name} ({code})" for name, code in failing.items())
        minutes = rules.within.total_seconds() / 60
        why = f"{len(failing)} accounts failed within {minutes:g} minutes: {codes}"
        if breaker.trip(session, why=why, now=now, probe_at=now + rules.pause(0)):
            log.warning("nothing new is begun at TikTok for now: %s", why)


def record_success(workspace: Workspace, account_id: int) -> None:
    """Close the breaker after a probe that worked.

    Without a probe it stays open: an answer that comes now may have been given before the outage.
    """
    with workspace.ledger.write() as session:
        row = breaker.get(session, lock=True)
        if row is not None and _is_probing(row, workspace.ledger.now()):
            breaker.close(session)
            log.info("TikTok works again for account %d: posts go out as before", account_id)


def give_probe_up(workspace: Workspace) -> None:
    """Let the next init be the probe: this one asked TikTok nothing."""
    with workspace.ledger.write() as session:
        row = breaker.get(session, lock=True)
        if row is not None:
            row.probing_until = None


def is_platform_failure(exc: ReelflowError) -> bool:
    """Whether an init failed by the platform: a 5xx, ``internal_error``, a timeout or a cut.

    That nobody could be reached at all is more likely a fault of our network, and costs no try.
    """
    return isinstance(exc, TikTokUnavailableError)


def _is_probing(row: Breaker, now: datetime) -> bool:
    return row.probing_until is not None and now < row.probing_until


def _refusal(row: Breaker, now: datetime) -> BreakerOpenError:
    again_at = max(row.probe_at, row.probing_until or row.probe_at)
    return BreakerOpenError(
        f"TikTok has failed for several accounts, so nothing new is begun until "
        f"{again_at:%H:%M:%S} UTC ({row.why}); nothing was sent",
        retry_after_s=(again_at - now).total_seconds(),
    )
