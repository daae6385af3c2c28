"""``reelflow reconcile``: settle by TikTok's word what can be, and say what a person must."""

from __future__ import annotations

import os

import typer

from reelflow.cli.person import person
from reelflow.cli.screen import print_json
from reelflow.cli.tiktok_app import require_tiktok_app
from reelflow.domain.post import PostState

#: Exit code where a person must look at a post.
NEEDS_A_PERSON = 1


def reconcile(
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Ask TikTok about every post of which it may know more, and list those that need a person.

    Runs do the same by themselves; this is for not waiting, and asks also about what a run has
    claimed. What is being uploaded is left alone and listed. Exit code 1: a post needs a person.
    """
    from reelflow.cli.posts_view import print_reconciliation
    from reelflow.services import report
    from reelflow.services.settling.reconcile import reconcile as ask_tiktok
    from reelflow.services.settling.stalled import return_stalled_uploads, supersede_expired
    from reelflow.settings import Settings

    settings = Settings.load()
    workspace = settings.open_workspace()
    app = require_tiktok_app(os.environ)
    with app.account_clients(workspace, settings, actor=person()) as tiktok:
        returned = return_stalled_uploads(workspace, actor=person())
        supersede_expired(workspace, actor=person())
        learnt = ask_tiktok(
            workspace,
            tiktok,
            actor=person(),
            longest_put_s=settings.tiktok_limits.longest_put_s,
            despite_claims=True,
        )
    unknown = report.list_posts(workspace, states=[PostState.UNKNOWN], limit=1000)
    concerned = {*returned, *learnt.settled, *learnt.unsettled, *learnt.left}
    found = {
        "returned_to_ready": returned,
        "settled": {str(post_id): str(state) for post_id, state in sorted(learnt.settled.items())},
        "unsettled": {str(post_id): why for post_id, why in sorted(learnt.unsettled.items())},
        "left": {str(post_id): why for post_id, why in learnt.left.items()},
        "posts": report.list_posts(workspace, post_ids=concerned, limit=len(concerned) or 1),
        "for_a_person": unknown,
    }
    if as_json:
        print_json(found)
    else:
        print_reconciliation(found)
    if unknown:
        raise typer.Exit(NEEDS_A_PERSON)
