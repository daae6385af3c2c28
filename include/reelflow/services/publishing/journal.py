"""The write-ahead log of one upload: every write names the lease's fencing token.

The order of these writes is the promise (docs/architecture.md): a publication is written before
its init, its ``publish_id`` and URL before the first byte, COMMITTING before the last chunk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, NoReturn

from sqlalchemy.orm import Session

from reelflow.domain.chunks import ChunkPlan
from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostState
from reelflow.domain.publication import PublicationState
from reelflow.domain.schedule import retry_delay
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import (
    BreakerOpenError,
    ConfigurationError,
    LedgerLockedError,
    PostFailedError,
    PostHeldError,
    PostNotTakeableError,
    ReelflowError,
    TikTokRateLimitedError,
    TikTokUnreachableError,
    TransientError,
)
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.known_time import wished_for_later
from reelflow.services.settling.webhooks import apply_waiting
from reelflow.services.trouble_told import private_trouble
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import InitAnswer

log = logging.getLogger(__name__)

#: Failures in which TikTok did nothing: they make no later pause longer.
_UNCOUNTED: Final = (
    TikTokUnreachableError,
    TikTokRateLimitedError,
    LedgerLockedError,
    ConfigurationError,
    BreakerOpenError,
)

#: Where a lease holder may find a post whose upload was begun.
_BEGUN: Final = DONE | PAST_LAST_BYTE | {PostState.UPLOADING}


class UploadJournal:
    """What one lease writes down about one post.

    Every method raises :class:`LeaseLostError` when a newer lease exists; nothing is written then.

    :param actor: who uploads, for the audit trail
    :param fencing_token: of the lease
    """

    def __init__(
        self, workspace: Workspace, post_id: int, *, actor: str, fencing_token: int
    ) -> None:
        self._workspace = workspace
        self._ledger = workspace.ledger
        self._post_id = post_id
        self._actor = actor
        self._token = fencing_token

    def post(self) -> Post:
        """Return the post as it is now."""
        with self._ledger.read() as session:
            return posts.get(session, self._post_id)

    def publication(self) -> Publication | None:
        """Return the current publication as it is now."""
        with self._ledger.read() as session:
            return publications.current(session, self._post_id)

    def is_uploading(self) -> bool:
        """Whether the post is before its last byte, so that giving a publication up is safe."""
        return self.post().state is PostState.UPLOADING

    def has_expired(self, publication: Publication) -> bool:
        """Whether the hour of a publication's upload URL has passed, or it never had one."""
        expires_at = publication.url_expires_at
        return expires_at is None or expires_at <= self._ledger.now()

    def start(self) -> Post:
        """READY to UPLOADING; an upload that was begun already is gone on with.

        :return: the post as it is under this lease, whatever it was before
        :raises PostNotTakeableError: it left the states in which something may be sent, or its time
            is still to come
        """
        with self._fenced() as (session, post):
            if post.state is PostState.READY:
                self._check_wish(post)
                return self._move(session, post, PostState.UPLOADING, why="upload started")
            if post.state not in _BEGUN:
                raise _moved_on(post)
            if post.state is PostState.COMMITTING and post.cancel_requested_at is not None:
                raise PostNotTakeableError(
                    f"post {post.id} is to be cancelled, so what TikTok lacks of it is not sent: "
                    "it is settled by TikTok's word"
                )
            if post.state is PostState.COMMITTING:
                self._postpone_next(post)
            return post

    def _check_wish(self, post: Post) -> None:
        """Leave a post alone that a person wished for later after a run had taken it."""
        later = wished_for_later(post, now=self._ledger.now())
        if later is not None:
            raise PostNotTakeableError(f"post {post.id}: {later}")

    def _postpone_next(self, post: Post) -> None:
        """Keep an upload that stops at its last bytes again from the very next runs."""
        rules = self._workspace.rules
        post.upload_failures += 1
        post.due_at = self._ledger.now() + retry_delay(
            post.upload_failures, first=rules.first_retry, longest=rules.longest_retry
        )

    def begin_publication(self, plan: ChunkPlan) -> None:
        """Write the intention of an init; call TikTok only after this.

        :raises PostFailedError: the post has begun too many; it is FAILED now
        :raises PostNotTakeableError: TikTok's word has moved the post on meanwhile
        """
        now = self._ledger.now()
        with self._fenced() as (session, post):
            if post.state is not PostState.UPLOADING:
                raise _moved_on(post)
            may_begin = self._may_begin(session, post)
            if may_begin:
                publications.open_new(session, self._post_id, plan=plan, now=now)
        if not may_begin:
            self._fail_begun_too_often()

    def opened(self, answer: InitAnswer, *, lifetime: timedelta) -> Publication:
        """Write ``publish_id`` and upload URL down; send bytes only after this.

        The URL's hour is counted from now, not from the call: TikTok's own hour ends no later,
        which the proof that no byte can come any more is built on.

        :param lifetime: of the upload URL
        """
        with self._fenced() as (session, _):
            publication = publications.current(session, self._post_id)
            assert publication is not None
            assert answer.upload_url is not None  # the client lets no upload open without one
            publication.publish_id = answer.publish_id
            publications.store_upload_url(publication, self._ledger.cipher, answer.upload_url)
            publication.url_expires_at = self._ledger.now() + lifetime
            why = f"TikTok opened it as {answer.publish_id}"
            self._step(session, publication, PublicationState.UPLOADING, why)
        apply_waiting(self._workspace, answer.publish_id, actor=self._actor)
        return publication

    def supersede(self, why: str, *, forgiven: bool = False) -> None:
        """Give the current publication up, before its last byte.

        :param forgiven: TikTok never opened it, so it does not count against the post
        """
        with self._fenced() as (session, post):
            if forgiven:
                post.publications_forgiven += 1
            current = publications.current(session, self._post_id)
            self._step(session, current, PublicationState.SUPERSEDED, why)

    def acknowledge(self, held_bytes: int) -> None:
        """Write down how many bytes TikTok said it holds."""
        with self._fenced() as (session, _):
            publication = publications.current(session, self._post_id)
            if publication is not None:
                publication.acknowledged_bytes = held_bytes

    def commit(self) -> None:
        """UPLOADING to COMMITTING: the last byte may be on its way; send it only after this.

        :raises PostNotTakeableError: TikTok's word has moved the post on meanwhile; send nothing
        """
        with self._fenced() as (session, post):
            if post.state not in _BEGUN:
                raise _moved_on(post)
            if post.state is PostState.UPLOADING:
                why = "its last bytes are being sent"
                current = publications.current(session, self._post_id)
                self._step(session, current, PublicationState.COMMITTING, why)
                self._move(session, post, PostState.COMMITTING, why=why)

    def sent(self, held_bytes: int) -> None:
        """COMMITTING to PROCESSING: TikTok acknowledged every byte."""
        with self._fenced() as (session, post):
            publication = publications.current(session, self._post_id)
            if publication is not None:
                publication.acknowledged_bytes = held_bytes
            if post.state is PostState.COMMITTING:
                why = "TikTok acknowledged every byte and processes the video"
                self._step(session, publication, PublicationState.SENT, why)
                self._move(session, post, PostState.PROCESSING, why=why)
                post.upload_failures = 0

    def hold(self, why: str, *, code: str, fix: str) -> NoReturn:
        """Put the post on hold: a person must act.

        :raises PostHeldError: always
        """
        with self._fenced() as (session, post):
            self._move(session, post, PostState.HELD, why=why, code=code, fix=fix)
        raise PostHeldError(f"post {self._post_id} is held: {why} {fix}", code=code)

    def fail(self, why: str, *, code: str, fix: str) -> NoReturn:
        """End the post FAILED; a publication before its last byte is given up with it.

        :raises PostFailedError: always
        """
        with self._fenced() as (session, post):
            publications.give_up_unfinished(
                session, self._post_id, now=self._ledger.now(), actor=self._actor, why=why
            )
            self._move(session, post, PostState.FAILED, why=why, code=code, fix=fix)
        raise PostFailedError(
            f"post {self._post_id} failed: {as_sentence(why)} To fix: {fix}", code=code
        )

    def record_failure(self, exc: TransientError | ConfigurationError) -> None:
        """Make the post READY again with the time of its next try, later after each failure.

        What passes by itself fails no post, however long it lasts; only the number of publications
        ends it. A wrong setting is no reschedule: a person must look. Past the last byte nothing
        changes: only TikTok's word moves the post from there.
        """
        try:
            self._reschedule(exc)
        except ReelflowError as error:
            # The first failure matters more; the lease lapses and the post goes on by itself.
            log.warning("post %s: its failure was not recorded: %s", self._post_id, error)

    def _reschedule(self, exc: TransientError | ConfigurationError) -> None:
        counts = not isinstance(exc, _UNCOUNTED)
        with self._fenced() as (session, post):
            if post.state is not PostState.UPLOADING:
                return
            post.upload_failures += counts
            pause = _pause(exc, post.upload_failures if counts else 0, self._workspace)
            post.due_at = self._ledger.now() + pause
            if isinstance(exc, TransientError):
                post.rescheduled_because = f"next try at {post.due_at:%Y-%m-%d %H:%M:%S} UTC: {exc}"
            trouble = private_trouble(exc)
            self._move(session, post, PostState.READY, why=str(exc), code=exc.code, trouble=trouble)

    def _may_begin(self, session: Session, post: Post) -> bool:
        begun = publications.count(session, self._post_id) - post.publications_forgiven
        return begun < self._workspace.rules.max_publications

    def _fail_begun_too_often(self) -> NoReturn:
        self.fail(
            f"{self._workspace.rules.max_publications} uploads were begun at TikTok and none "
            "could be finished",
            code="too_many_publications",
            fix=self._retry_after(f"see `reelflow posts show {self._post_id}`"),
        )

    def _retry_after(self, advice: str) -> str:
        return f"{advice}; then `reelflow posts retry {self._post_id}`"

    @contextmanager
    def _fenced(self) -> Iterator[tuple[Session, Post]]:
        with self._ledger.write() as session:
            post = posts.get(session, self._post_id, lock=True)
            posts.check_fence(post, self._token)
            yield session, post

    def _move(
        self,
        session: Session,
        post: Post,
        to: PostState,
        *,
        why: str,
        code: str | None = None,
        fix: str | None = None,
        trouble: str | None = None,
    ) -> Post:
        return posts.move(
            session,
            self._post_id,
            to,
            now=self._ledger.now(),
            actor=self._actor,
            why=why,
            code=code,
            fix=fix,
            trouble=trouble,
            fencing_token=self._token,
            held=post,
        )

    def _step(
        self, session: Session, publication: Publication | None, to: PublicationState, why: str
    ) -> None:
        if publication is not None and publication.state is not to:
            now = self._ledger.now()
            publications.move(session, publication, to, now=now, actor=self._actor, why=why)


def _moved_on(post: Post) -> PostNotTakeableError:
    """Return the error of a post that is not, or not any more, one to send anything for."""
    return PostNotTakeableError(f"post {post.id} is {post.state}: {post.reason}")


def _pause(
    exc: TransientError | ConfigurationError, failures: int, workspace: Workspace
) -> timedelta:
    """Return how long to wait: what TikTok asked for, else longer with each failure."""
    if isinstance(exc, TransientError) and exc.retry_after_s is not None:
        return timedelta(seconds=exc.retry_after_s)
    rules = workspace.rules
    if not failures:
        return rules.unreachable_retry
    return retry_delay(failures, first=rules.first_retry, longest=rules.longest_retry)
