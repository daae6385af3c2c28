"""Opening a publication: an init only when nothing that TikTok has can be resumed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from reelflow.domain.post import PostMode
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    ConfigurationError,
    LedgerLockedError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.ledger.models import Post, Publication
from reelflow.services.calls.account_client import AccountClient
from reelflow.services.calls.admission import admitted
from reelflow.services.publishing.creator_check import check_creator
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.publishing.post_info import video_post
from reelflow.services.workspace import Workspace
from reelflow.tiktok.limits import TikTokLimits

#: Errors of an init that count against no post. TikTok has nothing, or a task that can publish
#: nothing, because its upload URL is lost; or an answer that is not in TikTok's words, which a
#: person must see to, or a ledger without a token for the call.
_NOT_OPENED: Final = (
    TikTokUnreachableError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    ConfigurationError,
    LedgerLockedError,
)


class PublicationOpener:
    """Finds the publication that a post's bytes go to, or asks TikTok for a new one.

    :param post: as it was when its lease was taken
    """

    def __init__(
        self,
        workspace: Workspace,
        client: AccountClient,
        journal: UploadJournal,
        post: Post,
        *,
        limits: TikTokLimits,
    ) -> None:
        self._workspace = workspace
        self._client = client
        self._journal = journal
        self._post = post
        self._limits = limits

    def open(self, current: Publication | None) -> tuple[Publication, bool]:
        """Return the publication to send to, and whether it is a new one.

        :param current: the post's current publication, if it has one
        :raises PostHeldError: the creator may not post this now; nothing was opened
        :raises BudgetSpentError: the account must wait, as the breaker's BreakerOpenError says
        :raises PostFailedError: too many were begun already
        """
        if current is not None and self._takes_bytes(current):
            return current, False
        with admitted(self._workspace, self._post):
            check_creator(self._workspace, self._post, self._client, self._journal)
            return self._init(), True

    def _takes_bytes(self, publication: Publication) -> bool:
        """Say whether bytes can be sent to a publication, or give it up."""
        if publication.state in (PublicationState.COMMITTING, PublicationState.SENT):
            return True
        if publication.state is PublicationState.INITIATING:
            self._journal.supersede("the answer to its init was lost, nothing can be sent")
        elif publication.state is PublicationState.UPLOADING:
            if not self._journal.has_expired(publication):
                return True
            self._journal.supersede("its upload URL's hour passed before the last byte")
        return False

    def _init(self) -> Publication:
        plan = self._limits.plan(self._post.media.size_bytes)
        self._journal.begin_publication(plan)
        try:
            if self._post.mode is PostMode.DRAFT:
                answer = self._client.init_draft(plan)
            else:
                answer = self._client.init_video(video_post(self._post), plan)
        except _NOT_OPENED as exc:
            self._journal.supersede(f"TikTok did not open it: {exc}", forgiven=True)
            raise
        return self._journal.opened(answer, lifetime=timedelta(seconds=self._limits.url_lifetime_s))
