"""The write-ahead log of one pull, in which the init itself is the point of no return.

Nothing more is sent after the init of a pull, so the post is COMMITTING before it. Only TikTok's
own refusal, or a call that was never sent, leads back; a lost answer is for a person, or for
whatever TikTok tells later.
"""

from __future__ import annotations

from typing import Final, NoReturn

from sqlalchemy.orm import Session

from reelflow.domain.chunks import ChunkPlan
from reelflow.domain.post import PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import PostHeldError
from reelflow.ledger import posts, publications
from reelflow.services.journal import UploadJournal
from reelflow.services.lost_init import INIT_ANSWER_LOST, resolve_fix
from reelflow.services.webhooks import apply_waiting
from reelflow.tiktok.models import InitAnswer

_BEGUN: Final = "TikTok is asked to fetch the post"
_TAKEN: Final = "TikTok fetches and processes the post"


class PullJournal(UploadJournal):
    """What one lease writes down about one post that TikTok fetches itself."""

    def begin_pull(self, size_bytes: int) -> None:
        """Write the intention of an init, and COMMITTING; call TikTok only after this.

        :param size_bytes: of all files that TikTok will fetch
        :raises PostFailedError: the post has begun too many; it is FAILED now
        """
        with self._fenced() as (session, post):
            may_begin = self._may_begin(session, post)
            if may_begin:
                self._commit_to_pull(session, size_bytes)
        if not may_begin:
            self._fail_begun_too_often()

    def _commit_to_pull(self, session: Session, size_bytes: int) -> None:
        plan = ChunkPlan(size_bytes, size_bytes, 1)
        now = self._ledger.now()
        publication = publications.open_new(session, self._post_id, plan=plan, now=now)
        publication.source = MediaSource.PULL_FROM_URL
        publication.chunk_size_bytes = publication.total_chunks = 0  # TikTok fetches as it likes
        self._step(session, PublicationState.COMMITTING, _BEGUN)
        self._move(session, PostState.COMMITTING, why=_BEGUN)

    def pulled(self, answer: InitAnswer) -> None:
        """COMMITTING to PROCESSING: TikTok opened it, and needs nothing more from here.

        What TikTok answered is the truth whoever holds the lease by now, so no fence keeps it out.
        """
        now = self._ledger.now()
        with self._ledger.write() as session:
            post = posts.get(session, self._post_id, lock=True)
            publication = publications.current(session, self._post_id)
            if publication is None or publication.publish_id is not None:
                return
            publication.publish_id = answer.publish_id
            self._step(session, PublicationState.SENT, f"TikTok opened it as {answer.publish_id}")
            if post.state is PostState.COMMITTING:
                posts.move(
                    session,
                    self._post_id,
                    PostState.PROCESSING,
                    now=now,
                    actor=self._actor,
                    why=_TAKEN,
                )
                post.upload_failures = 0
        apply_waiting(self._workspace, answer.publish_id, actor=self._actor)

    def refused_pull(self, why: str) -> None:
        """COMMITTING to UPLOADING: TikTok refused the init, or never got it; nothing is public."""
        with self._fenced() as (session, post):
            if post.state is PostState.COMMITTING:
                post.publications_forgiven += 1
                self._step(session, PublicationState.SUPERSEDED, why)
                self._move(session, PostState.UPLOADING, why=why)

    def lost_pull(self, why: str) -> NoReturn:
        """COMMITTING to UNKNOWN: TikTok may have opened it, under an id that is not known.

        :raises PostHeldError: always; code ``init_answer_lost``
        """
        with self._fenced() as (session, post):
            fix = resolve_fix(post)
            if post.state is PostState.COMMITTING:
                why = f"TikTok was asked to fetch the post and its answer was lost: {why}"
                self._move(session, PostState.UNKNOWN, why=why, code=INIT_ANSWER_LOST, fix=fix)
        raise PostHeldError(
            f"post {self._post_id} is UNKNOWN: {why}. To fix: {fix}", code=INIT_ANSWER_LOST
        )
