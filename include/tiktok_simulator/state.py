"""The simulated world: accounts, publications, the bytes they received, limits and one clock."""

import copy
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiktok_simulator import grants, identifiers
from tiktok_simulator.accounts import Account
from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.call_log import CallLog
from tiktok_simulator.caps import Caps
from tiktok_simulator.chunks import UploadPlan
from tiktok_simulator.clock import Clock
from tiktok_simulator.exceptions import ApiError, UploadError
from tiktok_simulator.faults import Faults
from tiktok_simulator.lifecycle import Lifecycle, Listener
from tiktok_simulator.limits import CallWindows
from tiktok_simulator.oauth import AuthorizationServer
from tiktok_simulator.publication import Kind, Media, Publication, Pull
from tiktok_simulator.received import IncomingChunk, ReceivedBytes
from tiktok_simulator.switches import Switches
from tiktok_simulator.webhooks import Webhooks, WebhookSettings

UPLOAD_URL_LIFETIME_S = 3600  # D-DP: upload_url is valid for one hour; D-MTG: so is a pull


@dataclass
class World:
    """Everything the simulated platform knows.

    :param directory: where received bytes are kept; None counts them only.
    :param app: the registered app that calls the platform.
    :param switches: what may be chosen; a reset goes back to what they were at the start.
    :param connect_to: by host: the address to connect to instead, like curl's option.
    :param webhook_settings: the app's callback.
    """

    accounts: Sequence[Account]
    upload_url: str
    directory: Path | None = None
    app: AppSettings = field(default_factory=AppSettings)
    switches: Switches = field(default_factory=Switches)
    connect_to: dict[str, str] = field(default_factory=dict)
    webhook_settings: WebhookSettings = field(default_factory=WebhookSettings)
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    publications: dict[str, Publication] = field(default_factory=dict)
    authorization_violations: int = 0
    windows: CallWindows = field(default_factory=CallWindows)
    call_log: CallLog = field(default_factory=CallLog)

    def __post_init__(self) -> None:
        self.lifecycle = Lifecycle(self.clock, self.switches)
        self.caps = Caps(self.app, self.switches, self.clock, self.publications)
        self.oauth = AuthorizationServer(self.app, self.accounts, self.clock.now)
        self.webhooks = Webhooks(self.app, self.clock.now, self.webhook_settings)
        self.listeners.append(self.webhooks.announce_change)
        self._at_start = copy.copy(self.switches), dict(self.connect_to)
        self._grants_at_start = copy.deepcopy((list(self.accounts), self.app))
        self._webhooks_at_start = copy.copy(self.webhook_settings)

    @property
    def listeners(self) -> list[Listener]:
        """Called with a publication and the name of its webhook event (D-WH) at each change."""
        return self.lifecycle.listeners

    def reset(self) -> None:
        """Forget everything but the accounts and what was chosen at the start.

        The accounts get back the tokens and settings they began with.
        """
        self.faults.clear()
        self.clock.reset()
        for publication in self.publications.values():
            if self.directory is not None:
                shutil.rmtree(self.directory / publication.upload_id, ignore_errors=True)
        self.publications.clear()
        self.windows.clear()
        self.call_log.clear()
        self.lifecycle.failures.clear()
        switches, connect_to = self._at_start
        self.switches.set(vars(switches))
        self.connect_to = dict(connect_to)
        self.authorization_violations = 0
        self._reset_grants()

    def authenticate(self, token: str) -> Account:
        """Return the account of a token (D-ERR: else 401 ``access_token_invalid``)."""
        if account := self.oauth.find(token):
            return account
        message = "The access token is invalid or not found in the request."
        raise ApiError("access_token_invalid", message)

    def remove_authorization(
        self, account: Account, reason: int, *, fails_under_way: bool = True
    ) -> None:
        """End a creator's grant, and what is under way for it (D-ST: ``auth_removed``).

        :param reason: of the webhook ``authorization.removed`` (D-WH).
        :param fails_under_way: U: whether uploads and processing end, too, or go on.
        """
        grants.withdraw(account)
        for publication in self.publications.values():
            is_own = publication.open_id == account.open_id
            if is_own and fails_under_way and not publication.is_final:
                publication.post_ids = []
                self.lifecycle.fail(publication, "auth_removed")
        self.webhooks.announce_removal(account.open_id, reason)

    def start_direct_post(
        self,
        account: Account,
        post_info: dict[str, Any],
        source: UploadPlan | Pull,
        media: Media = "video",
    ) -> Publication:
        """Begin a direct post (D-DP, D-PH)."""
        self.caps.check_can_post(account)
        self.caps.check_audience(account, post_info)
        return self._start(account, "direct", media, post_info, source)

    def start_draft(
        self,
        account: Account,
        source: UploadPlan | Pull,
        media: Media = "video",
        post_info: dict[str, Any] | None = None,
    ) -> Publication:
        """Begin a draft, at most five pending in 24 hours (D-UP, D-PH)."""
        self.caps.check_can_draft(account)
        return self._start(account, "draft", media, post_info or {}, source)

    def find_publication(self, account: Account, publish_id: str) -> Publication:
        """Return a creator's own publication (D-ST: the two codes for anything else)."""
        publication = self.publications.get(publish_id)
        if publication is None:
            raise ApiError("invalid_publish_id", "The publish_id does not exist")
        if publication.open_id != account.open_id:
            raise ApiError("token_not_authorized_for_specified_publish_id")
        self.lifecycle.expire(publication)
        return publication

    def find_upload(self, upload_id: str, upload_token: str) -> Publication:
        """Return the publication of an upload URL, whatever became of it.

        :raises UploadError: 404 without an upload task (D-MTG, response table).
        """
        for publication in self.publications.values():
            if (publication.upload_id, publication.upload_token) == (upload_id, upload_token):
                return publication
        raise UploadError(404, "no upload task for this URL")

    def check_accepts_bytes(self, publication: Publication) -> None:
        """Refuse a new PUT once all bytes are there, after a cancel and after the URL's hour.

        :raises UploadError: 403 for an expired URL (D-MTG); for the other two nothing is
            documented: a switch decides, and 404.
        """
        if publication.completed_at is not None:
            status = self.switches.completed_put
            raise UploadError(status, "all bytes were received, the upload task is gone")
        if publication.stage == "cancelled":
            raise UploadError(404, "the upload was cancelled, its task is gone")
        if self.lifecycle.expire(publication) or publication.stage == "failed":
            raise UploadError(403, "the upload URL has expired")

    def store_chunk(self, publication: Publication, chunk: IncomingChunk) -> None:
        """Make a whole body part of the upload; the last one completes it (D-MTG, response table).

        Whether a PUT that began within the URL's hour may finish after it is a switch.
        """
        if publication.publish_id not in self.publications:
            raise UploadError(404, "the upload task was forgotten by a reset")
        if publication.stage == "cancelled":
            raise UploadError(404, "the upload was cancelled, its task is gone")
        is_late = self.clock.now() >= publication.expires_at
        rule = self.switches.late_put
        is_told = publication.stage == "failed" and not (is_late and rule == "always")
        if is_told or (is_late and rule == "never"):
            raise UploadError(403, "the upload URL has expired")
        if not publication.received.store(chunk):
            raise UploadError(416, "another PUT stored this range first")
        if publication.plan and publication.received.size_bytes == publication.plan.video_size:
            self.complete(publication)

    def complete(self, publication: Publication, fail_reason: str | None = None) -> None:
        """Note that every byte is there.

        :param fail_reason: what a check of the bytes found.
        """
        is_capped = publication.kind == "direct" and self.caps.is_day_full(publication.open_id)
        if is_capped and fail_reason is None:
            # D-ST lists it as a fail_reason, too: the init came before the cap was reached.
            fail_reason = "spam_risk_too_many_posts"
        self.lifecycle.complete(publication, self.new_id(), fail_reason)

    def poll(self, publication: Publication) -> dict[str, Any]:
        """Answer one status call; each one after the last byte may move the publication on."""
        self.lifecycle.advance(publication, is_polled=True)
        publication.polls += publication.stage != "transfer"
        return self.current_status(publication)

    def current_status(self, publication: Publication) -> dict[str, Any]:
        """Return the ``data`` of a status call without counting one."""
        return publication.status(self.clock.now(), self.switches)

    def tick(self) -> None:
        """Move on whatever the clock has moved.

        An upload whose PUT is under way is left alone: the failure of one that nobody has heard of
        may still be averted by its last byte.
        """
        for publication in list(self.publications.values()):
            if not publication.puts_under_way and not publication.is_at_rest:
                self.lifecycle.advance(publication, is_polled=False)

    def new_id(self) -> int:
        """Return an id in TikTok's shape, from the world's clock."""
        return identifiers.new_id(self.clock.now())

    def _reset_grants(self) -> None:
        accounts, app = self._grants_at_start
        for account, earlier in zip(self.accounts, accounts, strict=True):
            account.restore(earlier)
        self.app.become(app)
        self.oauth.reset()
        self.webhooks.reset(self._webhooks_at_start)

    def _start(
        self,
        account: Account,
        kind: Kind,
        media: Media,
        post_info: dict[str, Any],
        source: UploadPlan | Pull,
    ) -> Publication:
        upload_id, now = str(self.new_id()), self.clock.now()
        pull = source if isinstance(source, Pull) else None
        publication = Publication(
            publish_id=identifiers.new_publish_id(now, media, kind, is_pull=pull is not None),
            upload_id=upload_id,
            upload_token=str(uuid.uuid4()),
            open_id=account.open_id,
            kind=kind,
            media=media,
            post_info=post_info,
            plan=None if isinstance(source, Pull) else source,
            pull=pull,
            created_at=now,
            expires_at=now + UPLOAD_URL_LIFETIME_S,
            received=ReceivedBytes(
                self.directory / upload_id if self.directory else None, in_parts=media == "photo"
            ),
        )
        self.publications[publication.publish_id] = publication
        return publication
