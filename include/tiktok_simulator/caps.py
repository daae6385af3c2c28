"""Who may publish now, and how much in a day."""

from collections.abc import Iterable, Mapping

from tiktok_simulator.accounts import Account
from tiktok_simulator.app_settings import AppSettings
from tiktok_simulator.clock import Clock
from tiktok_simulator.exceptions import ApiError
from tiktok_simulator.publication import Publication
from tiktok_simulator.switches import Switches

POSTS_PER_DAY = 15  # D-CSG: direct posts of a creator in 24 hours, "typically"
PENDING_DRAFTS = 5  # D-UP: pending shares in any 24 hours
UNAUDITED_CREATORS = 5  # D-CSG: creators who may post in 24 hours through an app before its audit
DAY_S = 86_400


class Caps:
    """Judges creators by what they published.

    :param publications: everything there is, by publish_id.
    """

    def __init__(
        self,
        app: AppSettings,
        switches: Switches,
        clock: Clock,
        publications: Mapping[str, Publication],
    ) -> None:
        self._app = app
        self._switches = switches
        self._clock = clock
        self._publications = publications

    def check_can_post(self, account: Account, *, status: int | None = None) -> None:
        """Refuse a creator who cannot post now, or who has used up a cap of the day (D-CSG).

        :param status: of the answer; D-CI documents 200, D-DP and D-PH 403.
        """
        if account.blocked_code is not None:
            raise ApiError(account.blocked_code, status=status)
        if self.is_day_full(account.open_id):
            raise ApiError("spam_risk_too_many_posts", status=status)
        cap = self._switches.active_user_cap
        if cap is None and not self._app.is_audited:
            cap = UNAUDITED_CREATORS
        creators = creators_posting(self._publications.values(), self._clock.now())
        if cap is not None and account.open_id not in creators and len(creators) >= cap:
            raise ApiError("reached_active_user_cap", status=status)

    def check_audience(self, account: Account, post_info: Mapping[str, object]) -> None:
        """Refuse what an app may not show to anybody before its audit (D-CSG).

        Observed: even SELF_ONLY is refused when the account itself is public
        (https://github.com/brightbeanxyz/brightbean-studio/pull/144).
        """
        is_hidden = account.is_private and post_info.get("privacy_level") == "SELF_ONLY"
        if not self._app.is_audited and not is_hidden:
            message = "Please review our integration guidelines"
            raise ApiError("unaudited_client_can_only_post_to_private_accounts", message)

    def check_can_draft(self, account: Account) -> None:
        """Refuse a banned creator, and a sixth pending draft in 24 hours (D-UP, D-PH)."""
        if account.blocked_code == "spam_risk_user_banned_from_posting":
            raise ApiError(account.blocked_code)
        publications, now = self._publications.values(), self._clock.now()
        if count_pending_drafts(publications, account.open_id, now) >= PENDING_DRAFTS:
            status = self._switches.pending_share_status
            raise ApiError("spam_risk_too_many_pending_share", status=status)

    def is_day_full(self, open_id: str) -> bool:
        """Say whether a creator's direct posts of 24 hours are used up."""
        publications, now = self._publications.values(), self._clock.now()
        return count_posts(publications, open_id, now) >= POSTS_PER_DAY


def count_posts(publications: Iterable[Publication], open_id: str, now_s: float) -> int:
    """Count a creator's direct posts of the last 24 hours; an init without bytes is none."""
    return sum(
        one.open_id == open_id
        and one.kind == "direct"
        and bool(one.post_ids)
        and (one.completed_at or 0) > now_s - DAY_S
        for one in publications
    )


def count_pending_drafts(publications: Iterable[Publication], open_id: str, now_s: float) -> int:
    """Count a creator's drafts of 24 hours that were delivered or whose bytes may still come."""
    return sum(
        one.open_id == open_id and one.kind == "draft" and _is_pending(one, now_s)
        for one in publications
    )


def creators_posting(publications: Iterable[Publication], now_s: float) -> set[str]:
    """Return the open_ids with a direct post begun in the last 24 hours.

    Whether drafts count is unknown; they do not here.
    """
    return {
        one.open_id
        for one in publications
        if one.kind == "direct" and one.fail_reason is None and one.created_at > now_s - DAY_S
    }


def _is_pending(draft: Publication, now_s: float) -> bool:
    if draft.fail_reason is not None or draft.stage == "published":
        return False
    if draft.completed_at is None:
        return now_s < draft.expires_at
    return now_s - draft.completed_at < DAY_S
