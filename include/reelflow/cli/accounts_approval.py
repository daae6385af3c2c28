"""What ``reelflow accounts set`` says of approval: which posts wait for it, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from reelflow.cli.person import person
from reelflow.domain.approval import APPROVAL_TIMEOUT_MAX_H, ApprovalPolicy, TimeoutAction

if TYPE_CHECKING:
    from reelflow.services.workspace import Workspace

POLICY_HELP: Final = (
    "Which of its posts a person must approve: every one, or those alone that ask for it."
)
TIMEOUT_HELP: Final = (
    f"Hours for which a question about a post waits, at most {APPROVAL_TIMEOUT_MAX_H}; 0 for what "
    "REELFLOW_APPROVAL_TIMEOUT_H says."
)
ON_TIMEOUT_HELP: Final = (
    "What becomes of a post about which nobody answered: it is held and asked about again, or "
    "cancelled."
)


def store_approval(
    workspace: Workspace,
    name: str,
    *,
    policy: ApprovalPolicy | None,
    timeout_h: float | None,
    on_timeout: TimeoutAction | None,
) -> None:
    """Change what is given, and say how the account stands now.

    :raises ConfigurationError: a question cannot wait so long
    """
    from reelflow.services.accounts.approval_policy import change_approval

    changed = change_approval(
        workspace, name, actor=person(), policy=policy, timeout_h=timeout_h, on_timeout=on_timeout
    )
    account = changed.account
    told = describe(
        account.approval_policy, account.approval_timeout_h, account.approval_on_timeout
    )
    typer.echo(f"Approval of {name}: {told}.")
    if changed.held:
        typer.echo(f"Posts that wait for it now: {', '.join(map(str, changed.held))}")


def describe(policy: str, timeout_h: float | None, on_timeout: str) -> str:
    """Say in a few words what an account wants."""
    which = "every post" if policy == ApprovalPolicy.REQUIRED else "posts that ask for it"
    then = "cancelled" if on_timeout == TimeoutAction.CANCEL else "asked again"
    after = "" if timeout_h is None else f" after {timeout_h:g} h"
    return f"{which}; unanswered, {then}{after}"
