"""Refusing a post's media for what is wrong with them: at once, or to whoever is to release it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import PostState
from reelflow.domain.violation import Violation, in_lines
from reelflow.exceptions import MediaRejectedError, MediaUnreadableError, SourceChangedError
from reelflow.ledger import photo_images
from reelflow.ledger.models import Post
from reelflow.services.intake.held_media import tell_held
from reelflow.services.intake.rejection import reject
from reelflow.services.stage import found_in
from reelflow.services.workspace import Workspace


def refuse(
    workspace: Workspace,
    post: Post,
    violations: list[dict[str, str]],
    *,
    run_id: str | None,
    actor: str,
    facts: Mapping[str, MediaFacts] | None = None,
) -> MediaRejectedError:
    """Reject a post; ahead of time one that is HELD stays so.

    :param facts: as of :func:`reelflow.services.intake.rejection.reject`
    :return: what its task is to raise
    """
    told = f"{photo_images.name_of(post)} is rejected."
    if run_id is None and tell_held(workspace, post.id, violations, actor=actor, facts=facts):
        told = f"{photo_images.name_of(post)} stays held, and its release would reject it."
    else:
        reject(workspace, post.id, violations, actor=actor, facts=facts)
    return MediaRejectedError(f"{told}\n{in_lines(violations)}", violations=violations)


def unreadable(workspace: Workspace, exc: MediaUnreadableError | SourceChangedError) -> Violation:
    """Return the violation of a file that is gone, or not the one that was taken."""
    return Violation(
        exc.code,
        found_in(workspace, exc),
        "a plain file that nobody writes to any more",
        "put the file into the inbox again",
    )


@contextmanager
def refused_if_unreadable(
    workspace: Workspace, post: Post, *, run_id: str | None, actor: str
) -> Iterator[None]:
    """Refuse a post whose file cannot be used within the block: the next run could not either.

    :raises MediaRejectedError: in place of what said so
    """
    try:
        yield
    except (MediaRejectedError, MediaUnreadableError, SourceChangedError) as exc:
        if post.state not in (PostState.READY, PostState.HELD):
            raise
        if isinstance(exc, MediaRejectedError):
            violations = exc.violations
        else:
            violations = [unreadable(workspace, exc).as_dict()]
        raise refuse(workspace, post, violations, run_id=run_id, actor=actor) from exc
