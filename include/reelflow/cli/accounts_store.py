"""``reelflow accounts add`` and ``set``: what a person says of an account by hand."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from reelflow.cli.accounts_analysis import (
    ENGINE_HELP,
    MODEL_HELP,
    POLICY_HELP,
    store_analysis,
)
from reelflow.cli.accounts_approval import (
    ON_TIMEOUT_HELP,
    TIMEOUT_HELP,
    store_approval,
)
from reelflow.cli.accounts_approval import POLICY_HELP as APPROVAL_HELP
from reelflow.cli.person import person
from reelflow.cli.screen import screen_safe
from reelflow.cli.tiktok_app import require_tiktok_app
from reelflow.cli.workspace import open_workspace
from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.domain.approval import ApprovalPolicy, TimeoutAction
from reelflow.domain.post import PostState, PrivacyLevel
from reelflow.domain.publication import MediaSource
from reelflow.exceptions import ConfigurationError

if TYPE_CHECKING:
    from reelflow.services.accounts.enrolment import Connected
    from reelflow.services.workspace import Workspace
    from reelflow.tiktok.client import TikTokClient


class VideoSource(StrEnum):
    """How TikTok gets an account's videos."""

    UPLOAD = "upload"
    PULL = "pull"


_SOURCES: Final = {
    VideoSource.UPLOAD: MediaSource.FILE_UPLOAD,
    VideoSource.PULL: MediaSource.PULL_FROM_URL,
}
_TOKEN_FILE_HELP: Final = "File that holds the account's access token alone; - is stdin."  # noqa: S105
_SOURCE_HELP: Final = "How TikTok gets its videos: we upload them, or it pulls them from us."


def add(
    name: str = typer.Argument(
        metavar="NAME", help="Its name here and of its inbox folder: a-z 0-9 . _ -"
    ),
    open_id: str = typer.Option(..., help="TikTok's open_id of the account."),
    inbox_privacy: PrivacyLevel | None = typer.Option(
        None,
        metavar="LEVEL",
        case_sensitive=False,
        help=f"Privacy of inbox files without one of their own: {', '.join(PrivacyLevel)}.",
    ),
    video_source: VideoSource | None = typer.Option(None, help=_SOURCE_HELP),
    access_token_file: Path | None = typer.Option(None, metavar="FILE", help=_TOKEN_FILE_HELP),
) -> None:
    """Add an account by a token from elsewhere, which nothing renews; see also `connect`.

    One that is known by its open_id gets the new name and token. TikTok, as AIRFLOW_CONN_TIKTOK_APP
    names it, is asked whose the token is; another account's is refused. It comes from a file, from
    stdin when that is a pipe, or from a hidden prompt; never from the command line, which other
    users of the machine can see.
    """
    from reelflow.cli.access_token import read_access_token
    from reelflow.cli.accounts_view import tell_stored
    from reelflow.ledger import accounts
    from reelflow.services.accounts.ownership import store_brought_token

    workspace = open_workspace()
    accounts.check_name(name)
    _check_open_id(open_id)
    with _open_client() as client:
        stored = store_brought_token(
            workspace,
            client,
            read_access_token(access_token_file),
            open_id=open_id,
            name=name,
            inbox_privacy_level=inbox_privacy,
            video_source=_SOURCES[video_source] if video_source else None,
            actor=person(),
        )
    typer.echo(f"Account {name}{_by_name(stored)} is stored.")
    tell_stored(stored, inbox=workspace.folders.account_inbox(name))


