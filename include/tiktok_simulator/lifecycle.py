"""The moves of a publication from its init call to its end, and who is told of each."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tiktok_simulator.clock import Clock
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.publication import EVERYONE, Publication, Stage
from tiktok_simulator.switches import Switches

# D-WH, "Webhook events"; the spelling of the last one is TikTok's.
COMPLETE = "post.publish.complete"
FAILED = "post.publish.failed"
INBOX_DELIVERED = "post.publish.inbox_delivered"
PUBLICLY_AVAILABLE = "post.publish.publicly_available"
NO_LONGER_AVAILABLE = "post.publish.no_longer_publicaly_available"

Listener = Callable[[Publication, str], None]


@dataclass
class ArmedFailure:
    """The ``fail_reason`` of a coming completion.

    :param open_id: only of this creator's; None: of anybody's.
    """

    fail_reason: str
    open_id: str | None = None


@dataclass
class Lifecycle:
    """Moves publications on.

    :param listeners: called with each publication and the name of its webhook event (D-WH).
    :param failures: met by coming completions, first armed first.
    """

    clock: Clock
    switches: Switches
    listeners: list[Listener] = field(default_factory=list)
    failures: list[ArmedFailure] = field(default_factory=list)

    def complete(self, publication: Publication, post_id: int, fail_reason: str | None) -> None:
        """Note that every byte is there; processing begins.

        :param post_id: of the post this will be, if it is a direct post.
        :param fail_reason: the end that is certain already; an armed failure goes first.
        """
        publication.fail_reason = self._take_failure(publication.open_id) or fail_reason
        publication.completed_at = self.clock.now()
        if publication.kind == "direct" and publication.fail_reason is None:
            publication.post_ids = [post_id]
            publication.privacy_level = publication.post_info.get("privacy_level")
        _enter(publication, "processing")

    def expire(self, publication: Publication) -> bool:
        """Say whether the hour passed before every byte was there, and fail what then fails.

        What TikTok answers for an upload is unknown; "internal" is the one documented reason (D-ST)
        whose advice, a new init, is right there. A pull has one hour, too (D-MTG).
        """
        if publication.completed_at is not None or self.clock.now() < publication.expires_at:
            return False
        if publication.stage == "transfer" and publication.pull:
            self.fail(publication, pull_failure(publication))
        elif publication.stage == "transfer" and self.switches.expired_upload == "failed":
            self.fail(publication, "internal")
        return True

    def fail(self, publication: Publication, fail_reason: str) -> None:
        """End a publication FAILED."""
        publication.fail_reason = fail_reason
        _enter(publication, "failed")
        self._tell(publication, FAILED)

    def advance(self, publication: Publication, *, is_polled: bool) -> None:
        """Move a publication on as far as its polls and the clock allow.

        :param is_polled: whether somebody asks now; what polls decide moves only then.
        """
        self.expire(publication)
        if publication.stage == "processing" and self._is_processed(publication, is_polled):
            self.settle(publication)
        if publication.stage == "published" and self._is_moderated(publication, is_polled):
            self._list(publication)

    def settle(self, publication: Publication) -> None:
        """End the processing: FAILED, in the inbox, or published."""
        if publication.fail_reason is not None:
            self.fail(publication, publication.fail_reason)
        elif publication.kind == "draft":
            _enter(publication, "inbox")
            self._tell(publication, INBOX_DELIVERED)
        else:
            self._publish(publication)

    def finish(self, publication: Publication, post_id: int) -> None:
        """End a publication as done, late or not, whatever it lacks or was said to be.

        :param post_id: of the post this will be, if it is a direct post without one.
        """
        publication.fail_reason = None
        publication.completed_at = publication.completed_at or self.clock.now()
        if publication.kind == "direct" and not publication.post_ids:
            publication.post_ids = [post_id]
            publication.privacy_level = publication.post_info.get("privacy_level")
        self.settle(publication)

    def cancel(self, publication: Publication) -> None:
        """Cancel (D-MTG: documented for pulls that download; "best effort").

        :raises ApiError: ``publish_not_cancellable`` when it is final or a switch says so.
        """
        is_download = publication.stage == "transfer" and publication.pull
        if publication.is_final:
            effect = "refused"
        elif is_download:
            effect = "done"
        elif publication.stage == "transfer":
            effect = self.switches.cancel_upload
        else:
            effect = self.switches.cancel_processing
        if effect == "refused":
            raise ApiError("publish_not_cancellable", "The publish task can not be cancelled")
        if effect == "done":
            publication.post_ids = []
            publication.fail_reason = "publish_cancelled"
            _enter(publication, "cancelled")
            self._tell(publication, FAILED)

    def post_draft(self, publication: Publication, post_id: int, privacy_level: str) -> None:
        """Let the creator post a draft from the inbox, for the first time or again (D-ST, D-WH)."""
        publication.post_ids = [*publication.post_ids, post_id]
        publication.privacy_level = privacy_level
        publication.is_listed = False
        self._publish(publication)

    def change_privacy(self, publication: Publication, privacy_level: str) -> None:
        """Let the creator show a post to others than before; to everyone only after moderation."""
        publication.privacy_level = privacy_level
        publication.polls = 0
        publication.published_at = self.clock.now()
        if privacy_level != EVERYONE:
            self._unlist(publication)

    def delete(self, publication: Publication) -> None:
        """Let the creator delete a post."""
        publication.deleted_at = self.clock.now()
        self._unlist(publication)

    def _publish(self, publication: Publication) -> None:
        publication.published_at = self.clock.now()
        _enter(publication, "published")
        self._tell(publication, COMPLETE)

    def _list(self, publication: Publication) -> None:
        if publication.is_public and not publication.is_listed:
            publication.is_listed = True
            self._tell(publication, PUBLICLY_AVAILABLE)

    def _unlist(self, publication: Publication) -> None:
        if publication.is_listed:
            publication.is_listed = False
            self._tell(publication, NO_LONGER_AVAILABLE)

    def _is_processed(self, publication: Publication, is_polled: bool) -> bool:
        if self.switches.processing_s is None:
            return is_polled and publication.polls >= self.switches.processing_polls
        return self.clock.now() >= (publication.completed_at or 0) + self.switches.processing_s

    def _is_moderated(self, publication: Publication, is_polled: bool) -> bool:
        if self.switches.link_s is None:
            return is_polled and publication.polls >= self.switches.link_polls
        return self.clock.now() >= (publication.published_at or 0) + self.switches.link_s

    def _take_failure(self, open_id: str) -> str | None:
        for armed in self.failures:
            if armed.open_id in (None, open_id):
                self.failures.remove(armed)
                return armed.fail_reason
        return None

    def _tell(self, publication: Publication, event: str) -> None:
        for listener in list(self.listeners):
            listener(publication, event)


def pull_failure(publication: Publication) -> str:
    """Return the ``fail_reason`` of a download that fails (D-ST)."""
    return "photo_pull_failed" if publication.media == "photo" else "video_pull_failed"


def _enter(publication: Publication, stage: Stage) -> None:
    publication.stage = stage
    publication.polls = 0
