"""The publication: one init at TikTok for a post, its states, and what a status means for both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reelflow.domain.post import PUBLISHED, PostMode, PostState
from reelflow.exceptions import IllegalTransitionError


class MediaSource(StrEnum):
    """How TikTok gets the bytes: they are sent to it, or it fetches them from a URL of ours."""

    FILE_UPLOAD = "FILE_UPLOAD"
    PULL_FROM_URL = "PULL_FROM_URL"


class PublicationState(StrEnum):
    """Where one publication stands."""

    INITIATING = "INITIATING"  # written before the call; its answer may be lost
    UPLOADING = "UPLOADING"  # publish_id and upload URL are known
    COMMITTING = "COMMITTING"  # the last byte may be on its way; of a pull, its init
    SENT = "SENT"  # TikTok acknowledged every byte
    DONE = "DONE"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"  # given up before its last byte, or proven to lack it


_P = PublicationState

#: Its last byte was not sent: it cannot publish, and giving it up is safe.
BEFORE_LAST_BYTE: Final = frozenset({_P.INITIATING, _P.UPLOADING})

PUBLICATION_TRANSITIONS: Final[dict[PublicationState, frozenset[PublicationState]]] = {
    _P.INITIATING: frozenset({_P.UPLOADING, _P.COMMITTING, _P.SUPERSEDED, _P.FAILED}),
    _P.UPLOADING: frozenset({_P.COMMITTING, _P.SUPERSEDED, _P.FAILED}),
    _P.COMMITTING: frozenset({_P.SENT, _P.DONE, _P.FAILED, _P.SUPERSEDED}),
    _P.SENT: frozenset({_P.DONE, _P.FAILED}),
    _P.DONE: frozenset({_P.DONE}),  # a draft may still be posted, a link may still come
    _P.FAILED: frozenset({_P.DONE}),
    _P.SUPERSEDED: frozenset({_P.DONE}),  # a late PUBLISH_COMPLETE is the truth
}


def check_publication_transition(current: PublicationState, target: PublicationState) -> None:
    """Raise unless the table allows the step.

    :raises IllegalTransitionError: nothing was changed
    """
    if target not in PUBLICATION_TRANSITIONS[current]:
        raise IllegalTransitionError(f"a publication cannot go from {current} to {target}")


#: Statuses after which TikTok does nothing more by itself; every other one is pending
#: (content-posting-api-reference-get-video-status).
FINAL_STATUSES: Final = frozenset({"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"})


@dataclass(frozen=True)
class Settlement:
    """What one status answer means for a post.

    :param post_state: the state the post moves to, or None while TikTok is not done
    :param all_bytes_held: TikTok said that it has every byte
    """

    post_state: PostState | None
    all_bytes_held: bool = False

    @property
    def is_published(self) -> bool:
        """Whether the post can be watched: this is the truth, whatever was given up before."""
        return self.post_state in PUBLISHED


def settle_status(
    status: str,
    *,
    mode: PostMode,
    size_bytes: int,
    uploaded_bytes: int | None,
    has_post_id: bool,
) -> Settlement:
    """Read a ``status/fetch`` answer (content-posting-api-reference-get-video-status).

    A status that is not documented is pending: only a deadline ends the waiting. A draft ends in
    the creator's inbox; it becomes PUBLISHED when the creator posts it from there.
    """
    held = uploaded_bytes is not None and uploaded_bytes >= size_bytes
    if status == "PUBLISH_COMPLETE":
        linked = has_post_id or mode is PostMode.DRAFT
        return Settlement(PostState.PUBLISHED if linked else PostState.PUBLISHED_NO_LINK, True)
    if status == "SEND_TO_USER_INBOX":
        return Settlement(PostState.IN_INBOX, True)
    if status == "FAILED":
        return Settlement(PostState.FAILED, held)
    return Settlement(None, held)
