"""Changing what a post wishes, while TikTok cannot have it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from reelflow.domain.cover import COVER, cover_violations
from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import UNKEYED, Interaction, PostKind, PostMode, PostState
from reelflow.exceptions import IllegalTransitionError
from reelflow.ledger import audit, photo_images, posts, publications
from reelflow.ledger.models import Post
from reelflow.ledger.unprepared import want_another_cover
from reelflow.services.intake.post_wish import editable_fields, invalid_post, parse_fields
from reelflow.services.intake.waiting import approval_wait, hold, is_unapproved
from reelflow.services.workspace import Workspace

#: What TikTok may have has its fields. Before that, also before another try, they may be changed.
EDITABLE: Final = UNKEYED | {PostState.READY, PostState.HELD}
#: What no init tells TikTok.
_OF_OURS: Final = frozenset({"publish_at", "due_at"})
_COVERS: Final = frozenset({"cover_timestamp_ms", "photo_cover_index"})
#: What is decided when a post is made.
_LASTING: Final = frozenset({"repost", "wants_approval"})


def edit_post(
    workspace: Workspace, post_id: int, changes: Mapping[str, Any], *, actor: str
) -> Post:
    """Give a post other fields; those that are not named stay as they are.

    The row is held meanwhile, as by an upload that begins: that has all of it, or nothing. A HELD
    post stays HELD.

    :param changes: the values of a JSON object, with names and rules of a sidecar
    :raises PostNotFoundError: no post has this id
    :raises IllegalTransitionError: TikTok may have it
    :raises TerminalError: it cannot be as it is wished; code ``invalid_post``
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state not in EDITABLE:
            raise IllegalTransitionError(
                f"post {post_id} is {post.state}: its fields are changed before TikTok may have it",
                state=post.state.value,
            )
        columns = _changed(post, changes)
        _check_cover(session, post, columns)
        for name, value in columns.items():
            setattr(post, name, value)
        if columns:
            _follow(session, post, columns, now=now, actor=actor)
    return post


def _changed(post: Post, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that become others."""
    editable = editable_fields(post.kind)
    lasting = [name for name in changes if name not in editable]
    if lasting:
        told = ", ".join(repr(name[:40]) for name in lasting[:5])
        raise invalid_post(f"{told} cannot be changed (what can be: {', '.join(editable)})")
    try:
        fields = parse_fields({**_wished(post), **changes}, post.kind)
    except ValueError as exc:
        raise invalid_post(str(exc)) from None
    wished = {name: value for name, value in fields.columns().items() if name not in _LASTING}
    return {name: value for name, value in wished.items() if getattr(post, name) != value}


def _wished(post: Post) -> dict[str, Any]:
    """Return what a post wishes now, as the JSON object that it was made of."""
    wished = {name: getattr(post, name, None) for name in editable_fields(post.kind)}
    if post.kind is PostKind.PHOTO:
        wished["cover_index"] = post.photo_cover_index
    wished["publish_at"] = post.publish_at and post.publish_at.isoformat()
    wanted = (post.wanted_interactions or "").split(",")
    for one in Interaction:
        name = f"disable_{one}"
        # To say that something is not disabled is to insist on it.
        if name in wished and not wished[name] and one not in wanted:
            del wished[name]
    return wished


def _check_cover(session: Session, post: Post, columns: Mapping[str, Any]) -> None:
    """Raise if the picture that is chosen as cover is not there, as far as is known."""
    if "photo_cover_index" in columns and not post.media.awaited:
        count = len(photo_images.media_of(session, post))
        if columns["photo_cover_index"] >= count:
            raise invalid_post(
                f"cover_index is {columns['photo_cover_index']}, but it has {count} photos, the "
                "first of which is number 0"
            )
    if "cover_timestamp_ms" in columns and post.media.facts and post.mode is not PostMode.DRAFT:
        facts = MediaFacts.from_dict(post.media.facts)
        for broken in cover_violations(facts, columns["cover_timestamp_ms"]):
            raise invalid_post(f"it has no frame at {broken.value}: {broken.limit}")


def _follow(
    session: Session, post: Post, columns: Mapping[str, Any], *, now: datetime, actor: str
) -> None:
    """Do what changed fields ask for, and write them down."""
    if "publish_at" in columns:
        _reschedule(post, now=now)
    if not _COVERS.isdisjoint(columns):
        want_another_cover(session, post)
        told = post.media.violations or []
        if post.state is PostState.HELD:  # it is judged again, with the cover that it has now
            post.media.violations = [one for one in told if one["rule"] != COVER] or None
    why = f"changed: {', '.join(sorted(columns))}"
    if not _OF_OURS.issuperset(columns):
        # What was opened at TikTok has the old wishes: to go on with it would publish by those.
        publications.give_up_unfinished(session, post.id, now=now, actor=actor, why=why)
    audit.record(session, post_id=post.id, at=now, actor=actor, why=why)
    if post.approved_at is not None and not _OF_OURS.issuperset(columns):
        _ask_again(session, post, now=now, actor=actor)
    session.flush()


def _ask_again(session: Session, post: Post, *, now: datetime, actor: str) -> None:
    """Let a post be approved once more that had to be: nobody approved what it wishes now."""
    post.approved_at = None
    if post.state is PostState.READY and is_unapproved(post):
        hold(session, post, approval_wait(post), now=now, actor=actor)


def _reschedule(post: Post, *, now: datetime) -> None:
    """Let a post be due as it is wished now; a run that has taken it leaves it to its time."""
    post.due_at = max(post.publish_at or now, now)
    post.rescheduled_because = None
