"""What a person may do to a post by hand: release, cancel, retry; each step audited."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelflow.domain.analysis import APPROVED_BY_RELEASE
from reelflow.domain.post import (
    PAST_LAST_BYTE,
    UNKEYED,
    Interaction,
    PersonCommand,
    PostMode,
    PostState,
    PrivacyLevel,
    check_command,
)
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import audit, posts, publications, verdicts
from reelflow.ledger.models import Post, Verdict
from reelflow.services.accounts.revocation import held_because, reconnect_fix
from reelflow.services.intake.duplicates import told_of
from reelflow.services.intake.rejection import UNREAD_SIDECAR, bring_back, hold_files, place_of
from reelflow.services.intake.verdict_policy import sentence
from reelflow.services.intake.waiting import find_wait, hold, is_unapproved
from reelflow.services.workspace import Workspace


def release(
    workspace: Workspace,
    post_id: int,
    *,
    actor: str,
    privacy_level: PrivacyLevel | None = None,
    at: datetime | None = None,
    disable: Collection[Interaction] = (),
    may_approve: bool = True,
) -> Post:
    """Let a HELD post go: READY, due at the given time or as it was wished, at the earliest now.

    Of a post that waits for approval of what its media are, this is the approval, of every verdict
    that is there now: who releases by hand is asked no question that could have shown other ones.

    :param disable: what viewers may not do with it, whatever was wished before
    :param may_approve: whether who asks may let posts go of an account that wants all approved
    :raises IllegalTransitionError: it is not HELD, or still has no privacy level, or somebody else
        must approve it
    """
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if not may_approve and is_unapproved(post, by_account=True):
            raise IllegalTransitionError(
                f"{post.account.name} wants every post approved by somebody else than its users: "
                "it is asked for in Airflow, under Required Actions, and an admin may release it"
            )
        release_held(
            session,
            post,
            now=workspace.ledger.now(),
            actor=actor,
            privacy_level=privacy_level,
            at=at,
            disable=disable,
            seen=verdicts.of_post(session, post),
        )
    return post


def release_held(
    session: Session,
    post: Post,
    *,
    now: datetime,
    actor: str,
    seen: Sequence[Verdict],
    privacy_level: PrivacyLevel | None = None,
    at: datetime | None = None,
    disable: Collection[Interaction] = (),
    how: str = "released by hand",
) -> None:
    """Let a post go as :func:`release` does, in the caller's transaction.

    :param post: locked
    :param seen: the verdicts on its files that the person knew; no other is approved
    :param how: what the audit trail calls it
    :raises IllegalTransitionError: as of :func:`release`
    """
    check_command(PersonCommand.RELEASE, post.state)
    post.privacy_level = privacy_level or post.privacy_level
    _check_privacy(post)
    post.publish_at = at or post.publish_at
    _disable(post, disable)
    if privacy_level is not None or disable:
        why = "it was opened with what the post wished before"
        publications.give_up_unfinished(session, post.id, now=now, actor=actor, why=why)
    _approve(session, post, seen, now=now, actor=actor)
    post.approved_at = now
    why = f"{how}{_chosen(privacy_level, at, disable)}"
    _make_ready(session, post, now=now, actor=actor, why=why)
    post.due_at = max(post.publish_at or now, now)


def _check_privacy(post: Post) -> None:
    level = post.privacy_level
    if level in set(PrivacyLevel) or (level is None and post.mode is PostMode.DRAFT):
        return
    has = "no privacy level yet" if level is None else f"the privacy level {level!r}, which is none"
    raise IllegalTransitionError(
        f"post {post.id} has {has}: release it with --privacy and one of {', '.join(PrivacyLevel)}"
    )


def _chosen(
    privacy_level: PrivacyLevel | None, at: datetime | None, disable: Collection[Interaction]
) -> str:
    """Return what a person chose for a post, as the end of a sentence."""
    chosen = [f"with privacy {privacy_level}"] if privacy_level is not None else []
    if at is not None:
        chosen.append(f"for {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    chosen += [f"without {interaction}" for interaction in disable]
    return f" {', '.join(chosen)}" if chosen else ""


def _approve(
    session: Session, post: Post, seen: Sequence[Verdict], *, now: datetime, actor: str
) -> None:
    """Remember, of a post held for approval, which verdicts on its files a person approved."""
    if post.reason_code not in APPROVED_BY_RELEASE:
        return
    for verdict in verdicts.approve(session, seen, actor=actor, now=now):
        why = f"approved: {sentence(verdict)}"
        audit.record(session, post_id=post.id, at=now, actor=actor, why=why)


def _disable(post: Post, interactions: Collection[Interaction]) -> None:
    for interaction in interactions:
        setattr(post, f"disable_{interaction}", True)
    wanted = (post.wanted_interactions or "").split(",")
    left = [name for name in wanted if name and Interaction(name) not in interactions]
    post.wanted_interactions = ",".join(left) or None


def cancel(workspace: Workspace, post_id: int, *, actor: str) -> Post:
    """Make a post CANCELLED that TikTok does not have yet; a running upload stops.

    :raises IllegalTransitionError: it is past its last byte, where only TikTok can stop it
        (:func:`reelflow.services.steering.cancelling.ask_to_cancel`), or ended already
    """
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        check_command(PersonCommand.CANCEL, post.state)
        if post.state in PAST_LAST_BYTE:
            raise IllegalTransitionError(
                f"post {post_id} is {post.state}: its last byte may be at TikTok, and only TikTok "
                "can stop it"
            )
        now, why = workspace.ledger.now(), f"cancelled by {actor}"
        cancel_unsent(session, post, now=now, actor=actor, why=why, code="cancelled")
    return post


def cancel_unsent(
    session: Session, post: Post, *, now: datetime, actor: str, why: str, code: str
) -> None:
    """Make a post CANCELLED that TikTok does not have, in the caller's transaction.

    :param post: locked, and before its last byte
    """
    # A newer token: the uploader's next write is refused, before its last chunk.
    posts.end_lease(post)
    publications.give_up_unfinished(
        session, post.id, now=now, actor=actor, why="the post was cancelled by hand"
    )
    posts.move(session, post.id, PostState.CANCELLED, now=now, actor=actor, why=why, code=code)


def retry(workspace: Workspace, post_id: int, *, actor: str, at: datetime | None = None) -> Post:
    """Try a post again that FAILED, was REJECTED, CANCELLED or MISSED, with new tries.

    It is due at the given time or as it was wished, at the earliest now; one that nobody approved
    yet is HELD for that again.

    :raises IllegalTransitionError: it is in another state, its sidecar was never understood, its
        bytes are another post by now, it never had media, or its account is revoked
    :raises MediaUnreadableError: its file is gone
    """
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        _check_retry(post)
        _check_may_go(session, post)  # or its file would leave the quarantine for nothing
    bring_back(workspace, post)
    try:
        return _try_again(workspace, post_id, actor=actor, at=at)
    except IntegrityError:
        # The same bytes became another post between our look and our write: look again.
        return _try_again(workspace, post_id, actor=actor, at=at)


def _try_again(workspace: Workspace, post_id: int, *, actor: str, at: datetime | None) -> Post:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        _check_retry(post)
        files = hold_files(session, post)
        if post.state is PostState.REJECTED:
            post.media.violations = None
            for media in files:
                media.validated_at = None
        post.upload_failures = 0
        post.publications_forgiven = publications.count(session, post_id)
        post.publish_at = at or post.publish_at
        why = f"tried again by hand{_chosen(None, at, ())}"
        _make_ready(session, post, now=now, actor=actor, why=why)
        post.due_at = max(post.publish_at or now, now)
        wait = find_wait(post)
        if wait is not None:
            hold(session, post, wait, now=now, actor=actor)
    return post


def _check_retry(post: Post) -> None:
    check_command(PersonCommand.RETRY, post.state)
    if post.state is PostState.REJECTED and post.reason_code == UNREAD_SIDECAR:
        # It has the fields of no sidecar: it would go out at once, by the inbox's privacy level.
        raise IllegalTransitionError(
            f"post {post.id} cannot be tried again, because its sidecar was never understood: put "
            f"file and corrected sidecar into the inbox again; both lie in {place_of(post)}"
            " and beside it"
        )


def _make_ready(session: Session, post: Post, *, now: datetime, actor: str, why: str) -> None:
    """Move a post to READY, unless something stands in its way."""
    _check_may_go(session, post)
    posts.move(session, post.id, PostState.READY, now=now, actor=actor, why=why)
    post.rescheduled_because = post.cancel_requested_at = None
    post.claimed_by = post.claimed_until = None


def _check_may_go(session: Session, post: Post) -> None:
    """Raise if a post has no media, its account is revoked, or its key, once lost, is another's."""
    if post.media.awaited:
        raise IllegalTransitionError(
            f"post {post.id} has no media yet: upload them for it while it is HELD, or make "
            "another post of them"
        )
    if post.account.revoked:
        raise IllegalTransitionError(
            f"post {post.id} cannot go out: {held_because(post.account)}. Connect it first: "
            f"{reconnect_fix(post.account.name)}"
        )
    twin = posts.key_holder(session, post) if post.state in UNKEYED else None
    if twin is not None:
        raise IllegalTransitionError(
            f"post {post.id} has the same bytes as {told_of(twin, to=post)}, which took its place: "
            'put the file into the inbox again with "repost": true to post them once more'
        )
