"""Asking TikTok for the counts of published posts, account by account, once a day.

TikTok tells totals as they are now and no history: a day on which nobody asked stays empty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Final, Protocol

from reelflow.exceptions import (
    ReelflowError,
    TikTokAuthError,
    TransientError,
)
from reelflow.ledger import accounts, damage, post_metrics
from reelflow.ledger.models import CODE_MAX_CHARS
from reelflow.ledger.post_metrics import Counts, Followed
from reelflow.ledger.stored_types import LEDGER_DAMAGED
from reelflow.services.calls.rounds import Round, by_turns
from reelflow.services.workspace import Workspace
from reelflow.tiktok.display import VIDEOS_MAX
from reelflow.tiktok.display_models import Video

#: What a creator must grant for the counts of its videos (scopes-overview).
METRICS_SCOPE: Final = "video.list"


class VideoQuery(Protocol):
    """What is asked of TikTok: :class:`reelflow.services.calls.account_client.AccountClients`."""

    def query_videos(self, account_id: int, ids: Sequence[str]) -> tuple[Video, ...]:
        """Return those of 1 to 20 videos that the account shows to everyone."""


@dataclass(frozen=True)
class Refusal:
    """Why an account's counts are not to be had until a person acts.

    :param why: names the account, and the fix
    """

    code: str
    why: str


@dataclass(frozen=True)
class Missing:
    """What an earlier pass left: posts of these accounts without counts of today from then on.

    :param since: when that pass began
    """

    account_ids: Collection[int]
    since: datetime


@dataclass
class MetricsPass:
    """What one pass over the accounts found; accounts by their ids.

    :param began_at: ... and with it the day whose counts these are, in UTC
    :param posts: how many posts got counts
    :param hidden: how many TikTok does not show: deleted, private by now, or photos
    :param accounts: those that were asked about for all their posts
    :param later: what passes by itself, and why
    :param refused: what does not
    """

    began_at: datetime
    posts: int = 0
    hidden: int = 0
    accounts: list[int] = field(default_factory=list)
    later: dict[int, str] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)

    @property
    def day(self) -> date:
        """The day of UTC whose counts these are."""
        return self.began_at.date()

    @property
    def missing(self) -> list[int]:
        """The accounts of which counts of this day are missing."""
        return sorted({*self.later, *self.refused})


def collect_metrics(
    workspace: Workspace, tiktok: VideoQuery, *, missing: Missing | None = None
) -> MetricsPass:
    """Ask for the counts of all posts that are followed, and write them down for today.

    One account's trouble stops no other. What was collected is written call by call, so a pass that
    ends half-way loses nothing.

    :param missing: only what an earlier pass left
    """
    now = workspace.ledger.now()
    found, calls = MetricsPass(now), Round()
    with workspace.ledger.read() as session:
        posts = post_metrics.followed(
            session,
            published_after=now - workspace.rules.metrics_for,
            uncollected=None if missing is None else (found.day, missing.since),
        )
    of_accounts = [list(group) for _, group in groupby(posts, key=lambda post: post.account_id)]
    for of_account in by_turns(of_accounts, account_of=lambda group: group[0].account_id):
        account_id, name = of_account[0].account_id, of_account[0].account
        if missing is not None and account_id not in missing.account_ids:
            continue
        try:
            _collect_account(workspace, tiktok, of_account, found, calls)
            found.accounts.append(account_id)
        except TransientError as exc:
            found.later[account_id] = f"account {name}: {exc}"
        except (ReelflowError, *damage.UNREADABLE) as exc:
            code = exc.code if isinstance(exc, ReelflowError) else LEDGER_DAMAGED
            found.refused[account_id] = Refusal(code[:CODE_MAX_CHARS], f"account {name}: {exc}")
    with workspace.ledger.write() as session:
        asked = None if missing is None else found.accounts
        post_metrics.forget_troubles(session, of=asked, but_not=found.missing)
    return found


def _collect_account(
    workspace: Workspace,
    tiktok: VideoQuery,
    posts: Sequence[Followed],
    found: MetricsPass,
    calls: Round,
) -> None:
    account_id = posts[0].account_id
    _check_scope(workspace, account_id)
    for asked in _calls_of(posts):
        with calls.asking(account_id):
            videos = {video.id: video for video in tiktok.query_videos(account_id, list(asked))}
        counts = [
            _counts(post_id, videos[video_id])
            for video_id, post_id in asked.items()
            if video_id in videos
        ]
        with workspace.ledger.write() as session:
            post_metrics.store(session, counts, day=found.day, now=workspace.ledger.now())
        found.posts += len(counts)
        found.hidden += len(asked) - len(counts)


def _calls_of(posts: Sequence[Followed]) -> Iterator[dict[str, int]]:
    """Give the posts' ids by those of their videos, as many as one call takes."""
    for first in range(0, len(posts), VIDEOS_MAX):
        chunk = posts[first : first + VIDEOS_MAX]
        yield {post.tiktok_post_id: post.post_id for post in chunk}


def _counts(post_id: int, video: Video) -> Counts:
    return {
        "post_id": post_id,
        "view_count": video.view_count,
        "like_count": video.like_count,
        "comment_count": video.comment_count,
        "share_count": video.share_count,
    }


def _check_scope(workspace: Workspace, account_id: int) -> None:
    """Refuse what TikTok would: it is asked nothing where the answer is known.

    :raises TikTokAuthError: the creator did not grant the scope
    """
    with workspace.ledger.read() as session:
        account = accounts.get(session, account_id)
        scopes = accounts.granted_scopes(account)
    if not account.revoked and scopes is not None and METRICS_SCOPE not in scopes:
        raise TikTokAuthError(
            f"its creator did not grant {METRICS_SCOPE}. To fix: let the creator connect it again "
            f"and grant that, with `reelflow accounts connect {account.name}`",
            code="scope_not_authorized",
        )
