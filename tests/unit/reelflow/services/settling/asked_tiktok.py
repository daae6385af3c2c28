"""TikTok as reconciling asks it: statuses by publish_id, and the videos of each account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from reelflow.ledger.models import Publication
from reelflow.tiktok.display_models import Video, VideoPage
from reelflow.tiktok.models import PublishStatus

WORKING = PublishStatus("PROCESSING_UPLOAD")
POST_ID = "7678907398077074696"


@dataclass
class AskedTikTok:
    """Answers as a test says; WORKING unless told otherwise.

    :ivar says: the answer, or error, for each publish_id
    :ivar videos: of each account, newest first
    :ivar page_size: of the video list
    :ivar list_error: what a video list of an account ends with
    :ivar cancels: what asking to cancel a publish_id ends with, or the status that it has then
    """

    says: dict[str, PublishStatus | Exception] = field(default_factory=dict)
    asked: list[tuple[int, str]] = field(default_factory=list)
    on_call: Callable[[], object] = lambda: None
    videos: dict[int, list[Video]] = field(default_factory=dict)
    page_size: int = 20
    list_error: dict[int, Exception] = field(default_factory=dict)
    listed: list[int] = field(default_factory=list)
    cancels: dict[str, PublishStatus | Exception] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)

    def list_videos(self, account_id: int, cursor: int | None) -> VideoPage:
        self.listed.append(account_id)
        if account_id in self.list_error:
            raise self.list_error[account_id]
        begin = cursor or 0
        end = begin + self.page_size
        videos = self.videos.get(account_id, [])
        return VideoPage(tuple(videos[begin:end]), end, end < len(videos))

    def fetch_status(self, account_id: int, publish_id: str) -> PublishStatus:
        self.asked.append((account_id, publish_id))
        self.on_call()
        answer = self.says.get(publish_id, WORKING)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, account_id: int, publish_id: str) -> None:
        self.cancelled.append(publish_id)
        answer = self.cancels.get(publish_id)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            self.says[publish_id] = answer

    def told(self, publication: Publication, answer: PublishStatus | Exception) -> None:
        assert publication.publish_id is not None
        self.says[publication.publish_id] = answer


def video(post_id: str, text: str, at: datetime, *, title: str = "") -> Video:
    """Return a public video as the Display API lists it."""
    return Video(
        id=post_id,
        create_time=at.replace(microsecond=0),
        title=title,
        video_description=text,
        share_url=f"https://www.tiktok.com/@aurora/video/{post_id}",
        cover_image_url="",
        duration_s=15,
        width=1080,
        height=1920,
        like_count=0,
        comment_count=0,
        share_count=0,
        view_count=0,
        is_aigc=False,
    )
