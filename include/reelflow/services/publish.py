"""Publishing a post: preflight, init, bytes; whatever was done before is not done again.

Until its last chunk a lost answer is safely begun again, because TikTok cannot publish bytes that
it does not have. From then on only TikTok's own word moves the post.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NoReturn

from reelflow.domain.post import DONE, PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    LeaseLostError,
    MediaUnreadableError,
    PostFailedError,
    SourceChangedError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnreachableError,
    TransientError,
)
from reelflow.ledger import accounts, posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.media.source import open_source
from reelflow.services.journal import UploadJournal
from reelflow.services.lease import UploadLease
from reelflow.services.preflight import find_obstacle
from reelflow.services.sending import ChunkSender, UploadEndedError, UploadUrlDeadError
from reelflow.services.settle import apply_status, proves_incomplete, reopen
from reelflow.services.stage import begin, check_unchanged, source_path
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import InitAnswer, VideoPost

#: Content types that TikTok takes (content-posting-api-media-transfer-guide), by container.
_CONTENT_TYPES: Final = {"mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm"}

#: Refusals after which a person must act, and nothing is wrong with the file.
_HOLDING_CODES: Final = frozenset(
    {
        "privacy_level_option_mismatch",
        "unaudited_client_can_only_post_to_private_accounts",
        "spam_risk_user_banned_from_posting",
    }
)


@dataclass(frozen=True)
class Uploaded:
    """Where an upload ended.

    :param state: PROCESSING or what TikTok made of it since; COMMITTING while that is unclear
    """

    post_id: int
    publish_id: str
    state: PostState


def upload_to_tiktok(
    workspace: Workspace,
    client: TikTokClient,
    post_id: int,
    *,
    run_id: str,
    owner: str,
    limits: TikTokLimits,
) -> Uploaded:
    """Send a post's bytes to TikTok.

    :param owner: who asks; the same owner may take its own lease over
    :raises PostNotTakeableError: another run uploads the post, or it is not for a run
    :raises PostHeldError: a person must act; the post is HELD
    :raises PostFailedError: the post is FAILED, with the fix
    :raises TransientError: the post is kept, and its next try is recorded
    """
    post = begin(workspace, post_id, run_id=run_id)
    if post.state not in DONE and post.state is not PostState.PROCESSING:
        with UploadLease(workspace, post_id, owner=owner) as lease:
            upload = _Upload(workspace, client, post_id, lease, actor=owner, limits=limits)
            upload.run()
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        publication = publications.current(session, post_id)
    if post.state is PostState.FAILED:
        raise PostFailedError(
            f"post {post_id} failed: {post.reason}. To fix: {post.fix}", code=post.reason_code
        )
    return Uploaded(post_id, (publication and publication.publish_id) or "", post.state)


class _Upload:
    """One lease's work on one post."""

    def __init__(
        self,
        workspace: Workspace,
        client: TikTokClient,
        post_id: int,
        lease: UploadLease,
        *,
        actor: str,
        limits: TikTokLimits,
    ) -> None:
        self._workspace = workspace
        self._client = client
        self._post_id = post_id
        self._lease = lease
        self._actor = actor
        self._limits = limits
        self._journal = UploadJournal(
            workspace, post_id, actor=actor, fencing_token=lease.fencing_token
        )
        self._token = accounts.access_token(self._journal.post().account, workspace.ledger.cipher)

    def run(self) -> None:
        """Bring the post past its last byte, or write down and raise why not."""
        try:
            self._run()
        except LeaseLostError:
            raise
        except TransientError as exc:
            self._journal.record_failure(exc)
            raise
        except TikTokRejectedError as exc:
            self._refused(exc)
        except (SourceChangedError, MediaUnreadableError) as exc:
            if self._journal.post().state is PostState.UPLOADING:
                fix = "cancel this post and put the file into the inbox again"
                self._journal.fail(str(exc), code=exc.code, fix=fix)
            raise

    def _run(self) -> None:
        post = self._journal.post()
        if post.state is PostState.READY:
            self._journal.start()
        if not self._journal.past_last_byte():
            self._check_creator(post)
        with open_source(source_path(self._workspace, post)) as source_fd:
            while True:
                publication, is_new = self._open_publication(post)
                try:
                    self._send(post, publication, source_fd, is_new=is_new)
                except UploadEndedError as ended:
                    if ended.status.status == "FAILED" and not self._journal.past_last_byte():
                        self._journal.supersede(f"TikTok gave it up: {ended.status.fail_reason}")
                        continue
                    self._journal.commit()
                    self._apply(publication, ended)
                except UploadUrlDeadError as exc:
                    if self._give_up(publication, str(exc)):
                        continue
                return

    def _check_creator(self, post: Post) -> None:
        publication = self._journal.publication()
        resumes = publication is not None and publication.state is PublicationState.UPLOADING
        if post.mode is PostMode.DRAFT or resumes:
            return  # a draft is finished by its creator, who sees these limits in the app
        obstacle = find_obstacle(post, self._client.creator_info(self._token))
        if obstacle is not None:
            self._journal.hold(obstacle.why, code=obstacle.code, fix=obstacle.fix)

    def _open_publication(self, post: Post) -> tuple[Publication, bool]:
        """Return the publication to send to, and whether it is a new one."""
        publication = self._journal.publication()
        if publication is not None:
            if publication.state in (PublicationState.COMMITTING, PublicationState.SENT):
                return publication, False
            expires_at = publication.url_expires_at
            if publication.state is PublicationState.INITIATING or expires_at is None:
                self._journal.supersede("the answer to its init was lost, nothing can be sent")
            elif publication.state is PublicationState.UPLOADING:
                if expires_at > self._workspace.ledger.now():
                    return publication, False
                self._journal.supersede("its upload URL's hour passed before the last byte")
        self._init(post)
        opened = self._journal.publication()
        assert opened is not None
        return opened, True

    def _init(self, post: Post) -> None:
        plan = self._limits.plan(post.media.size_bytes)
        asked_at = self._journal.begin_publication(plan)
        try:
            answer: InitAnswer
            if post.mode is PostMode.DRAFT:
                answer = self._client.init_draft(self._token, plan)
            else:
                answer = self._client.init_video(self._token, _video_post(post), plan)
        except (TikTokUnreachableError, TikTokRateLimitedError) as exc:
            self._journal.supersede(f"TikTok did not open it: {exc}", forgiven=True)
            raise
        except TikTokRejectedError as exc:
            self._journal.supersede(f"TikTok refused to open it: {exc}")
            raise
        lifetime = timedelta(seconds=self._limits.url_lifetime_s)
        self._journal.opened(answer, url_expires_at=asked_at + lifetime)

    def _send(self, post: Post, publication: Publication, source_fd: int, *, is_new: bool) -> None:
        def check_source() -> None:
            check_unchanged(os.fstat(source_fd), post.media)

        check_source()
        container = str((post.media.facts or {}).get("container"))
        sender = ChunkSender(
            self._client,
            self._journal,
            self._lease,
            publication,
            access_token=self._token,
            upload_url=publications.upload_url(publication, self._workspace.ledger.cipher),
            content_type=_CONTENT_TYPES[container],
            limits=self._limits,
            source_fd=source_fd,
            check_source=check_source,
        )
        held = 0 if is_new else sender.held_bytes()
        sender.send_from(publication.acknowledged_bytes if held is None else held)

    def _apply(self, publication: Publication, ended: UploadEndedError) -> None:
        assert publication.publish_id is not None
        apply_status(
            self._workspace, self._post_id, publication.publish_id, ended.status, actor=self._actor
        )

    def _give_up(self, publication: Publication, why: str) -> bool:
        """Say whether another init is safe after the upload URL died, and make room for it."""
        if not self._journal.past_last_byte():
            self._journal.supersede(why)
            return True
        assert publication.publish_id is not None
        status = self._client.fetch_status(self._token, publication.publish_id)
        apply_status(
            self._workspace, self._post_id, publication.publish_id, status, actor=self._actor
        )
        longest_put_s = self._limits.longest_put_s
        if self._journal.post().state is not PostState.COMMITTING or not proves_incomplete(
            self._workspace, publication, status, longest_put_s=longest_put_s
        ):
            return False
        reopen(
            self._workspace,
            self._post_id,
            actor=self._actor,
            fencing_token=self._lease.fencing_token,
        )
        return True

    def _refused(self, exc: TikTokRejectedError) -> NoReturn:
        """Write TikTok's refusal down: held where a person can settle it, else failed."""
        if self._journal.post().state is not PostState.UPLOADING:
            raise exc
        if isinstance(exc, TikTokAuthError) or exc.code in _HOLDING_CODES:
            fix = f"then `reelflow posts release {self._post_id}`"
            self._journal.hold(str(exc), code=exc.code, fix=fix)
        self._journal.fail(str(exc), code=exc.code, fix="correct what TikTok refuses")


def _video_post(post: Post) -> VideoPost:
    return VideoPost(
        title=post.caption,
        privacy_level=post.privacy_level or "",
        disable_duet=post.disable_duet,
        disable_stitch=post.disable_stitch,
        disable_comment=post.disable_comment,
        video_cover_timestamp_ms=post.cover_timestamp_ms,
        brand_content_toggle=post.brand_content_toggle,
        brand_organic_toggle=post.brand_organic_toggle,
        is_aigc=post.is_aigc,
    )
