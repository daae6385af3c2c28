"""Publishing by PULL_FROM_URL: TikTok is told where the files are, and fetches them itself.

With the init everything is said, so it is the point of no return: COMMITTING is committed before
it, and an answer that does not come leaves the post UNKNOWN (services/publishing/pull_journal.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import (
    BreakerOpenError,
    ConfigurationError,
    LedgerLockedError,
    MediaUnreadableError,
    StorageFullError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
    TikTokUnreachableError,
)
from reelflow.ledger import photo_images
from reelflow.ledger.models import Media, Post, Publication
from reelflow.services.calls.account_client import AccountClient
from reelflow.services.calls.admission import admitted
from reelflow.services.published_file import (
    COPY_LOST,
    NOT_PUBLISHABLE,
    open_published,
    published_file,
)
from reelflow.services.publishing.creator_check import check_creator
from reelflow.services.publishing.post_info import photo_post, video_post
from reelflow.services.publishing.public_media import PublicMedia
from reelflow.services.publishing.pull_journal import PullJournal
from reelflow.services.stage import found_in
from reelflow.services.workspace import Workspace
from reelflow.tiktok import models as tiktok
from reelflow.tiktok.answers import UNEXPECTED_ANSWER
from reelflow.tiktok.models import InitAnswer, PullFromUrl

#: Errors of an init that TikTok did not carry out: it refused, or was never asked. The ledger is
#: used within an init only for its token, before it is sent or after it was refused, and to write
#: such a refusal down.
_NOT_CARRIED_OUT: Final = (
    TikTokUnreachableError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    BreakerOpenError,
    ConfigurationError,
    LedgerLockedError,
    StorageFullError,
)
_UNDER_WAY: Final = frozenset(
    {
        PublicationState.INITIATING,
        PublicationState.UPLOADING,
        PublicationState.COMMITTING,
        PublicationState.SENT,
    }
)
_PHOTO_MODES: Final = {
    PostMode.DIRECT: tiktok.PostMode.DIRECT_POST,
    PostMode.DRAFT: tiktok.PostMode.MEDIA_UPLOAD,
}


def is_pulled(post: Post, publication: Publication | None) -> bool:
    """Whether TikTok fetches a post itself, or its bytes are sent.

    :param publication: the current one: what was begun one way goes on so, whatever the account's
        setting is by now
    """
    if post.kind is PostKind.PHOTO:
        return True  # content-posting-api-reference-photo-post knows no other way
    if publication is not None and publication.state in _UNDER_WAY:
        return publication.source is MediaSource.PULL_FROM_URL
    return post.account.video_source is MediaSource.PULL_FROM_URL


class Puller:
    """Has TikTok fetch one post, under one lease.

    :param post: as it is under the lease: UPLOADING, or COMMITTING if its init was begun before
    """

    def __init__(
        self, workspace: Workspace, client: AccountClient, journal: PullJournal, post: Post
    ) -> None:
        self._workspace = workspace
        self._client = client
        self._journal = journal
        self._post = post

    def run(self) -> None:
        """Ask TikTok to fetch the post; do nothing when that was answered before.

        :raises PostHeldError: a person must act: the creator may not post this now, or the init's
            answer was lost and the post is UNKNOWN
        :raises PostFailedError: too many inits were begun already, or the copy of a photo is not
            there as it was made; nothing was begun
        :raises ConfigurationError: no public address is configured; nothing was begun
        :raises SourceChangedError: a file is not the one that was validated
        :raises TikTokRejectedError: TikTok refused; the post is UPLOADING again, as with every
            error that says that TikTok did nothing
        """
        if self._post.state is PostState.COMMITTING:
            self._go_on()
            return
        files = self._files()
        for media in files:
            self._check(media)
        public_media = PublicMedia(self._workspace)
        urls = [public_media.url(media) for media in files]
        with admitted(self._workspace, self._post):
            check_creator(self._workspace, self._post, self._client, self._journal)
            # Before COMMITTING: a process that ends while it renews a token has asked for nothing.
            self._client.renew_token()
            self._journal.begin_pull(sum(published_file(media).size_bytes for media in files))
            # At once: nothing else may fail, or end, between the answer and its row.
            self._journal.pulled(self._init_once(urls))

    def _go_on(self) -> None:
        """Nothing more is ever sent: what TikTok answered stands, and what was lost is lost."""
        publication = self._journal.publication()
        if publication is None or publication.publish_id is None:
            self._journal.lost_pull("the process that asked ended before TikTok's answer came")

    def _files(self) -> list[Media]:
        with self._workspace.ledger.read() as session:
            return photo_images.media_of(session, self._post)

    def _check(self, media: Media) -> None:
        try:
            with open_published(self._workspace, media, post_id=self._post.id):
                pass  # to open it is to check it
        except MediaUnreadableError as exc:
            if exc.code not in (COPY_LOST, NOT_PUBLISHABLE):
                raise
            fix = f"`reelflow posts retry {self._post.id}`: it is validated and copied again"
            self._journal.fail(found_in(self._workspace, exc), code=exc.code, fix=fix)

    def _init_once(self, urls: Sequence[str]) -> InitAnswer:
        """Ask TikTok to fetch the post, and write down at once if that was refused or got lost."""
        try:
            return self._init(urls)
        except _NOT_CARRIED_OUT as exc:
            if exc.code == UNEXPECTED_ANSWER:  # no word of TikTok's: a gateway's, who knows when
                self._journal.lost_pull(str(exc))
            self._journal.refused_pull(f"TikTok did not open it: {exc}")
            raise
        except TikTokUnavailableError as exc:
            self._journal.lost_pull(str(exc))

    def _init(self, urls: Sequence[str]) -> InitAnswer:
        post = self._post
        if post.kind is PostKind.PHOTO:
            return self._client.init_photos(
                photo_post(post),
                urls,
                cover_index=post.photo_cover_index,
                post_mode=_PHOTO_MODES[post.mode],
            )
        source = PullFromUrl(urls[0])
        if post.mode is PostMode.DRAFT:
            return self._client.init_draft(source)
        return self._client.init_video(video_post(post), source)
