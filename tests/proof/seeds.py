"""Posts of past days in every state, as a ledger has them before a backfill."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from itertools import cycle
from typing import Any, Final

from sqlalchemy import select

from reelflow.domain.post import DONE, PostState, PrivacyLevel
from reelflow.ledger import batches
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests import factories
from tests.data_folder import data_folder
from tests.proof.videos import Video, unique_video_bytes

#: Of each day, posts that its backfill takes: so many READY and so many MISSED ones.
TAKEN_A_DAY: Final = 2
_S = PostState
#: What no backfill takes, beside those posts that other cases have brought under way.
_LEFT_ALONE: Final = (
    *(_S.HELD, _S.PUBLISHED, _S.PUBLISHED_NO_LINK, _S.IN_INBOX),
    *(_S.REJECTED, _S.FAILED, _S.CANCELLED, _S.UNKNOWN),
)
#: What a plan calls a post that its day's run leaves as it is.
_PLAN_STATUS: Final[Mapping[PostState, str]] = {
    _S.HELD: "held",
    _S.READY: "waiting",
    _S.UPLOADING: "running",
    _S.COMMITTING: "running",
    _S.PUBLISHED: "already_posted",
    _S.PUBLISHED_NO_LINK: "already_posted",
    _S.IN_INBOX: "already_posted",
    _S.REJECTED: "rejected",
    _S.FAILED: "failed",
    _S.CANCELLED: "cancelled",
    _S.MISSED: "missed",
    _S.UNKNOWN: "unknown",
}


@dataclass(frozen=True)
class Seed:
    """One post that was put into the ledger.

    :param day: whose run has it
    :param state: what it is in; of one that no backfill posts, what it ends in
    :param is_taken: a backfill over its day posts it
    :param is_gone: its file is not where it was
    :param unrun: what a plan calls it whose backfill leaves its day out; None if that plan has not
        got it
    :param planned: what a plan calls it whose backfill runs its day for the first time
    """

    post_id: int
    video: Video
    day: date
    state: PostState
    is_taken: bool
    unrun: str | None
    planned: str
    is_gone: bool = False

    @property
    def was_posted(self) -> bool:
        """Whether it was at TikTok before the simulator's time."""
        return self.state in DONE


class Seeds:
    """Puts posts into a ledger.

    :param account_names: the posts go to these in turn
    """

    def __init__(self, workspace: Workspace, account_names: Sequence[str]) -> None:
        self._workspace = workspace
        with workspace.ledger.read() as session:
            found = {one.name: one for one in session.scalars(select(Account))}
        self._accounts = cycle([found[name] for name in account_names])

    def every_state(self, day: date) -> list[Seed]:
        """Put posts in every state, wished for a day, in it."""
        now = datetime.now(UTC)
        soon: dict[str, Any] = {
            "due_at": now + timedelta(days=1)
        }  # READY, and no normal run takes it before
        made = [self.post(day, _S.READY, is_taken=True, **soon) for _ in range(TAKEN_A_DAY)]
        made += [self.post(day, _S.MISSED, is_taken=True) for _ in range(TAKEN_A_DAY)]
        made += [self.post(day, state, **_ended(state, now)) for state in _LEFT_ALONE]
        lease: dict[str, Any] = {
            "lease_owner": "another task",
            "lease_until": now + timedelta(hours=2),
        }
        made += [self.post(day, state, **lease) for state in (_S.UPLOADING, _S.COMMITTING)]
        claim: dict[str, Any] = {
            "claimed_by": "another run",
            "claimed_until": now + timedelta(hours=2),
        }
        claimed = self.post(day, _S.READY, **soon, **claim)
        made.append(replace(claimed, unrun="running", planned="running"))
        made.append(self._source_gone(day))
        made.append(self._unapproved(day))
        return made

    def for_later(self, day: date, run_id: str) -> Seed:
        """Put a post of the batch of a day's run that a person wishes for next week now."""
        next_week = datetime.now(UTC) + timedelta(days=7)
        seed = self.post(next_week.date(), _S.READY, publish_at=next_week, due_at=next_week)
        with self._workspace.ledger.write() as session:
            batches.append(session, run_id, [seed.post_id], now=datetime.now(UTC))
        return replace(seed, day=day, unrun=None)

    def post(
        self,
        day: date,
        state: PostState,
        *,
        content: bytes | None = None,
        is_taken: bool = False,
        **columns: Any,
    ) -> Seed:
        """Put one post, with its file."""
        data = content or unique_video_bytes()
        wished = datetime.combine(day, time(1), UTC)
        name = f"{uuid.uuid4().hex[:10]}.mp4"
        account = next(self._accounts)
        post = factories.make_post(
            self._workspace,
            account,
            state=state,
            content=data,
            file_name=name,
            validated=False,
            # TikTok's videos are known by their captions where their ids are not.
            caption=name,
            privacy_level=PrivacyLevel.PUBLIC_TO_EVERYONE.value,
            **{"publish_at": wished, "due_at": wished, **columns},
        )
        video = Video(account.name, name, len(data), sha256(data).hexdigest())
        status = _PLAN_STATUS[state]
        planned = "would_post" if is_taken else status
        return Seed(post.id, video, day, state, is_taken, unrun=status, planned=planned)

    def _source_gone(self, day: date) -> Seed:
        seed = self.post(day, _S.MISSED)
        post = factories.read_post(self._workspace, seed.post_id)
        data_folder(self._workspace).path(post.media.source_path).unlink()
        return replace(seed, is_gone=True, planned="source_gone")

    def _unapproved(self, day: date) -> Seed:
        """Put a post that a backfill recalls, and holds."""
        seed = self.post(day, _S.MISSED, wants_approval=True)
        return replace(seed, state=_S.HELD, planned="held")


def _ended(state: PostState, now: datetime) -> Mapping[str, Any]:
    """Return what the end of a post left in its row."""
    return {"announced_at": now, "source_settled_at": now} if state in DONE else {}
