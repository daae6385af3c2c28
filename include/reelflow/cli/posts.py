"""``reelflow posts``: see what became of each post, steer one, or choose its cover."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer

from reelflow.cli.person import person
from reelflow.cli.screen import print_json
from reelflow.cli.tiktok_app import require_tiktok_app
from reelflow.cli.wished_time import EXAMPLE, read_time, tell_if_past
from reelflow.cli.workspace import open_workspace
from reelflow.domain.post import PAST_LAST_BYTE, Interaction, PostState, PrivacyLevel
from reelflow.domain.sentence import as_sentence

if TYPE_CHECKING:
    from reelflow.ledger.models import Post

app = typer.Typer(no_args_is_help=True)

_LARGEST: Final = 2**31 - 1  # of a column of type INTEGER
_ID = typer.Argument(
    metavar="ID", help="Id of the post, from `reelflow posts list`.", min=1, max=_LARGEST
)
_AT = typer.Option(
    None,
    metavar="TIME",
    help=f"When it goes out, in ISO 8601 with a time zone, such as {EXAMPLE}.",
)


@app.callback()
def posts() -> None:
    """See what became of each post, steer one, or choose its cover."""


@app.command("list")
def list_posts(
    state: list[PostState] = typer.Option(
        [],
        metavar="STATE",
        case_sensitive=False,
        help=f"Only posts in this state; may be given several times: {', '.join(PostState)}.",
    ),
    account: str | None = typer.Option(None, metavar="NAME", help="Only posts of this account."),
    limit: int = typer.Option(
        100, min=1, max=_LARGEST, help="Most posts to show; the newest are kept."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print a JSON list."),
) -> None:
    """List posts, newest last."""
    from reelflow.cli.outage import tell_outage
    from reelflow.cli.posts_view import print_posts
    from reelflow.ledger import accounts as ledger_accounts
    from reelflow.services import report

    workspace = open_workspace()
    if account is not None:
        with workspace.ledger.read() as session:
            ledger_accounts.by_name(session, account)
    rows = report.list_posts(workspace, states=state, account=account, limit=limit)
    if as_json:
        print_json(rows)
        return
    tell_outage(workspace)
    print_posts(rows, limit=limit)


@app.command()
def show(
    post_id: int = _ID,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Show one post: its fields, its publications at TikTok, and every step it made."""
    from reelflow.cli.pictures import with_locations
    from reelflow.cli.post_story import print_post
    from reelflow.services import report

    workspace = open_workspace()
    post = with_locations(workspace, report.show_post(workspace, post_id))
    if as_json:
        print_json(post)
    else:
        print_post(post)


@app.command()
def release(
    post_id: int = _ID,
    privacy: PrivacyLevel | None = typer.Option(
        None,
        metavar="LEVEL",
        case_sensitive=False,
        help=f"Who may watch: {', '.join(PrivacyLevel)}.",
    ),
    at: str | None = _AT,
    disable_comment: bool = typer.Option(False, "--disable-comment", help="Without comments."),
    disable_duet: bool = typer.Option(False, "--disable-duet", help="Without duets."),
    disable_stitch: bool = typer.Option(False, "--disable-stitch", help="Without stitches."),
) -> None:
    """Let a HELD post go: at the given time, or as it was wished, at the earliest now."""
    from reelflow.services.steering import commands

    wished = read_time(at)
    disable = {
        Interaction.COMMENT: disable_comment,
        Interaction.DUET: disable_duet,
        Interaction.STITCH: disable_stitch,
    }
    post = commands.release(
        open_workspace(),
        post_id,
        actor=person(),
        privacy_level=privacy,
        at=wished,
        disable=[interaction for interaction, asked in disable.items() if asked],
    )
    _tell(post)
    tell_if_past(post, wished)


@app.command()
def cover(
    post_id: int = _ID,
    at_ms: int = typer.Option(
        metavar="MS",
        min=0,
        max=_LARGEST,
        help="Its place in the video in milliseconds; `reelflow posts show` names good ones.",
    ),
) -> None:
    """Choose the frame that becomes the cover of a video, before TikTok gets it."""
    from reelflow.services.steering.covers import choose_cover

    choose_cover(open_workspace(), post_id, actor=person(), at_ms=at_ms)
    typer.echo(f"The cover of post {post_id} is the frame at {at_ms} ms.")


@app.command()
def cancel(post_id: int = _ID) -> None:
    """Cancel a post; a running upload stops before its last byte.

    One that TikTok already has in full is not ours to stop: TikTok is asked to, and the post
    becomes FAILED(publish_cancelled) if it does.
    """
    from reelflow.services.steering import cancelling, commands
    from reelflow.settings import Settings

    settings = Settings.load()
    workspace = settings.open_workspace()
    if not cancelling.is_past_last_byte(workspace, post_id):
        _tell(commands.cancel(workspace, post_id, actor=person()))
        return
    app = require_tiktok_app(os.environ)
    with app.account_clients(workspace, settings, actor=person()) as tiktok:
        post = cancelling.ask_to_cancel(workspace, tiktok, post_id, actor=person())
    _tell(post)
    if post.state in PAST_LAST_BYTE:
        typer.echo(
            "TikTok was asked to cancel it: the next run, or `reelflow reconcile`, sees whether it "
            "did."
        )
    elif post.state is PostState.FAILED:
        typer.echo(as_sentence(post.reason))


@app.command()
def resolve(
    post_id: int = _ID,
    published: bool | None = typer.Option(
        None,
        "--published/--not-published",
        show_default=False,
        help="Whether you see the post on its account; one of them must be given.",
    ),
    tiktok_post: str | None = typer.Option(
        None,
        "--tiktok-post",
        metavar="DIGITS",
        help="The digits at the end of the post's address on TikTok, if it is public.",
    ),
) -> None:
    """Settle an UNKNOWN post by what you see on its account, or of a draft in its inbox there."""
    from reelflow.services.steering import resolving

    if published is None:
        raise typer.BadParameter(
            "say what you see on the account: --published or --not-published",
            param_hint="--published",
        )
    if tiktok_post is not None and not published:
        raise typer.BadParameter(
            "a post that is not published has no address", param_hint="--tiktok-post"
        )
    workspace = open_workspace()
    if published:
        post = resolving.resolve_published(
            workspace, post_id, actor=person(), tiktok_post_id=tiktok_post
        )
    else:
        post = resolving.resolve_not_published(workspace, post_id, actor=person())
    _tell(post)
    if post.fix:
        typer.echo(as_sentence(f"To go on: {post.fix}"))


@app.command()
def retry(post_id: int = _ID, at: str | None = _AT) -> None:
    """Try a post again that FAILED, was REJECTED, CANCELLED or MISSED.

    It is due at the given time, or as it was wished, at the earliest now.
    """
    from reelflow.services.steering import commands

    wished = read_time(at)
    post = commands.retry(open_workspace(), post_id, actor=person(), at=wished)
    _tell(post)
    tell_if_past(post, wished)


def _tell(post: Post) -> None:
    due = f", due {post.due_at:%Y-%m-%d %H:%M} UTC" if post.state is PostState.READY else ""
    typer.echo(f"Post {post.id} is {post.state}{due}.")
