"""Accounts as people see them: the table of all, and what became of one that was stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.text import Text

from reelflow.cli.accounts_analysis import describe
from reelflow.cli.accounts_approval import describe as describe_approval
from reelflow.cli.screen import console, plain, screen_safe, table
from reelflow.domain.analysis import AnalysisPolicy
from reelflow.domain.approval import ApprovalPolicy, TimeoutAction

if TYPE_CHECKING:
    from reelflow.ledger.models import Account
    from reelflow.services.accounts.enrolment import Connected
    from reelflow.services.workspace import Workspace

_SOURCES: Final = {"FILE_UPLOAD": "upload", "PULL_FROM_URL": "pull"}


def account_row(workspace: Workspace, account: Account) -> dict[str, Any]:
    """Return an account as JSON-safe values, without its tokens."""
    from reelflow.ledger.accounts import granted_scopes

    scopes = granted_scopes(account)
    return {
        "name": account.name,
        "open_id": account.open_id,
        "username": account.username,
        "display_name": account.display_name,
        "scopes": None if scopes is None else sorted(scopes),
        "revoked": account.revoked,
        "revoked_because": account.revoked_because,
        "access_token_expires_at": _iso(account.access_token_expires_at),
        "is_renewable": account.refresh_token_encrypted is not None,
        "refresh_token_expires_at": _iso(account.refresh_token_expires_at),
        "video_source": _SOURCES[account.video_source],
        "inbox_privacy_level": account.inbox_privacy_level,
        "analysis_policy": str(account.analysis_policy),
        "analysis_engine": str(account.analysis_engine),
        "analysis_model_type": account.analysis_model_type,
        "approval_policy": str(account.approval_policy),
        "approval_timeout_h": account.approval_timeout_h,
        "approval_on_timeout": str(account.approval_on_timeout),
        "inbox": workspace.folders.account_inbox(account.name),
    }


def print_accounts(rows: Sequence[dict[str, Any]]) -> None:
    """Print a table of the accounts."""
    told = table("account", "on TikTok", "access", "inbox, videos")
    told.columns[0].no_wrap = True
    for row in rows:
        level = row["inbox_privacy_level"]
        privacy = plain(level or "none: held", style="" if level else "dim")
        told.add_row(
            plain(row["name"], style="bold"),
            _identity(row),
            _access(row),
            Text("\n").join(
                [privacy, plain(row["video_source"]), *_analysis(row), *_approval(row)]
            ),
        )
    console().print(told)


def tell_stored(connected: Connected, *, inbox: str) -> None:
    """Say where files go, what moved, what goes on, and what an account without privacy means."""
    account = connected.account
    if connected.refused_name is not None:
        typer.echo(
            f"It keeps its name: {connected.refused_name} is another TikTok account, which was not "
            f"connected now. For that one, sign in at TikTok as its creator, and run `reelflow "
            f"accounts connect {connected.refused_name}` again."
        )
    typer.echo(f"Put its files into {screen_safe(inbox)}")
    if connected.old_name is not None:
        typer.echo(
            f"It was called {connected.old_name}: move the files that wait in "
            f"inbox/{connected.old_name}."
        )
    if connected.released:
        typer.echo(f"Posts that had waited for it go on: {', '.join(map(str, connected.released))}")
    if account.inbox_privacy_level is None:
        typer.echo(
            "It has no inbox privacy: files without a privacy_level in their sidecar are held "
            f"until `reelflow posts release` or `reelflow accounts set {account.name} "
            "--inbox-privacy LEVEL`."
        )


def _analysis(row: dict[str, Any]) -> list[Text]:
    """Return what is done with generated media, where anything is."""
    if row["analysis_policy"] == AnalysisPolicy.IGNORE:
        return []
    wish = (row["analysis_policy"], row["analysis_engine"], row["analysis_model_type"])
    return [plain(f"generated: {describe(*wish)}", style="dim")]


def _approval(row: dict[str, Any]) -> list[Text]:
    """Return what is approved, where it is not as for any account."""
    wish = (row["approval_policy"], row["approval_timeout_h"], row["approval_on_timeout"])
    if wish == (ApprovalPolicy.ON_REQUEST, None, TimeoutAction.HOLD):
        return []
    return [plain(f"approval: {describe_approval(*wish)}", style="dim")]


def _identity(row: dict[str, Any]) -> Text:
    known_as = f"@{row['username']}" if row["username"] else row["display_name"]
    if known_as is None:
        return plain(row["open_id"])
    return Text.assemble(plain(known_as), "\n", plain(row["open_id"], style="dim"))


def _access(row: dict[str, Any]) -> Text:
    if row["revoked"]:
        why = row["revoked_because"]
        return Text.assemble(plain("revoked", style="red"), plain(f": {why}" if why else ""))
    if row["is_renewable"]:
        until, how = row["refresh_token_expires_at"], "renewed to"
    else:
        until, how = row["access_token_expires_at"], "not renewed, to"
    lines = [plain("granted", style="green")]
    if until is not None:
        lines.append(plain(f"{how} {_day(until)}"))
    lines += [plain(scope, style="dim") for scope in row["scopes"] or ()]
    return Text("\n").join(lines)


def _day(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d}"


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
