"""Reconciling: everything about which TikTok may know more than the ledger is asked again.

Posts past their last byte, UNKNOWN ones, published ones whose link is missing, drafts that their
creator may have posted, and publications that were given up and might publish after all.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.orm import Session

from reelflow.domain.post import PAST_LAST_BYTE, PostState
from reelflow.exceptions import (
    ReelflowError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnreachableError,
)
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Post
from reelflow.services.lost_init import adopt_publish_id, give_up_lost_init
from reelflow.services.missing_video import VideoPages, find_missing_videos
from reelflow.services.settle import apply_status, proves_incomplete, reopen
from reelflow.services.stalled import return_stalled_uploads
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus

log = logging.getLogger(__name__)

#: TikTok says nothing new about what is published or given up more often than this.
ASK_AGAIN: Final = timedelta(hours=1)
#: After this long nothing more is expected of a link, a draft or a given-up publication.
EXPECTED_FOR: Final = timedelta(hours=72)
#: Most publications beside the unsettled posts that one reconciliation asks about.
_MOST_LATECOMERS: Final = 100


class TikTokSource(VideoPages, Protocol):
    """What is asked of TikTok, account by account."""

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        """Return where a publish task stands."""


@dataclass
class Reconciliation:
    """What was learnt; posts by their ids.

    :param settled: the state that a post has now, where that is another than before
    :param unsettled: why nothing was settled for those that TikTok must still speak about
    """

    settled: dict[int, PostState] = field(default_factory=dict)
    unsettled: dict[int, str] = field(default_factory=dict)


def reconcile(
    workspace: Workspace,
    tiktok: TikTokSource,
    *,
    actor: str,
    longest_put_s: float,
    run_id: str | None = None,
) -> Reconciliation:
    """Ask TikTok about every post that nobody holds and about which it may know more.

    One post's trouble does not stop the others: it is reported and tried again the next time.

    :param longest_put_s: how long a PUT of ours can take
    :param run_id: the run that asks as its last work on posts; what it claimed itself is free
    """
    found = Reconciliation()
    with workspace.ledger.read() as session:
        now = workspace.ledger.now()
        unsettled = [
            (post.id, post.state) for post in posts.unsettled(session, now=now, run_id=run_id)
        ]
    for post_id, before in unsettled:
        state, trouble, reached = _settle_one(
            workspace, tiktok, post_id, actor=actor, longest_put_s=longest_put_s
        )
        if state in PAST_LAST_BYTE or state is None:
            state = _give_up_late(workspace, post_id, actor=actor, why=trouble, reached=reached)
        if state is None or state is before:
            found.unsettled[post_id] = trouble
        else:
            found.settled[post_id] = state
    _ask_about_latecomers(workspace, tiktok, found, actor=actor)
    find_missing_videos(workspace, tiktok, found.settled, actor=actor, expected_for=EXPECTED_FOR)
    for post_id in found.settled:
        found.unsettled.pop(post_id, None)
    return found


def _settle_one(
    workspace: Workspace,
    tiktok: TikTokSource,
    post_id: int,
    *,
    actor: str,
    longest_put_s: float,
) -> tuple[PostState | None, str, bool]:
    """Return a post's state by TikTok's word, what stands in the way, and whether it was asked."""
    try:
        state = _ask(workspace, tiktok, post_id, actor=actor, longest_put_s=longest_put_s)
    except ReelflowError as exc:
        return None, str(exc), not isinstance(exc, TikTokUnreachableError)
    return state, f"its state at TikTok is {state}", True


def _ask(
    workspace: Workspace,
    tiktok: TikTokSource,
    post_id: int,
    *,
    actor: str,
    longest_put_s: float,
) -> PostState:
    """Ask TikTok about one post and write down what it says."""
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        publication = publications.current(session, post_id)
    if publication is None:
        raise TikTokRejectedError(f"post {post_id} is {post.state} and was never opened at TikTok")
    publish_id = publication.publish_id or adopt_publish_id(workspace, post_id, actor=actor)
    if publish_id is None:
        return give_up_lost_init(workspace, post_id, actor=actor)
    asked_at = workspace.ledger.now()
    status = tiktok.fetch_status(post.account_id, publish_id)
    state = apply_status(workspace, post_id, publish_id, status, actor=actor)
    if (
        state is PostState.COMMITTING
        and proves_incomplete(publication, status, asked_at=asked_at, longest_put_s=longest_put_s)
        and reopen(workspace, post_id, publish_id, actor=actor, fencing_token=None)
    ):
        return_stalled_uploads(workspace, actor=actor)
        return PostState.READY
    return state


def _give_up_late(
    workspace: Workspace, post_id: int, *, actor: str, why: str, reached: bool
) -> PostState | None:
    """Make a post UNKNOWN about which nothing at all was learnt for too long.

    A status, also one that is not final, is news: while TikTok says that it works on a post, the
    post waits. Not being able to ask says nothing about the post.

    :return: the post's state if it changed since it was found, else None
    """
    now = workspace.ledger.now()
    limit = workspace.rules.unknown_after
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state not in PAST_LAST_BYTE:
            return None if post.state is PostState.UNKNOWN else post.state
        if not reached or now - _last_news(session, post) < limit:
            return None
        posts.move(
            session,
            post_id,
            PostState.UNKNOWN,
            now=now,
            actor=actor,
            why=f"TikTok said nothing for {limit}: {why}",
            code="no_status",
            fix=f"look whether the post is on {post.account.name} in the TikTok app, then tell "
            f"with `reelflow posts resolve {post_id}`; Reelflow never posts it again by itself",
        )
    return PostState.UNKNOWN


def _last_news(session: Session, post: Post) -> datetime:
    """Return when the post last took a step, or TikTok last said anything about it."""
    publication = publications.current(session, post.id)
    said_at = publication and publication.tiktok_status_at
    return max(post.state_since, said_at or post.state_since)


def _ask_about_latecomers(
    workspace: Workspace, tiktok: TikTokSource, found: Reconciliation, *, actor: str
) -> None:
    """Ask about publications from which a link, a creator's own step or a surprise may come."""
    now = workspace.ledger.now()
    with workspace.ledger.read() as session:
        latecomers = publications.latecomers(
            session,
            begun_after=now - EXPECTED_FOR,
            asked_before=now - ASK_AGAIN,
            limit=_MOST_LATECOMERS,
        )
        asked = [(post.id, post.account_id, post.state, one.publish_id) for one, post in latecomers]
    spent: set[int] = set()
    for post_id, account_id, before, publish_id in asked:
        if account_id in spent or publish_id is None:
            continue
        try:
            status = tiktok.fetch_status(account_id, publish_id)
            state = apply_status(workspace, post_id, publish_id, status, actor=actor)
        except TikTokRateLimitedError:
            spent.add(account_id)
        except TikTokRejectedError as exc:
            # It is asked again in an hour, until nothing more is expected of it.
            with workspace.ledger.write() as session:
                publications.asked_in_vain(session, publish_id, now=now)
            log.info("publication %s of post %d: %s", publish_id, post_id, exc)
        except ReelflowError as exc:
            log.warning("publication %s of post %d: %s", publish_id, post_id, exc)
        else:
            if state is not before:
                found.settled[post_id] = state