def set_account(
    name: str = typer.Argument(metavar="NAME", help="Name of the account."),
    inbox_privacy: str | None = typer.Option(
        None,
        metavar="LEVEL|none",
        help=f"Privacy of inbox files without one of their own: {', '.join(PrivacyLevel)}, or "
        "none to hold them.",
    ),
    video_source: VideoSource | None = typer.Option(None, help=_SOURCE_HELP),
    access_token_file: Path | None = typer.Option(None, metavar="FILE", help=_TOKEN_FILE_HELP),
    analysis: AnalysisPolicy | None = typer.Option(None, help=POLICY_HELP),
    analysis_engine: AnalysisEngine | None = typer.Option(None, help=ENGINE_HELP),
    analysis_model: str | None = typer.Option(None, metavar="TYPE", help=MODEL_HELP),
    approval: ApprovalPolicy | None = typer.Option(None, help=APPROVAL_HELP),
    approval_timeout: float | None = typer.Option(None, metavar="HOURS", help=TIMEOUT_HELP),
    approval_on_timeout: TimeoutAction | None = typer.Option(None, help=ON_TIMEOUT_HELP),
) -> None:
    """Change an account's inbox privacy, the way of its videos, analysis, approval, or its token.

    A new privacy is for files that come later. Posts that are held already stay held: a person
    releases each with `reelflow posts release`. A new token ends a revocation, and the posts that
    were held for it go on; TikTok is asked whose it is first, as by `add`.
    """
    from reelflow.cli.access_token import read_access_token

    asks = (analysis, analysis_engine, analysis_model)
    waits = (approval, approval_timeout, approval_on_timeout)
    if all(one is None for one in (inbox_privacy, video_source, access_token_file, *asks, *waits)):
        raise ConfigurationError(
            "there is nothing to change: give --inbox-privacy LEVEL, --video-source upload|pull, "
            "--analysis label|hold|reject|ignore, --approval required|on-request or "
            "--access-token-file FILE"
        )
    level = _privacy_or_none(inbox_privacy) if inbox_privacy is not None else None
    workspace = open_workspace()
    _check_exists(workspace, name)
    token = read_access_token(access_token_file) if access_token_file is not None else None
    if token is not None:
        _store_token(workspace, name, token)
    if inbox_privacy is not None:
        _store_privacy(workspace, name, level)
        typer.echo(f"Inbox files of {name} without a privacy level: {level or 'held'}.")
    if video_source is not None:
        _store_source(workspace, name, video_source)
        typer.echo(f"Videos of {name}: {video_source}.")
    if any(one is not None for one in asks):
        store_analysis(
            workspace, name, policy=analysis, engine=analysis_engine, model_type=analysis_model
        )
    if any(one is not None for one in waits):
        store_approval(
            workspace,
            name,
            policy=approval,
            timeout_h=approval_timeout,
            on_timeout=approval_on_timeout,
        )
    _tell_of_held_posts(workspace, name)


def _check_open_id(open_id: str) -> None:
    if not open_id or len(open_id) > 128 or not open_id.isascii() or not open_id.isprintable():
        raise ConfigurationError(
            f"{open_id[:40]!r} is no open_id: TikTok's is 1 to 128 printable ASCII characters, "
            "given together with the access token"
        )


def _privacy_or_none(text: str) -> PrivacyLevel | None:
    if text.lower() == "none":
        return None
    try:
        return PrivacyLevel(text.upper())
    except ValueError:
        raise ConfigurationError(
            f"{text[:40]!r} is no privacy level: use {', '.join(PrivacyLevel)} or none"
        ) from None


def _open_client() -> TikTokClient:
    from reelflow.settings import Settings

    return require_tiktok_app(os.environ).open_client(Settings.load())


def _by_name(stored: Connected) -> str:
    """Return the name at TikTok, which a person compares where TikTok tells nothing more."""
    username = stored.account.username
    return screen_safe(f" (@{username})") if username else ""


def _check_exists(workspace: Workspace, name: str) -> str:
    """Return the account's open_id."""
    from reelflow.ledger import accounts

    with workspace.ledger.read() as session:
        return accounts.by_name(session, name).open_id


def _store_token(workspace: Workspace, name: str, token: str) -> None:
    from reelflow.services.accounts.ownership import store_brought_token

    open_id = _check_exists(workspace, name)
    with _open_client() as client:
        stored = store_brought_token(
            workspace, client, token, open_id=open_id, name=name, actor=person()
        )
    typer.echo(f"Account {name}{_by_name(stored)} has a new access token.")
    if stored.released:
        typer.echo(f"Posts that had waited for it go on: {', '.join(map(str, stored.released))}")


def _store_privacy(workspace: Workspace, name: str, level: PrivacyLevel | None) -> None:
    from reelflow.ledger import accounts

    with workspace.ledger.write() as session:
        account = accounts.by_name(session, name)
        account.inbox_privacy_level = level
        account.updated_at = workspace.ledger.now()


def _store_source(workspace: Workspace, name: str, source: VideoSource) -> None:
    from reelflow.ledger import accounts

    with workspace.ledger.write() as session:
        account = accounts.by_name(session, name)
        account.video_source = _SOURCES[source]
        account.updated_at = workspace.ledger.now()


def _tell_of_held_posts(workspace: Workspace, name: str) -> None:
    """Say which posts the change does not release: a person decides on each."""
    from reelflow.services.report import list_posts

    held = list_posts(workspace, states=[PostState.HELD], account=name)
    if held:
        ids = ", ".join(str(row["id"]) for row in held)
        typer.echo(
            f"Still held: {ids}. Release each with `reelflow posts release ID`, with --privacy "
            "LEVEL when it has no privacy level."
        )
