"""Reconciling: everything about which TikTok may know more than the ledger is asked again.

Posts past their last byte, UNKNOWN ones, published ones whose link is missing, drafts that their
creator may have posted, and publications that were given up and might publish after all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy.orm import Session

from reelflow.domain.post import PAST_LAST_BYTE, PostState
from reelflow.exceptions import ConfigurationError, ReelflowError, TikTokRejectedError
from reelflow.ledger import damage, posts, publications, unsettled_posts
from reelflow.ledger.models import Post, Publication
from reelflow.services.calls.rounds import by_turns
from reelflow.services.settling.inquiry import StatusInquiry, StatusSource, was_asked
from reelflow.services.settling.latecomers import EXPECTED_FOR, ask_about_latecomers
from reelflow.services.settling.lost_init import adopt_publish_id, give_up_lost_init, resolve_fix
from reelflow.services.settling.missing_video import VideoPages, find_missing_videos
from reelflow.services.settling.reopening import proves_incomplete, reopen, waits_in_vain
from reelflow.services.settling.settle import apply_status
from reelflow.services.settling.stalled import return_stalled_uploads
from reelflow.services.settling.trouble import trouble_with
from reelflow.services.settling.webhooks import apply_overdue
from reelflow.services.workspace import Workspace

_SETTLED_BY_A_VIDEO: Final = frozenset({PostState.PUBLISHED_NO_LINK, PostState.UNKNOWN})


class TikTokSource(StatusSource, VideoPages, Protocol):
    """What is asked of TikTok, account by account."""


@dataclass
class Reconciliation:
    """What was learnt; posts by their ids.

    :param settled: the state that a post has now, where that is another than before
    :param unsettled: why nothing was settled for those that TikTok must still speak about
    :param left: who holds those that were not asked about, where claims were no reason, or what is
        wrong with their rows
    """

    settled: dict[int, PostState] = field(default_factory=dict)
    unsettled: dict[int, str] = field(default_factory=dict)
    left: dict[int, str] = field(default_factory=dict)


def reconcile(
    workspace: Workspace,
    tiktok: TikTokSource,
    *,
    actor: str,
    longest_put_s: float,
    run_id: str | None = None,
    despite_claims: bool = False,
) -> Reconciliation:
    """Ask TikTok about every post that nobody holds and about which it may know more.

    One post's trouble does not stop the others: it is reported and tried again the next time. They
    are asked about by turns, so no account's troubles stop another for good.

    :param longest_put_s: how long a PUT of ours can take
    :param run_id: the run that asks as its last work on posts; what it claimed itself is free
    :param despite_claims: ask also about what runs claimed, as a person does who will not wait
    """
    apply_overdue(workspace, actor=actor)
    inquiry = StatusInquiry(tiktok)
    settling = _Settling(workspace, inquiry, actor=actor, longest_put_s=longest_put_s)
    found = Reconciliation()
    with workspace.ledger.read() as session:
        now = workspace.ledger.now()
        unsettled = unsettled_posts.unheld(
            session, now=now, run_id=run_id, despite_claims=despite_claims
        )
        for post_id in unsettled_posts.leased(session, now=now) if despite_claims else ():
            found.left[post_id] = _holder(session, post_id)
    for post_id, _, before in by_turns(unsettled, account_of=lambda one: one.account_id):
        try:
            state, trouble = settling.settle(post_id)
        except damage.UNREADABLE as exc:
            state, trouble = before, str(trouble_with(workspace, post_id, exc))
        if state is before:
            found.unsettled[post_id] = trouble
        else:
            found.settled[post_id] = state
    without_link = ask_about_latecomers(workspace, tiktok, found.settled, actor=actor)
    unknown = [one.post_id for one in unsettled if one.state is PostState.UNKNOWN]
    settled = [one for one, state in found.settled.items() if state in _SETTLED_BY_A_VIDEO]
    sought = {*without_link, *unknown, *settled}
    find_missing_videos(
        workspace, tiktok, sought, found.settled, actor=actor, expected_for=EXPECTED_FOR
    )
    for post_id in found.settled:
        found.unsettled.pop(post_id, None)
    return found


def _holder(session: Session, post_id: int) -> str:
    try:
        post = posts.get(session, post_id)
    except ConfigurationError as exc:
        return str(exc)
    return (
        f"it is {post.state} and {post.lease_owner or 'an upload'} uploads it until "
        f"{post.lease_until:%Y-%m-%d %H:%M} UTC unless renewed"
    )


class _Settling:
    """What TikTok is asked about posts that only its word moves on."""

    def __init__(
        self, workspace: Workspace, tiktok: StatusSource, *, actor: str, longest_put_s: float
    ) -> None:
        self._workspace = workspace
        self._tiktok = tiktok
        self._actor = actor
        self._longest_put_s = longest_put_s

    def settle(self, post_id: int) -> tuple[PostState, str]:
        """Return a post's state by TikTok's word, and what it says, or why it was not asked."""
        try:
            return self._ask(post_id)
        except ReelflowError as exc:
            trouble = str(exc)
            return self._give_up_late(post_id, why=trouble, may=was_asked(exc)), trouble

    def _ask(self, post_id: int) -> tuple[PostState, str]:
        """Ask TikTok about one post and write down what it says."""
        with self._workspace.ledger.read() as session:
            post = posts.get(session, post_id)
            publication = publications.current(session, post_id)
        if publication is None:
            raise TikTokRejectedError(f"it is {post.state} and was never opened at TikTok")
        publish_id = publication.publish_id
        if publish_id is None:
            # UNKNOWN first: whatever an adopted publication says then, no machine posts it again.
            state = give_up_lost_init(self._workspace, post_id, actor=self._actor)
            publish_id = adopt_publish_id(self._workspace, post_id, actor=self._actor)
            if publish_id is None:
                lost = "the answer to its init was lost, and TikTok has not spoken of it since"
                return state, lost
        return self._ask_about(post, publication, publish_id)

    def _ask_about(
        self, post: Post, publication: Publication, publish_id: str
    ) -> tuple[PostState, str]:
        workspace, actor = self._workspace, self._actor
        asked_at = workspace.ledger.now()
        status = self._tiktok.fetch_status(post.account_id, publish_id)
        state = apply_status(workspace, post.id, publish_id, status, actor=actor)
        if (
            state is PostState.COMMITTING
            and proves_incomplete(
                publication, status, asked_at=asked_at, longest_put_s=self._longest_put_s
            )
            and reopen(workspace, post.id, publish_id, actor=actor, fencing_token=None)
        ):
            return_stalled_uploads(workspace, actor=actor)
            with workspace.ledger.read() as session:
                state = posts.get(session, post.id).state
        said = f"TikTok says {status.status}"
        if state in PAST_LAST_BYTE and waits_in_vain(publication, status, state, asked_at=asked_at):
            said += " though no byte can come any more, and does not prove that it lacks one"
            state = self._give_up_late(post.id, why=said, may=True, is_news=False)
        return state, said

    def _give_up_late(
        self, post_id: int, *, why: str, may: bool, is_news: bool = True
    ) -> PostState:
        """Make a post UNKNOWN about which nothing at all was learnt for too long.

        A status, also one that is not final, is news: while TikTok says that it works on a post,
        the post waits.

        :param may: False where TikTok was not asked, which says nothing about the post
        :param is_news: False where what TikTok says now, and said before, tells nothing
        :return: the state that the post has now
        """
        now = self._workspace.ledger.now()
        limit = self._workspace.rules.unknown_after
        with self._workspace.ledger.write() as session:
            post = posts.get(session, post_id, lock=True)
            if (
                not may
                or post.state not in PAST_LAST_BYTE
                or posts.is_leased(post, now=now)
                or now - (_last_news(session, post) if is_news else post.state_since) < limit
            ):
                return post.state
            posts.move(
                session,
                post_id,
                PostState.UNKNOWN,
                now=now,
                actor=self._actor,
                why=f"nothing was learnt of it for {limit.total_seconds() / 3600:g} hours: {why}",
                code="no_status",
                fix=resolve_fix(post),
            )
        return PostState.UNKNOWN


def _last_news(session: Session, post: Post) -> datetime:
    """Return when the post last took a step, or TikTok last said anything about it."""
    publication = publications.current(session, post.id)
    said_at = publication and publication.tiktok_status_at
    return max(post.state_since, said_at or post.state_since)
