"""The post: its states, the one table of its steps, and what a person may ask of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from reelflow.exceptions import IllegalTransitionError


class PostState(StrEnum):
    """Where a post stands; what each state means is drawn in docs/architecture.md."""

    HELD = "HELD"
    READY = "READY"
    UPLOADING = "UPLOADING"
    COMMITTING = "COMMITTING"
    PROCESSING = "PROCESSING"
    PUBLISHED = "PUBLISHED"
    PUBLISHED_NO_LINK = "PUBLISHED_NO_LINK"
    IN_INBOX = "IN_INBOX"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    MISSED = "MISSED"
    UNKNOWN = "UNKNOWN"


class PostMode(StrEnum):
    """How TikTok gets the post: published at once, or left in the creator's inbox as a draft."""

    DIRECT = "direct"
    DRAFT = "draft"


class PostKind(StrEnum):
    """What is posted: one video, or up to 35 photos in their order."""

    VIDEO = "video"
    PHOTO = "photo"


class Interaction(StrEnum):
    """What viewers may do with a post, if its creator allows it; photos know comments only."""

    COMMENT = "comment"
    DUET = "duet"
    STITCH = "stitch"


class PrivacyLevel(StrEnum):
    """Who may watch (content-posting-api-reference-direct-post); there is no default."""

    PUBLIC_TO_EVERYONE = "PUBLIC_TO_EVERYONE"
    MUTUAL_FOLLOW_FRIENDS = "MUTUAL_FOLLOW_FRIENDS"
    FOLLOWER_OF_CREATOR = "FOLLOWER_OF_CREATOR"
    SELF_ONLY = "SELF_ONLY"


_S = PostState

#: TikTok has the post; nothing more is sent for it.
DONE: Final = frozenset({_S.PUBLISHED, _S.PUBLISHED_NO_LINK, _S.IN_INBOX})
#: TikTok shows the post. A publication that was given up may get there after all, so these are
#: reached from every state in which a post with a publication can be.
PUBLISHED: Final = frozenset({_S.PUBLISHED, _S.PUBLISHED_NO_LINK})
#: The last byte may be at TikTok: a new init could post twice.
PAST_LAST_BYTE: Final = frozenset({_S.COMMITTING, _S.PROCESSING})
#: Only TikTok's word moves these on, or a person's.
UNSETTLED: Final = PAST_LAST_BYTE | {_S.UNKNOWN}
#: States in which the same bytes may be posted again under the same key.
UNKEYED: Final = frozenset({_S.REJECTED, _S.FAILED, _S.CANCELLED, _S.MISSED})

TRANSITIONS: Final[dict[PostState, frozenset[PostState]]] = {
    _S.HELD: PUBLISHED | {_S.READY, _S.CANCELLED, _S.MISSED},
    _S.READY: PUBLISHED | {_S.UPLOADING, _S.HELD, _S.REJECTED, _S.MISSED, _S.CANCELLED},
    _S.UPLOADING: PUBLISHED | {_S.COMMITTING, _S.READY, _S.HELD, _S.FAILED, _S.CANCELLED},
    # To READY when TikTok itself says that the publication failed: then another one is safe.
    _S.COMMITTING: DONE | {_S.PROCESSING, _S.UPLOADING, _S.READY, _S.FAILED, _S.UNKNOWN},
    _S.PROCESSING: DONE | {_S.READY, _S.FAILED, _S.UNKNOWN},
    _S.PUBLISHED: frozenset(),
    _S.PUBLISHED_NO_LINK: frozenset({_S.PUBLISHED}),
    _S.IN_INBOX: frozenset({_S.PUBLISHED}),
    _S.REJECTED: PUBLISHED | {_S.READY},
    _S.FAILED: PUBLISHED | {_S.READY},
    _S.CANCELLED: PUBLISHED | {_S.READY},
    _S.MISSED: PUBLISHED | {_S.READY, _S.CANCELLED},
    _S.UNKNOWN: DONE | {_S.FAILED},
}


#: Why a post is HELD that was made before its media: an upload is still to name it.
NO_MEDIA: Final = "no_media"
#: Why a post is HELD whose maker asked that a person approves it.
APPROVAL: Final = "approval"


class PersonCommand(StrEnum):
    """What a person may ask of a post by hand."""

    RELEASE = "release"
    CANCEL = "cancel"
    RETRY = "retry"
    RESOLVE = "resolve"


#: From which states each command is allowed.
COMMAND_SOURCES: Final[dict[PersonCommand, frozenset[PostState]]] = {
    PersonCommand.RELEASE: frozenset({_S.HELD}),
    PersonCommand.CANCEL: frozenset(
        {_S.HELD, _S.READY, _S.MISSED, _S.UPLOADING, _S.COMMITTING, _S.PROCESSING}
    ),
    PersonCommand.RETRY: UNKEYED,
    PersonCommand.RESOLVE: frozenset({_S.UNKNOWN}),
}

_COMMAND_ADVICE: Final[dict[PostState, str]] = {
    _S.HELD: "use `reelflow posts release` or `cancel`",
    _S.READY: "it goes out at its time; `reelflow posts cancel` stops it, and `reelflow posts "
    "retry --at TIME` then gives it another time",
    _S.UPLOADING: "an upload is under way; `reelflow posts cancel` stops it before its last byte",
    _S.COMMITTING: "its last byte may be at TikTok; the next run settles it, and `reelflow posts "
    "cancel` asks TikTok to stop it",
    _S.PROCESSING: "TikTok has it; the next run settles it, and `reelflow posts cancel` asks "
    "TikTok to stop it",
    _S.MISSED: "use `reelflow posts retry`, `cancel`, or a backfill over its day",
    _S.UNKNOWN: "look at the account on TikTok, then use `reelflow posts resolve`",
}


def check_transition(current: PostState, target: PostState) -> None:
    """Raise unless the table allows the step.

    :raises IllegalTransitionError: nothing was changed
    """
    if target not in TRANSITIONS[current]:
        allowed = ", ".join(sorted(TRANSITIONS[current])) or "nothing: it is final"
        raise IllegalTransitionError(
            f"a post cannot go from {current} to {target}; from {current} it goes to {allowed}"
        )


def check_command(command: PersonCommand, current: PostState) -> None:
    """Raise unless a person's command is for a post in this state.

    :raises IllegalTransitionError: the message says what is
    """
    if current not in COMMAND_SOURCES[command]:
        raise IllegalTransitionError(
            f"cannot {command} a post that is {current}: {_advice(command, current)}"
        )


def _advice(command: PersonCommand, current: PostState) -> str:
    """Return what a person can do with a post in this state; never the opposite of the command."""
    if current in DONE:
        return "it is done"
    if current not in _COMMAND_ADVICE:  # it ended, and only a retry changes that
        is_stopped = command is PersonCommand.CANCEL
        return "it does not go out any more" if is_stopped else "use `reelflow posts retry`"
    return _COMMAND_ADVICE[current]
