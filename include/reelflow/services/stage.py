"""How every stage begins: it asks the ledger whether there is still something to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

from reelflow.domain.post import PostState
from reelflow.domain.sentence import as_sentence
from reelflow.domain.violation import in_lines
from reelflow.exceptions import (
    MediaRejectedError,
    MediaUnreadableError,
    ObjectNotFoundError,
    PostNotTakeableError,
    ReelflowError,
    SourceChangedError,
)
from reelflow.ledger import audit, claims, photo_images, posts
from reelflow.ledger.models import Media, Post
from reelflow.services.trouble_told import private_trouble
from reelflow.services.workspace import Workspace
from reelflow.source import FileSource, Source

_NOT_FOR_A_RUN: Final = frozenset(
    {
        PostState.HELD,
        PostState.CANCELLED,
        PostState.MISSED,
        PostState.FAILED,
        PostState.UNKNOWN,
    }
)
#: A run's claim of which so much is left is not renewed. A stage may last longer than a claim does,
#: so each begins with nearly all of it.
_FRESH: Final = 0.9
#: States in which a post's media are prepared ahead of time.
_AHEAD: Final = frozenset({PostState.READY, PostState.HELD})


def begin(workspace: Workspace, post_id: int, *, run_id: str | None) -> Post:
    """Return the post, with the run's claim on it renewed unless most of it is left.

    Ahead of time it is not claimed: whoever publishes it may begin at any moment, and does not
    wait.

    :param run_id: the run that publishes it; None for a stage that is done ahead of time
    :raises PostNotTakeableError: it is in a state in which a run leaves it alone; ahead of time it
        must be READY and neither due nor claimed, or HELD
    :raises MediaRejectedError: it was rejected already, for the same reasons as then
    """
    post = _taken_up(workspace, post_id, run_id)
    if post.state is PostState.REJECTED:
        raise _rejected(post)
    if post.state in _NOT_FOR_A_RUN if run_id is not None else post.state not in _AHEAD:
        advice = f" {post.fix}" if post.fix else ""
        raise PostNotTakeableError(
            f"post {post_id} is {post.state}: {as_sentence(post.reason)}{advice}"
        )
    if post.media.awaited:
        raise PostNotTakeableError(f"post {post_id} has no media yet: an upload is to name it")
    if post.state in _AHEAD and post.media.moved_at is None:
        trouble = post.rescheduled_because or "a later run takes it"
        raise PostNotTakeableError(f"the file of post {post_id} is still in the inbox: {trouble}")
    if run_id is None and post.state is PostState.READY:
        _check_not_due(workspace, post)
    return post


def _rejected(post: Post) -> MediaRejectedError:
    violations = post.media.violations or []
    told = (
        f".\n{in_lines(violations)}" if violations else f": {as_sentence(post.reason)} {post.fix}"
    )
    return MediaRejectedError(
        f"post {post.id} ({photo_images.name_of(post)}) is rejected{told}", violations=violations
    )


def _taken_up(workspace: Workspace, post_id: int, run_id: str | None) -> Post:
    ledger, claim = workspace.ledger, workspace.rules.claim
    with ledger.read() as session:
        post = posts.get(session, post_id)
    # A claim that is renewed now and then holds as well, and the stages of most posts take seconds.
    fresh_until = ledger.now() + claim * _FRESH
    if run_id is None or claims.is_held(post, run_id=run_id, until=fresh_until):
        return post
    with ledger.write() as session:
        claims.claim(session, [post_id], run_id=run_id, now=ledger.now(), claim=claim)
        return posts.get(session, post_id)


def _check_not_due(workspace: Workspace, post: Post) -> None:
    """Raise if a publishing run has the post, or is about to: it does all that is left to do."""
    now = workspace.ledger.now()
    if post.claimed_until is not None and post.claimed_until > now:
        raise PostNotTakeableError(f"post {post.id} is prepared by the run {post.claimed_by}")
    if post.due_at <= now:
        raise PostNotTakeableError(f"post {post.id} is due: the run that publishes it prepares it")


def postpone(workspace: Workspace, post_id: int, exc: ReelflowError, *, actor: str) -> None:
    """Write down why a stage could not do its work, and keep the post from the very next runs.

    It is no reschedule: the run fails, because what stands in the way (a missing library, a wrong
    connection) is for a person to mend. A post that has a time for its next try keeps it.
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state is not PostState.READY or post.due_at > now:
            return
        post.due_at = now + workspace.rules.unreachable_retry
        post.rescheduled_because = None  # of an earlier failure; this one is no reschedule
        post.reason, post.reason_code, post.fix = str(exc), exc.code, None
        audit.record(
            session,
            post_id=post_id,
            at=now,
            actor=actor,
            why=f"kept for a later run: {exc}",
            trouble=private_trouble(exc),
        )


def open_video(workspace: Workspace, post: Post) -> AbstractContextManager[Source]:
    """Hold the post's video open, as :func:`open_media` does."""
    return open_media(workspace, post.media, post_id=post.id)


@contextmanager
def open_media(workspace: Workspace, media: Media, *, post_id: int | None) -> Iterator[Source]:
    """Hold a file open; every byte read is of what was taken in.

    The ledger is read again when the file is not where it was: another stage may have moved it.

    :param post_id: of the post that publishes it, if there is one
    :raises MediaUnreadableError: it is gone, or no plain file
    :raises SourceChangedError: somebody replaced it or wrote to it since
    """
    with ExitStack() as held:
        try:
            source = _hold(workspace, media, held)
        except ObjectNotFoundError:
            with workspace.ledger.read() as session:
                again = session.get_one(Media, media.id)
            try:
                source = _hold(workspace, again, held)
            except ObjectNotFoundError as exc:
                raise _gone(workspace, again, post_id) from exc
        try:
            yield source
        except ObjectNotFoundError as exc:  # while it was read
            raise _gone(workspace, media, post_id) from exc


def found_in(workspace: Workspace, exc: MediaUnreadableError | SourceChangedError) -> str:
    """Return what is wrong with a post's file, as its user may read it.

    Without what to do, for whoever says that better, and without where we keep files.
    """
    return workspace.folders.without_places(str(exc.context.get("found", exc)))


def _gone(workspace: Workspace, media: Media, post_id: int | None) -> MediaUnreadableError:
    place = workspace.folders.store.shown(media.source_path)
    name = media.file_name
    what = name if post_id is None else f"the source of post {post_id} ({name})"
    found = f"{what} is gone from {place}"
    return MediaUnreadableError(f"{found}: put the file into the inbox again", found=found)


def _hold(workspace: Workspace, media: Media, held: ExitStack) -> Source:
    source = held.enter_context(workspace.folders.open(media.source_path))
    if media.source_identity in (None, source.identity):
        if isinstance(source, FileSource):
            source.sha256 = media.sha256  # known once it is validated
        return source
    if source.size_bytes != media.size_bytes:
        what = f"it had {media.size_bytes} bytes and has {source.size_bytes}"
    else:
        what = f"it was {media.source_identity} and is {source.identity}, of the same size"
    place = workspace.folders.store.shown(media.source_path)
    found = f"{media.file_name} changed after it was taken from the inbox to {place}: {what}"
    raise SourceChangedError(f"{found}; put it into the inbox again", found=found)
