"""The simulated world: accounts, publications, the bytes they received, limits and one clock."""

import secrets
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tiktok_simulator.accounts import Account
from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.exceptions import ApiError, UploadError
from tiktok_simulator.faults import Faults
from tiktok_simulator.limits import CallWindows
from tiktok_simulator.publication import Publication
from tiktok_simulator.received import IncomingChunk, ReceivedBytes

UPLOAD_URL_LIFETIME_S = 3600  # D-DP: upload_url is valid for one hour
POSTS_PER_DAY = 15  # D-CSG: direct posts of a creator in 24 hours, "typically"
PENDING_DRAFTS = 5  # D-UP: pending shares in any 24 hours
DAY_S = 86_400


class Clock:
    """Unix time that can be put forward.

    :param source: the real time in seconds.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._advance_s = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return self._source() + self._advance_s

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        self._advance_s += seconds

    def reset(self) -> None:
        """Go back to the real time."""
        self._advance_s = 0.0


@dataclass
class World:
    """Everything the simulated platform knows.

    :param processing_s: seconds after the last byte that end processing without any call; None:
        calls alone end it.
    :param link_s: seconds after ``processing_s`` that let the post's id appear.
    :param app: the registered app that calls the platform.
    :param directory: where received bytes are kept; None counts them only.
    :param processing_polls: status calls that still answer PROCESSING_UPLOAD after the last byte.
    :param link_polls: status calls that answer PUBLISH_COMPLETE before the post's id appears.
    """

    accounts: Sequence[Account]
    upload_url: str
    directory: Path | None = None
    processing_polls: int = 1
    link_polls: int = 1
    processing_s: float | None = None
    link_s: float = 0
    app: AppSettings = field(default_factory=AppSettings)
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    publications: dict[str, Publication] = field(default_factory=dict)
    next_fail_reason: str | None = None
    authorization_violations: int = 0
    windows: CallWindows = field(default_factory=CallWindows)

    def reset(self) -> None:
        """Forget everything but the accounts."""
        self.faults.clear()
        self.clock.reset()
        for publication in self.publications.values():
            if self.directory is not None:
                shutil.rmtree(self.directory / publication.upload_id, ignore_errors=True)
        self.publications.clear()
        self.windows.clear()
        self.next_fail_reason = None
        self.authorization_violations = 0

    def authenticate(self, token: str) -> Account:
        """Return the account of a token (D-ERR: else 401 ``access_token_invalid``)."""
        for account in self.accounts:
            if secrets.compare_digest(account.access_token.encode(), token.encode()):
                return account
        message = "The access token is invalid or not found in the request."
        raise ApiError("access_token_invalid", message)

    def check_post_cap(self, account: Account, *, status: int | None = None) -> None:
        """Refuse a creator who cannot post now or has used up the day's direct posts (D-CSG).

        :param status: of the answer; D-CI documents 200, D-DP 403.
        """
        if account.blocked_code is not None:
            raise ApiError(account.blocked_code, status=status)
        if self._is_post_cap_reached(account.open_id):
            raise ApiError("spam_risk_too_many_posts", status=status)

    def start_direct_post(
        self, account: Account, post_info: dict[str, Any], plan: UploadPlan
    ) -> Publication:
        """Open the upload of a direct post (D-DP)."""
        self.check_post_cap(account)
        return self._start(account, "direct", post_info, plan)

    def start_draft(self, account: Account, plan: UploadPlan) -> Publication:
        """Open the upload of a draft, at most five pending in 24 hours (D-UP).

        Counted are drafts that were delivered and drafts whose bytes may still come.
        """
        now = self.clock.now()
        pending = sum(
            now - (one.completed_at or now) < DAY_S and one.fail_reason is None
            for one in self._publications_of(account.open_id, "draft")
        )
        if pending >= PENDING_DRAFTS:
            raise ApiError("spam_risk_too_many_pending_share")
        return self._start(account, "draft", {}, plan)

    def find_publication(self, account: Account, publish_id: str) -> Publication:
        """Return a creator's own publication (D-ST: the two codes for anything else)."""
        publication = self.publications.get(publish_id)
        if publication is None:
            raise ApiError("invalid_publish_id", "The publish_id does not exist")
        if publication.open_id != account.open_id:
            raise ApiError("token_not_authorized_for_specified_publish_id")
        self.expire(publication)
        return publication

    def find_upload(self, upload_id: str, upload_token: str) -> Publication:
        """Return the publication of an upload URL.

        :raises UploadError: 404 without an upload task (also once it is complete: what TikTok does
            then is unknown), 403 when the URL's hour has passed (D-MTG, response table).
        """
        for publication in self.publications.values():
            if (publication.upload_id, publication.upload_token) == (upload_id, upload_token):
                if publication.completed_at is not None:
                    raise UploadError(404, "all bytes were received, the upload task is gone")
                if self.expire(publication):
                    raise UploadError(403, "the upload URL has expired")
                return publication
        raise UploadError(404, "no upload task for this URL")

    def store_chunk(self, publication: Publication, chunk: IncomingChunk) -> None:
        """Make a whole body part of the upload; the last one completes it.

        A PUT that began within the URL's hour may finish after it, unless FAILED was answered.
        """
        if publication.publish_id not in self.publications:
            raise UploadError(404, "the upload task was forgotten by a reset")
        if publication.fail_reason is not None:
            raise UploadError(403, "the upload URL has expired")
        if not publication.received.store(chunk):
            raise UploadError(416, "another PUT stored this range first")
        if publication.received.size_bytes == publication.plan.video_size:
            self._complete(publication)

    def expire(self, publication: Publication) -> bool:
        """Fail an upload that lacks bytes when its URL expires.

        What TikTok answers then is unknown; "internal" is the one documented reason (D-ST) whose
        advice, a new init, is right here.
        """
        if publication.completed_at is None and self.clock.now() >= publication.expires_at:
            publication.fail_reason = "internal"
        return publication.completed_at is None and publication.fail_reason is not None

    def poll(self, publication: Publication) -> dict[str, Any]:
        """Answer one status call; each one after the last byte moves the publication on."""
        if publication.completed_at is not None:
            publication.polls += 1
        return self.current_status(publication)

    def current_status(self, publication: Publication) -> dict[str, Any]:
        """Return the ``data`` of a status call without counting one."""
        self.expire(publication)
        self._settle_by_time(publication)
        return publication.status(self.processing_polls, self.link_polls)

    def new_id(self) -> int:
        """Return an id in TikTok's shape: 19 digits, Unix second << 32, unlike any float64."""
        number = (int(self.clock.now()) << 32) | secrets.randbits(32)
        return number if int(float(number)) != number else number + 1

    def _start(
        self,
        account: Account,
        kind: Literal["direct", "draft"],
        post_info: dict[str, Any],
        plan: UploadPlan,
    ) -> Publication:
        prefix = "v_pub_file~v2-1." if kind == "direct" else "v_inbox_file~v2."  # observed shapes
        upload_id = str(self.new_id())
        publication = Publication(
            publish_id=f"{prefix}{self.new_id()}",
            upload_id=upload_id,
            upload_token=str(uuid.uuid4()),
            open_id=account.open_id,
            kind=kind,
            post_info=post_info,
            plan=plan,
            expires_at=self.clock.now() + UPLOAD_URL_LIFETIME_S,
            received=ReceivedBytes(self.directory / upload_id if self.directory else None),
        )
        self.publications[publication.publish_id] = publication
        return publication

    def _settle_by_time(self, publication: Publication) -> None:
        """Let the time that has passed count as the status calls nobody made."""
        if publication.completed_at is None or self.processing_s is None:
            return
        elapsed_s = self.clock.now() - publication.completed_at
        if elapsed_s >= self.processing_s:
            publication.polls = max(publication.polls, self.processing_polls + 1)
        if elapsed_s >= self.processing_s + self.link_s:
            calls = self.processing_polls + self.link_polls + 1
            publication.polls = max(publication.polls, calls)

    def _complete(self, publication: Publication) -> None:
        publication.fail_reason, self.next_fail_reason = self.next_fail_reason, None
        if publication.kind == "direct" and publication.fail_reason is None:
            if self._is_post_cap_reached(publication.open_id):  # D-ST lists it as a fail_reason too
                publication.fail_reason = "spam_risk_too_many_posts"
            else:
                publication.post_id = self.new_id()
        publication.completed_at = self.clock.now()

    def _is_post_cap_reached(self, open_id: str) -> bool:
        since = self.clock.now() - DAY_S
        posts = (
            one
            for one in self._publications_of(open_id, "direct")
            if one.post_id is not None and (one.completed_at or 0) > since
        )
        return sum(1 for _ in posts) >= POSTS_PER_DAY

    def _publications_of(self, open_id: str, kind: str) -> Iterator[Publication]:
        for publication in self.publications.values():
            if (publication.open_id, publication.kind) == (open_id, kind):
                self.expire(publication)
                yield publication
