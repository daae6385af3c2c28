"""What an account wants done with media that were generated: labelled, held, rejected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from reelflow.domain.analysis import AI_GENERATED, NOT_ANALYSED, AnalysisPolicy
from reelflow.domain.post import PostMode, PostState
from reelflow.domain.printable import printable
from reelflow.domain.violation import Violation, in_lines
from reelflow.exceptions import MediaRejectedError, PostHeldError
from reelflow.ledger import audit, photo_images, posts, publications, verdicts
from reelflow.ledger.models import Post, Verdict
from reelflow.services.intake.rejection import reject
from reelflow.services.workspace import Workspace

_SUMMARY_CHARS: Final = 300


def follow_policy(workspace: Workspace, post_id: int, *, actor: str) -> None:
    """Do with a READY post what its account wants, by the verdicts that the ledger has.

    What a person approved passes. A file that the engine refuses to judge is held, whatever the
    policy: nobody knows what to do with it.

    :raises PostHeldError: the post is now HELD until a person approves
    :raises MediaRejectedError: the post is now REJECTED and its files in the quarantine
    """
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        policy = post.account.analysis_policy
        if post.state is not PostState.READY or policy is AnalysisPolicy.IGNORE:
            return
        found = _verdicts(session, post)
        fakes = [one for one in found if one.is_fake]
        unapproved = [one for one in fakes if one.approved_at is None]
        unjudged = [one for one in found if one.refused_because and one.approved_at is None]
        if policy is AnalysisPolicy.LABEL and fakes:
            _label(workspace, session, post, fakes, actor=actor)
        is_rejected = policy is AnalysisPolicy.REJECT and bool(unapproved)
        held: PostHeldError | None = None
        if policy is AnalysisPolicy.HOLD and unapproved:
            held = _hold(workspace, session, post, unapproved, code=AI_GENERATED, actor=actor)
        elif unjudged and not is_rejected:
            held = _hold(workspace, session, post, unjudged, code=NOT_ANALYSED, actor=actor)
    if held is not None:
        raise held
    if is_rejected:
        _reject(workspace, post, unapproved, actor=actor)


def is_followed(session: Session, post: Post) -> bool:
    """Whether a post may be sent as its account wants it now: judged, and nothing held against it.

    What was validated before the account asked for analysis, or asked another model, is not.
    """
    policy = post.account.analysis_policy
    if policy is AnalysisPolicy.IGNORE:
        return True
    found = _verdicts(session, post)
    if len(found) < len(photo_images.media_of(session, post)):
        return False
    if any(one.refused_because and one.approved_at is None for one in found):
        return False
    fakes = [one for one in found if one.is_fake]
    if policy is AnalysisPolicy.LABEL:
        return post.is_aigc or not fakes
    return all(one.approved_at is not None for one in fakes)


def sentence(verdict: Verdict) -> str:
    """Say in one line what an engine found in a file."""
    name = verdict.media.file_name
    if verdict.refused_because is not None:
        return f"{name}: {verdict.refused_because}"
    if verdict.found_at is None:
        return f"{name}: {_who(verdict)} is not finished"
    if verdict.is_fake is None:
        return f"{name}: no evidence that it is generated, says {_who(verdict)}"
    what = "is generated" if verdict.is_fake else "is not generated"
    sure = "" if verdict.confidence is None else f" (confidence {verdict.confidence:.0%})"
    summary = (verdict.details or {}).get("summary")
    why = printable(summary, _SUMMARY_CHARS) if isinstance(summary, str) else ""
    why = f": {why}" if verdict.is_fake and why else ""
    return f"{name} {what}, says {_who(verdict)}{sure}{why}"


def _who(verdict: Verdict) -> str:
    is_one = verdict.model_type == verdict.engine
    return verdict.engine if is_one else f"{verdict.engine}/{verdict.model_type}"


def _verdicts(session: Session, post: Post) -> list[Verdict]:
    """Return what the account's own engine and model say of each file."""
    account = post.account
    found = (
        verdicts.find(
            session,
            media.id,
            engine=account.analysis_engine,
            model_type=account.analysis_model_type,
        )
        for media in photo_images.media_of(session, post)
    )
    return [one for one in found if one is not None and one.found_at is not None]


def _label(
    workspace: Workspace, session: Session, post: Post, fakes: Sequence[Verdict], *, actor: str
) -> None:
    """Tell TikTok's viewers that the post is generated; what was begun without it is given up.

    TikTok takes no label of a draft: whoever finishes it in the app must set it.
    """
    if post.is_aigc:
        return
    post.is_aigc = True
    now = workspace.ledger.now()
    told = "; ".join(map(sentence, fakes))
    if post.mode is PostMode.DRAFT:
        why = f"AI-generated, and a draft carries no label: set it in TikTok's app: {told}"
    else:
        why = f"labelled as AI-generated: {told}"
        publications.give_up_unfinished(
            session, post.id, now=now, actor=actor, why="it was opened without the AI label"
        )
    audit.record(session, post_id=post.id, at=now, actor=actor, why=why)


def _hold(
    workspace: Workspace,
    session: Session,
    post: Post,
    against: Sequence[Verdict],
    *,
    code: str,
    actor: str,
) -> PostHeldError:
    """Hold the post; return what its task is to raise once that is committed."""
    held = posts.move(
        session,
        post.id,
        PostState.HELD,
        now=workspace.ledger.now(),
        actor=actor,
        why="it waits for approval: " + "; ".join(map(sentence, against)),
        code=code,
        fix=f"approve it with `reelflow posts release {post.id}`, or stop it with `reelflow posts "
        f"cancel {post.id}`",
    )
    return PostHeldError(f"post {post.id} is held: {held.reason}. {held.fix}", code=code)


def _reject(workspace: Workspace, post: Post, against: Sequence[Verdict], *, actor: str) -> None:
    name = post.account.name
    violations = [
        Violation(
            AI_GENERATED,
            sentence(one),
            f"nothing generated is posted to {name}",
            f"post something else, or let a person decide: `reelflow accounts set {name} "
            f"--analysis hold`, then `reelflow posts retry {post.id}`",
        )
        for one in against
    ]
    told = [violation.as_dict() for violation in violations]
    reject(workspace, post.id, told, actor=actor)
    raise MediaRejectedError(
        f"{photo_images.name_of(post)} is rejected.\n{in_lines(told)}", violations=told
    )
