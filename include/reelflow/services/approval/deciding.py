"""What becomes of a post by a person's answer, or where there was none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.orm import Session

from reelflow.domain.approval import TimeoutAction
from reelflow.domain.post import Interaction, PostMode, PostState, PrivacyLevel
from reelflow.domain.user import actor_of
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import approvals, audit, posts, verdicts
from reelflow.ledger.approval_models import ApprovalQuestion
from reelflow.ledger.models import Post
from reelflow.services.approval.asking import NOT_CHOSEN, UNCHANGED, Asker
from reelflow.services.approval.changes import find_change
from reelflow.services.approval.creator import NOTHING_OFFERED
from reelflow.services.steering.commands import cancel_unsent, release_held
from reelflow.services.steering.covers import set_cover
from reelflow.services.workspace import Workspace

#: Codes of posts that are CANCELLED by what follows.
REJECTED_BY_PERSON: Final = "rejected_by_person"
NOT_APPROVED_IN_TIME: Final = "not_approved_in_time"

#: A post that a person set aside is asked about again after this.
REST: Final = timedelta(hours=1)
#: Fields of an answer.
PRIVACY_LEVEL: Final = "privacy_level"
COVER: Final = "cover"

_SHORT: Final = 80


class Option(StrEnum):
    """What a person can say, in the words of the buttons."""

    APPROVE = "Approve"
    REJECT = "Reject"
    NOT_NOW = "Not now"


@dataclass(frozen=True)
class Answer:
    """What somebody answered, as it came: any string in any field.

    :param by: who, as :func:`reelflow.domain.user.known_as` says it
    """

    options: list[str]
    by: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def actor(self) -> str:
        """What the audit trail names."""
        return actor_of(self.by)


def decide(workspace: Workspace, post_id: int, answer: Answer, *, asker: Asker) -> str:
    """Do what a person answered, and return what became of the post.

    An answer to a question that is none any more, because the post went another way meanwhile,
    changes nothing. Nor does one that cannot be used: the question ends, and another run asks
    again, and tells what was wrong.

    :param asker: who asked; its actor is not the one who answered
    """
    try:
        with workspace.ledger.write() as session:
            now = workspace.ledger.now()
            post = posts.get(session, post_id, lock=True)
            question = approvals.get(session, asker.run_id, post_id, lock=True)
            told = _moot(post, question)
            if told is not None:
                _note_moot(session, post, answer, told, now=now)
                _end(question, told, now=now)
                return told
            assert question is not None
            told = _do(session, post, question, answer, now=now)
            _end(question, told, now=now)
            return told
    except (_UnusableError, IllegalTransitionError) as exc:
        return _complain(workspace, post_id, answer, asker, str(exc))


def go_unanswered(workspace: Workspace, post_id: int, *, asker: Asker) -> str:
    """Do what a post's account wants where nobody answered in time; return what became of it."""
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        post = posts.get(session, post_id, lock=True)
        question = approvals.get(session, asker.run_id, post_id, lock=True)
        told = _moot(post, question)
        if told is None:
            told = _time_out(session, post, actor=asker.actor, now=now)
        _end(question, told, now=now)
    return told


class _UnusableError(Exception):
    """Why an answer cannot be used, as a part of a sentence."""


def _moot(post: Post, question: ApprovalQuestion | None) -> str | None:
    """Return why an answer changes nothing any more; None if it is an answer to this question."""
    if post.state is not PostState.HELD:
        return f"post {post.id} is {post.state} by now ({post.reason}): the answer changes nothing"
    if question is None or question.ended_at is not None:
        return f"another question about post {post.id} took this one's place: answer that"
    if question.held_since != post.state_since:
        return (
            f"post {post.id} was let go meanwhile and is held again ({post.reason}): it is asked "
            "about anew"
        )
    return None


def _note_moot(session: Session, post: Post, answer: Answer, told: str, *, now: datetime) -> None:
    said = ", ".join(answer.options)[:_SHORT]
    why = f"answered {said!r} in Airflow, too late: {told}"
    audit.record(session, post_id=post.id, at=now, actor=answer.actor, why=why)


def _do(
    session: Session, post: Post, question: ApprovalQuestion, answer: Answer, *, now: datetime
) -> str:
    option = _option(answer)
    if option is Option.NOT_NOW:
        question.again_at = now + REST
        why = f"set aside by {answer.by} until {question.again_at:%Y-%m-%d %H:%M} UTC"
        audit.record(session, post_id=post.id, at=now, actor=answer.actor, why=why)
        return f"post {post.id} was {why}; it stays HELD"
    if option is Option.REJECT:
        why = f"rejected by {answer.by}"
        cancel_unsent(session, post, now=now, actor=answer.actor, why=why, code=REJECTED_BY_PERSON)
        return f"post {post.id} is CANCELLED: {why}"
    _approve(session, post, question, answer, now=now)
    return f"post {post.id} is READY, due {post.due_at:%Y-%m-%d %H:%M} UTC: approved by {answer.by}"


