"""Publishing a post: init and bytes, or a pull; whatever was done before is not done again.

Until its last chunk a lost answer is safely begun again, because TikTok cannot publish bytes that
it does not have. From then on only TikTok's own word moves the post.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

from reelflow.domain.analysis import AnalysisPolicy
from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostState
from reelflow.domain.sentence import as_sentence
from reelflow.exceptions import (
    ConfigurationError,
    LeaseLostError,
    MediaUnreadableError,
    PostFailedError,
    PostNotTakeableError,
    SourceChangedError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TransientError,
)
from reelflow.ledger import posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.accounts.revocation import RECONNECT_SETTLES, reconnect_fix
from reelflow.services.calls.account_client import AccountClient, AccountClients
from reelflow.services.intake.verdict_policy import is_followed
from reelflow.services.intake.waiting import hold_unapproved, is_unapproved
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.publishing.lease import UploadLease
from reelflow.services.publishing.opening import PublicationOpener
from reelflow.services.publishing.pull_journal import PullJournal
from reelflow.services.publishing.pulling import Puller, is_pulled
from reelflow.services.publishing.sending import ChunkSender, UploadEndedError, UploadUrlDeadError
from reelflow.services.settling.reopening import proves_incomplete, reopen
from reelflow.services.settling.settle import apply_status
from reelflow.services.stage import begin, found_in, open_video
from reelflow.services.workspace import Workspace
from reelflow.source import Source
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import PublishStatus
from reelflow.tiktok.refusals import explain_code, explain_failure
from reelflow.tiktok.verdicts import Verdict

#: Content types that TikTok takes (content-posting-api-media-transfer-guide), by container.
_CONTENT_TYPES: Final = {"mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm"}

#: TikTok has every byte: there is nothing to send.
_SENT: Final = DONE | {PostState.PROCESSING}


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
    tiktok: AccountClients,
    post_id: int,
    *,
    run_id: str,
    owner: str,
    limits: TikTokLimits,
) -> Uploaded:
    """Send a post's bytes to TikTok.

    :param tiktok: TikTok, for each account
    :param owner: who asks; the same owner may take its own lease over
    :raises PostNotTakeableError: another run uploads the post, or it is not for a run
    :raises PostHeldError: a person must act; the post is HELD
    :raises PostFailedError: the post is FAILED, with the fix
    :raises TransientError: the post is kept, and its next try is recorded
    :raises ConfigurationError: the post is kept; a key or setting is wrong
    """
    post = begin(workspace, post_id, run_id=run_id)
    if post.state not in _SENT:
        _check_validated(post)
        _check_analysed(workspace, post)
        if is_unapproved(post):
            hold_unapproved(workspace, post_id, actor=owner)
        with UploadLease(workspace, post_id, owner=owner) as lease:
            client = tiktok.of(post.account_id)
            _Upload(workspace, client, post_id, lease, actor=owner, limits=limits).run()
    with workspace.ledger.read() as session:
        post = posts.get(session, post_id)
        publication = publications.current(session, post_id)
    if post.rescheduled_because is not None:
        raise PostNotTakeableError(f"post {post_id} goes out later: {post.rescheduled_because}")
    if post.state is PostState.FAILED:
        raise PostFailedError(
            f"post {post_id} failed: {as_sentence(post.reason)} To fix: {post.fix}",
            code=post.reason_code,
        )
    return Uploaded(post_id, (publication and publication.publish_id) or "", post.state)


def _check_validated(post: Post) -> None:
    """Refuse bytes whose content nobody has judged, and which no other post is kept from sending.

    It is tried again: Airflow 3.3.2 starts all tasks of a cleared run's new members at once.

    :raises TransientError: ``validate`` has not passed this file
    """
    if post.media.validated_at is None or post.sha256 is None:
        raise TransientError(
            f"post {post.id} ({post.media.file_name}) was not validated: run `validate` for it "
            "first; nothing was sent",
            code="not_validated",
        )


def _check_analysed(workspace: Workspace, post: Post) -> None:
    """Refuse what the account's analysis has not let pass, as when it was asked for since.

    Past the last byte it is too late. An upload that stopped before is READY again in a moment. It
    is tried again, as what is not validated: ``validate`` analyses a file after it has passed it.

    :raises TransientError: ``validate`` has not done what the account wants by now
    """
    if post.state in PAST_LAST_BYTE or post.account.analysis_policy is AnalysisPolicy.IGNORE:
        return
    with workspace.ledger.read() as session:
        followed = is_followed(session, posts.get(session, post.id))
    if not followed:
        raise TransientError(
            f"post {post.id} ({post.media.file_name}) was not analysed as {post.account.name} "
            "wants it now: run `validate` for it first; nothing more was sent",
            code="not_analysed",
        )


class _Upload:
    """One lease's work on one post."""

    def __init__(
        self,
        workspace: Workspace,
        client: AccountClient,
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

    def run(self) -> None:
        """Bring the post past its last byte, or write down and raise why not."""
        try:
            self._run()
        except LeaseLostError:
            raise
        except (TransientError, ConfigurationError) as exc:
            self._journal.record_failure(exc)
            raise
        except TikTokRejectedError as exc:
            self._refused(exc)
        except (SourceChangedError, MediaUnreadableError) as exc:
            if not self._journal.is_uploading():
                raise
            fix = "put the file into the inbox again"
            self._journal.fail(found_in(self._workspace, exc), code=exc.code, fix=fix)

    def _run(self) -> None:
        post = self._journal.start()
        if post.state in _SENT:
            return
        current = self._journal.publication()
        if is_pulled(post, current):
            self._pull(post)
            return
        opener = PublicationOpener(
            self._workspace, self._client, self._journal, post, limits=self._limits
        )
        with open_video(self._workspace, post) as source:
            while True:
                publication, is_new = opener.open(current)
                if self._send(post, publication, source, is_new=is_new):
                    return
                if not self._journal.is_uploading():
                    return
                current = self._journal.publication()

    def _pull(self, post: Post) -> None:
        """Have TikTok fetch the post itself."""
        journal = PullJournal(
            self._workspace,
            self._post_id,
            actor=self._actor,
            fencing_token=self._lease.fencing_token,
        )
        Puller(self._workspace, self._client, journal, post).run()

    def _send(self, post: Post, publication: Publication, source: Source, *, is_new: bool) -> bool:
        """Send what TikTok lacks; the post stays UPLOADING only if another init is safe.

        :return: whether TikTok has acknowledged all of it
        """
        sender = ChunkSender(
            self._client,
            self._journal,
            self._lease,
            publication,
            upload_url=publications.upload_url(publication, self._workspace.ledger.cipher),
            content_type=_CONTENT_TYPES[str((post.media.facts or {}).get("container"))],
            limits=self._limits,
            source=source,
        )
        try:
            held = 0 if is_new else sender.held_bytes()
            sender.send_from(publication.acknowledged_bytes if held is None else held)
        except UploadEndedError as ended:
            self._ended(publication, ended.status)
        except UploadUrlDeadError as dead:
            self._url_died(publication, str(dead))
        else:
            return True
        return False

    def _ended(self, publication: Publication, status: PublishStatus) -> None:
        """Take TikTok's final word; before the last byte a failure only costs the publication."""
        if status.status == "FAILED" and self._journal.is_uploading():
            self._failed_early(status.fail_reason)
            return
        self._journal.commit()
        self._apply(publication, status)

    def _failed_early(self, fail_reason: str | None) -> None:
        """Give up a publication that TikTok failed before its last byte, and go on if that helps.

        :raises TikTokRateLimitedError: a cap was reached; the post waits
        :raises PostHeldError: a person must act
        :raises PostFailedError: the same bytes would fail again
        """
        meaning = explain_failure(fail_reason)
        why = f"TikTok failed the upload: {fail_reason or 'no reason given'}"
        self._journal.supersede(why)
        if meaning.verdict is Verdict.LATER:
            raise TikTokRateLimitedError(
                f"{why}. {meaning.fix}", code=fail_reason, retry_after_s=meaning.retry_after_s
            )
        # AUTH: TikTok has just answered for the account, so it was connected again since; if not,
        # the next call says so, and the post waits for that.
        if meaning.verdict not in (Verdict.RETRY, Verdict.AUTH):
            code = fail_reason or "failed_without_reason"
            self._stop_for(f"{why}. {meaning.fix}", code=code, holds=meaning.holds)

    def _url_died(self, publication: Publication, why: str) -> None:
        """Make room for another init where it is safe, else ask TikTok what became of it all."""
        if self._journal.is_uploading():
            self._journal.supersede(why)
            return
        assert publication.publish_id is not None
        asked_at = self._workspace.ledger.now()
        status = self._client.fetch_status(publication.publish_id)
        self._apply(publication, status)
        if self._journal.post().state is PostState.COMMITTING and proves_incomplete(
            publication, status, asked_at=asked_at, longest_put_s=self._limits.longest_put_s
        ):
            reopen(
                self._workspace,
                self._post_id,
                publication.publish_id,
                actor=self._actor,
                fencing_token=self._lease.fencing_token,
            )

    def _apply(self, publication: Publication, status: PublishStatus) -> None:
        assert publication.publish_id is not None
        apply_status(
            self._workspace, self._post_id, publication.publish_id, status, actor=self._actor
        )

    def _refused(self, exc: TikTokRejectedError) -> NoReturn:
        """Write TikTok's refusal down; past the last byte it says nothing about the post."""
        if not self._journal.is_uploading():
            raise exc
        if exc.code in RECONNECT_SETTLES:
            account_name = self._journal.post().account.name
            self._journal.hold(str(exc), code=exc.code, fix=reconnect_fix(account_name))
        holds = isinstance(exc, TikTokAuthError) or explain_code(exc.code).holds
        self._stop_for(str(exc), code=exc.code, holds=holds)

    def _stop_for(self, why: str, *, code: str, holds: bool) -> NoReturn:
        """Hold the post where a person can settle it and nothing is wrong with it, else fail it."""
        if holds:
            self._journal.hold(why, code=code, fix=f"then `reelflow posts release {self._post_id}`")
        fix = f"correct what TikTok refuses; then `reelflow posts retry {self._post_id}`"
        self._journal.fail(why, code=code, fix=fix)
