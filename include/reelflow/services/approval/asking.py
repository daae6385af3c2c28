"""Asking a person whether a post may go: what is shown, and what can be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.exceptions import PostNotTakeableError
from reelflow.ledger import approvals, audit, photo_images, posts, verdicts
from reelflow.ledger.approval_models import ApprovalQuestion
from reelflow.ledger.models import Media, Post, Verdict
from reelflow.services.accounts.offers import OpenClients
from reelflow.services.approval.changes import findings, fingerprint
from reelflow.services.approval.creator import (
    CreatorOffer,
    is_approvable,
    levels_to_choose,
    offer_for,
    wanted_but_off,
)
from reelflow.services.approval.finding import UNANSWERABLE
from reelflow.services.approval.pictures import QuestionPictures
from reelflow.services.approval.wording import Shown, body_of, subject_of
from reelflow.services.workspace import Workspace

#: What leaves the cover as it is.
UNCHANGED: Final = "unchanged"
#: What stands for a privacy level that is still to be chosen.
NOT_CHOSEN: Final = "not chosen yet"
#: Pictures can be seen a little longer than the question waits.
_PICTURES_LONGER: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Asker:
    """Who asks.

    :param run_id: of the run that has taken the post
    :param actor: for the audit trail
    """

    run_id: str
    actor: str


@dataclass(frozen=True)
class Question:
    """What a person is asked about a post.

    :param body: Markdown
    :param privacy_levels: to choose from; empty where there is nothing to choose
    :param privacy_level: what the post wishes, if that is among them, else that none is chosen
    :param covers: to choose from, the first of which changes nothing; empty where there are none
    :param timeout: how long an answer is waited for
    :param is_approvable: whether it may be approved at all, or only be rejected or set aside
    """

    subject: str
    body: str
    is_approvable: bool
    privacy_levels: Sequence[str]
    privacy_level: str
    covers: Sequence[str]
    timeout: timedelta


def ask(
    workspace: Workspace,
    post_id: int,
    *,
    asker: Asker,
    open_clients: OpenClients,
    pictures_at: str,
) -> Question:
    """Write down that a person is asked about a post, and return what to ask.

    A task that has asked before, and was cleared or tried again, does not ask a second time: the
    view would show what it asked first. Its question ends, and another run asks.

    :param open_clients: TikTok, which says what the post's creator offers
    :param pictures_at: the API's path as the approver's browser knows it
    :raises PostNotTakeableError: nobody need be asked, or another run asks
    """
    post = _check_may_ask(workspace, post_id, asker)
    offer = offer_for(workspace, post, open_clients)
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        question = approvals.get(session, asker.run_id, post_id, lock=True)
        why_not = _why_not(post, question)
        if why_not is None:
            assert question is not None
            seen = verdicts.of_post(session, post)
            until = _fill(workspace, question, post, offer, seen)
            why = (
                f"a person is asked in Airflow whether it may go, until {until:%Y-%m-%d %H:%M} UTC"
            )
            now = workspace.ledger.now()
            audit.record(session, post_id=post_id, at=now, actor=asker.actor, why=why)
            shown = _shown(workspace, session, post, question, offer, seen, pictures_at)
            return _question(workspace, post, question, shown)
    raise PostNotTakeableError(why_not)


def _check_may_ask(workspace: Workspace, post_id: int, asker: Asker) -> Post:
    """Return the post; end the run's question where nobody is to be asked by it."""
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id)
        question = approvals.get(session, asker.run_id, post_id, lock=True)
        why_not = _why_not(post, question)
        if why_not is None:
            return post
        if question is not None and question.ended_at is None:
            question.ended_at, question.outcome = workspace.ledger.now(), why_not
    raise PostNotTakeableError(why_not)


def _why_not(post: Post, question: ApprovalQuestion | None) -> str | None:
    """Return why a run does not ask about a post; None if it does."""
    if post.state is not PostState.HELD:
        return f"post {post.id} is {post.state}: {post.reason}"
    if post.reason_code in UNANSWERABLE or post.account.revoked:
        return f"post {post.id} waits for what no answer settles: {post.reason} {post.fix or ''}"
    if question is None:
        return f"post {post.id} is none of this run's"
    if question.asked_at is not None or question.ended_at is not None:
        return (
            f"this task has asked about post {post.id} before, and Airflow would show that again: "
            "another run asks about it as it is now"
        )
    return None


def _fill(
    workspace: Workspace,
    question: ApprovalQuestion,
    post: Post,
    offer: CreatorOffer,
    seen: Sequence[Verdict],
) -> datetime:
    now = workspace.ledger.now()
    until = now + _timeout(workspace, post)
    question.asked_at, question.expires_at = now, until
    question.held_since = post.state_since
    question.choices = {
        "privacy_levels": levels_to_choose(post, offer),
        "covers": _covers(post),
        "without": [one.value for one in wanted_but_off(post, offer)],
        "creator": offer.as_dict() if offer.privacy_levels else None,
        "findings": findings(seen),
    }
    return until


def _timeout(workspace: Workspace, post: Post) -> timedelta:
    hours = post.account.approval_timeout_h
    return workspace.rules.approval_timeout if hours is None else timedelta(hours=hours)


def _covers(post: Post) -> dict[str, int]:
    """Return the moments that a cover may be of, by what people choose them by."""
    if post.kind is not PostKind.VIDEO or post.mode is PostMode.DRAFT:
        return {}
    return {
        f"{number}: at {one['at_ms'] / 1000:.1f} s": int(one["at_ms"])
        for number, one in enumerate(post.media.candidates or (), 1)
    }


def _shown(
    workspace: Workspace,
    session: Session,
    post: Post,
    question: ApprovalQuestion,
    offer: CreatorOffer,
    seen: Sequence[Verdict],
    pictures_at: str,
) -> Shown:
    assert question.expires_at is not None
    question.shown = fingerprint(session, post)
    complaint = approvals.complaint_about(session, post, before=question)
    images = photo_images.of_posts(session, [post]).get(post.id, [])
    cover = photo_images.cover_of(session, post)
    pictures, until = QuestionPictures(workspace), question.expires_at + _PICTURES_LONGER

    def address(media: Media, number: int) -> str:
        return pictures_at + pictures.path(media.id, number, until=until)

    return Shown(
        name=photo_images.name_of(post),
        cover=address(cover, 0) if cover.thumbnail_path else None,
        candidates={
            label: address(post.media, number) for number, label in enumerate(_covers(post), 1)
        },
        images=images,
        verdicts=seen,
        username=offer.username,
        without=wanted_but_off(post, offer),
        trouble=offer.trouble,
        is_approvable=is_approvable(post, offer),
        complaint=complaint,
        until=question.expires_at,
    )


def _question(
    workspace: Workspace, post: Post, question: ApprovalQuestion, shown: Shown
) -> Question:
    choices: Mapping[str, Any] = question.choices or {}
    levels, covers, level = choices["privacy_levels"], choices["covers"], post.privacy_level
    return Question(
        subject=subject_of(post, shown.name),
        body=body_of(post, shown),
        is_approvable=shown.is_approvable,
        privacy_levels=levels,
        privacy_level=level if level is not None and level in levels else NOT_CHOSEN,
        covers=[UNCHANGED, *covers] if covers else [],
        timeout=shown.until - workspace.ledger.now(),
    )