def _approve(
    session: Session, post: Post, question: ApprovalQuestion, answer: Answer, *, now: datetime
) -> None:
    seen = verdicts.of_post(session, post)
    changed = find_change(session, post, question, seen)
    if changed is not None:
        raise _UnusableError(changed)
    choices: Mapping[str, Any] = question.choices or {}
    _check_names(answer)
    level = _level(post, answer, choices)
    at_ms = _cover(answer, choices)
    actor = answer.actor
    if at_ms is not None and at_ms != post.cover_timestamp_ms:
        set_cover(session, post, now=now, actor=actor, at_ms=at_ms)
    release_held(
        session,
        post,
        now=now,
        actor=actor,
        seen=seen,
        privacy_level=level,
        disable=[Interaction(name) for name in choices.get("without", ())],
        how=f"approved by {answer.by}",
    )


def _option(answer: Answer) -> Option:
    if len(answer.options) != 1 or answer.options[0] not in set(Option):
        said = ", ".join(repr(one[:_SHORT]) for one in answer.options[:3]) or "nothing"
        raise _UnusableError(f"it says {said}; say one of {', '.join(Option)}")
    return Option(answer.options[0])


def _check_names(answer: Answer) -> None:
    unknown = [name for name in answer.fields if name not in (PRIVACY_LEVEL, COVER)]
    if unknown:
        raise _UnusableError(
            f"it has the field {unknown[0][:_SHORT]!r}; there are {PRIVACY_LEVEL} and {COVER}"
        )


def _level(post: Post, answer: Answer, choices: Mapping[str, Any]) -> PrivacyLevel | None:
    """Return the privacy level that was chosen, if it is another than the post's own."""
    chosen, levels = answer.fields.get(PRIVACY_LEVEL), choices.get("privacy_levels", [])
    if not levels and post.mode is not PostMode.DRAFT:
        raise _UnusableError(NOTHING_OFFERED)
    if chosen in (None, "", NOT_CHOSEN):
        if post.mode is PostMode.DRAFT or post.privacy_level in levels:
            return None
        has = f"{post.privacy_level} is not offered now"
        has = "the post has none yet" if post.privacy_level is None else has
        raise _UnusableError(f"choose a privacy level, for {has}: {', '.join(levels)}")
    if chosen not in levels:
        offered = f"there are {', '.join(levels)}" if levels else "there is none to choose"
        raise _UnusableError(f"it chooses the privacy level {_short(chosen)}; {offered}")
    level = PrivacyLevel(chosen)
    return None if level.value == post.privacy_level else level


def _cover(answer: Answer, choices: Mapping[str, Any]) -> int | None:
    """Return the moment that was chosen for the cover; None leaves it as it is."""
    chosen, covers = answer.fields.get(COVER), choices.get("covers", {})
    if chosen in (None, "", UNCHANGED):
        return None
    if not isinstance(chosen, str) or chosen not in covers:
        offered = ", ".join((UNCHANGED, *covers))
        raise _UnusableError(f"it chooses the cover {_short(chosen)}; there are {offered}")
    return int(covers[chosen])


def _short(value: object) -> str:
    return repr(value)[:_SHORT]


def _time_out(session: Session, post: Post, *, actor: str, now: datetime) -> str:
    if post.account.approval_on_timeout is TimeoutAction.CANCEL:
        why = "nobody approved it in time, and its account then wants it cancelled"
        cancel_unsent(session, post, now=now, actor=actor, why=why, code=NOT_APPROVED_IN_TIME)
        return f"post {post.id} is CANCELLED: {why}"
    why = "nobody answered in time whether it may go: it stays HELD, and is asked about again"
    audit.record(session, post_id=post.id, at=now, actor=actor, why=why)
    return f"post {post.id}: {why}"


def _end(question: ApprovalQuestion | None, told: str, *, now: datetime) -> None:
    if question is not None and question.ended_at is None:
        question.ended_at, question.outcome = now, told


def _complain(workspace: Workspace, post_id: int, answer: Answer, asker: Asker, why: str) -> str:
    """End a question whose answer cannot be used; the next one tells why."""
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        told = f"the answer of {answer.by} cannot be used, and changed nothing: {why}"
        question = approvals.get(session, asker.run_id, post_id, lock=True)
        if question is not None and question.ended_at is None:
            question.complaint = why
        _end(question, told, now=now)
        audit.record(session, post_id=post_id, at=now, actor=answer.actor, why=told)
    return f"{told}. Post {post_id} is asked about again"
