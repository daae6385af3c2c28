"""Approval: whether an account's posts wait for a person, and what no answer means."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ApprovalPolicy(StrEnum):
    """Which of an account's posts wait for a person: those that ask for it, or every one."""

    ON_REQUEST = "on-request"
    REQUIRED = "required"


class TimeoutAction(StrEnum):
    """What becomes of a post about which nobody answered in time: asked again, or cancelled."""

    HOLD = "hold"
    CANCEL = "cancel"


#: A question waits at most so long; its run stays open as long.
APPROVAL_TIMEOUT_MAX_H: Final = 7 * 24
