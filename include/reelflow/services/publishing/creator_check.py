"""What is asked of TikTok right before an init: whose is the token, and what may they post now?"""

from __future__ import annotations

from reelflow.domain.post import PostMode
from reelflow.exceptions import AccountRevokedError, TikTokRejectedError
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.enrolment import storable_username, store_username
from reelflow.services.accounts.revocation import CREATOR_DIFFERS, reconnect_fix
from reelflow.services.calls.account_client import AccountClient
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.publishing.preflight import Obstacle, find_obstacle
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import CreatorInfo


def check_creator(
    workspace: Workspace, post: Post, client: AccountClient, journal: UploadJournal
) -> None:
    """Ask right before an init who the post's creator is, and what they may post now.

    :raises PostHeldError: not this; the post is HELD
    """
    if post.mode is PostMode.DRAFT:
        return  # a draft is finished by its creator, who sees these limits in the app
    creator = client.creator_info()
    obstacle = _other_creator(workspace, post.account, creator, client) or find_obstacle(
        post, creator
    )
    if obstacle is not None:
        journal.hold(obstacle.why, code=obstacle.code, fix=obstacle.fix)


def _other_creator(
    workspace: Workspace, account: Account, creator: CreatorInfo, client: AccountClient
) -> Obstacle | None:
    """Find out that the token is another account's, which would get the post.

    Only a name that is not the known one costs a call: the creator may have taken another.
    """
    username = storable_username(creator.creator_username)
    if username is None or username == account.username:
        return None
    if account.username is None:
        # Whose the token is was asked when it was stored. Links need the name.
        store_username(workspace, account.id, username)
        return None
    try:
        is_same = client.user_info(("open_id",)).open_id == account.open_id
        because = "its open_id is another one"
    except AccountRevokedError:
        raise
    except TikTokRejectedError as exc:
        is_same, because = False, f"its open_id cannot be asked for ({exc.code})"
    if is_same:
        store_username(workspace, account.id, username)
        return None
    return Obstacle(
        code=CREATOR_DIFFERS,
        why=f"the token of {account.name} posts as @{username}, not as @{account.username}, and "
        f"{because}: nothing was sent.",
        fix=reconnect_fix(account.name),
    )
