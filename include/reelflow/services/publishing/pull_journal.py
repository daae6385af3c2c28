"""The write-ahead log of one pull, in which the init itself is the point of no return.

Nothing more is sent after the init of a pull, so the post is COMMITTING before it. Only TikTok's
own refusal, or a call that was never sent, leads back; a lost answer is for a person, or for
whatever TikTok tells later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, NoReturn

from sqlalchemy.orm import Session

from reelflow.domain.chunks import ChunkPlan
from reelflow.domain.post import PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import PostHeldError, TransientError
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.settling.lost_init import (
    INIT_ANSWER_LOST,
    missing_for_sure_from,
    resolve_fix,
)
from reelflow.services.settling.webhooks import apply_waiting
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import InitAnswer

log = logging.getLogger(__name__)

#: How often TikTok's answer, which comes only once, is written down: the ledger may be locked.
STORE_ATTEMPTS: Final = 3
_STORE_PAUSE_S: Final = 1.0

_BEGUN: Final = "TikTok is asked to fetch the post"
_TAKEN: Final = "TikTok fetches and processes the post"


class PullJournal(UploadJournal):
    """What one lease writes down about one post that TikTok fetches itself.

    :param sleep: waits some seconds before an answer is written again
    """

    def __init__(
        self,
        workspace: Workspace,
        post_id: int,
        *,
        actor: str,
        fencing_token: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(workspace, post_id, actor=actor, fencing_token=fencing_token)
        self._sleep = sleep
        self._publication_id: int | None = None

    def begin_pull(self, size_bytes: int) -> None:
        """Write the intention of an init, and COMMITTING; call TikTok only after this.

        :param size_bytes: of all files that TikTok will fetch
        :raises PostFailedError: the post has begun too many; it is FAILED now
        """
        with self._fenced() as (session, post):
            may_begin = self._may_begin(session, post)
            if may_begin:
                self._commit_to_pull(session, post, size_bytes)
        if not may_begin:
            self._fail_begun_too_often()

    def _commit_to_pull(self, session: Session, post: Post, size_bytes: int) -> None:
        plan = ChunkPlan(size_bytes, size_bytes, 1)
        now = self._ledger.now()
        publication = publications.open_new(session, self._post_id, plan=plan, now=now)
        publication.source = MediaSource.PULL_FROM_URL
        publication.chunk_size_bytes = publication.total_chunks = 0  # TikTok fetches as it likes
        self._step(session, publication, PublicationState.COMMITTING, _BEGUN)
        self._move(session, post, PostState.COMMITTING, why=_BEGUN)
        self._publication_id = publication.id

    def pulled(self, answer: InitAnswer) -> None:
        """COMMITTING to PROCESSING: TikTok opened it, and needs nothing more from here.

        What TikTok answered is the truth whoever holds the lease by now, so no fence keeps it out.
        """
        for attempt in range(1, STORE_ATTEMPTS + 1):
            try:
                self._keep(answer.publish_id)
                break
            except TransientError as exc:
                log.error(
                    "post %d: TikTok opened it as %s, which cannot be written down: %s",
                    self._post_id,
                    answer.publish_id,
                    exc,
                )
                if attempt == STORE_ATTEMPTS:
                    raise
                self._sleep(_STORE_PAUSE_S)
        apply_waiting(self._workspace, answer.publish_id, actor=self._actor)

    def _keep(self, publish_id: str) -> None:
        """Give the id to the publication that was begun here; the post may have another by now."""
        now, why = self._ledger.now(), f"TikTok opened it as {publish_id}"
        with self._ledger.write() as session:
            post = posts.get(session, self._post_id, lock=True)
            publication = session.get_one(Publication, self._publication_id)
            if publication.publish_id is not None:
                return
            publication.publish_id = publish_id
            if publication.state is PublicationState.COMMITTING:
                sent = PublicationState.SENT
                publications.move(session, publication, sent, now=now, actor=self._actor, why=why)
            else:  # a person settled it meanwhile; with its id, TikTok is asked about it
                audit.record(session, post_id=post.id, at=now, actor=self._actor, why=why)
            if publication.is_current and post.state is PostState.COMMITTING:
                posts.move(
                    session, post.id, PostState.PROCESSING, now=now, actor=self._actor, why=_TAKEN
                )
                post.upload_failures = 0

    def refused_pull(self, why: str) -> None:
        """COMMITTING to UPLOADING: TikTok refused the init, or never got it; nothing is public."""
        with self._fenced() as (session, post):
            if post.state is PostState.COMMITTING:
                post.publications_forgiven += 1
                current = publications.current(session, self._post_id)
                self._step(session, current, PublicationState.SUPERSEDED, why)
                self._move(session, post, PostState.UPLOADING, why=why)

    def lost_pull(self, why: str) -> NoReturn:
        """COMMITTING to UNKNOWN: TikTok may have opened it, under an id that is not known.

        :raises PostHeldError: always; code ``init_answer_lost``
        """
        with self._fenced() as (session, post):
            missing_from = missing_for_sure_from(
                publications.current(session, self._post_id), self._workspace.rules
            )
            fix = resolve_fix(post, missing_from=missing_from)
            if post.state is PostState.COMMITTING:
                why = f"TikTok was asked to fetch the post and its answer was lost: {why}"
                self._move(
                    session, post, PostState.UNKNOWN, why=why, code=INIT_ANSWER_LOST, fix=fix
                )
        raise PostHeldError(
            f"post {self._post_id} is UNKNOWN: {as_sentence(why)} To fix: {fix}",
            code=INIT_ANSWER_LOST,
        )
