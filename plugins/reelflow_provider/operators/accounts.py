"""The operator that keeps the accounts' access alive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from reelflow.exceptions import TerminalError
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.operators.base import ReelflowOperator, actor_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class RefreshTokensOperator(ReelflowOperator):
    """Renew each access token that ends soon, and fail for accounts that a person must connect.

    One task for all accounts: a renewal is one call, a mapped task would cost more than it, and the
    log names each account. What passes by itself, such as TikTok out of reach, is logged and no
    failure: whoever uses an account renews its token as well.

    :param ahead: how much of its life a token has left at most that is renewed
    :param warn_ahead: how long ahead of its end an access that only its creator renews is named
    :param tiktok_conn_id: connection of type ``tiktok``, with the app's key and secret
    """

    TASK_DOC = """\
**What.** Renews every access token that ends before the next run.

**Safe to clear.** Tokens that were renewed are left alone.

**When it is red.** The error names each account that only its creator can connect again, with the
command. Its posts are held until then; other accounts are not touched.
"""

    template_fields: Sequence[str] = ("tiktok_conn_id",)

    def __init__(
        self,
        *,
        ahead: timedelta,
        warn_ahead: timedelta,
        tiktok_conn_id: str = TikTokHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ahead = ahead
        self.warn_ahead = warn_ahead
        self.tiktok_conn_id = tiktok_conn_id

    def execute(self, context: Context) -> dict[str, list[int]]:
        """Return the ids of the accounts that were renewed, and of those that will be later."""
        from reelflow.services.accounts.expiring import accounts_for_a_person, renew_ending
        from reelflow.services.accounts.tokens import AccessTokens

        with TikTokHook(self.tiktok_conn_id).get_app().open_oauth(self.settings) as oauth:
            tokens = AccessTokens(self.workspace, oauth, actor=actor_of(context))
            found = renew_ending(self.workspace, tokens, ahead=self.ahead)
        self.log.info("renewed %d, later %d", len(found.renewed), len(found.not_renewed))
        named = accounts_for_a_person(self.workspace, warn_ahead=self.warn_ahead)
        for account_id, why in found.refused.items():
            named.setdefault(account_id, why)
        if named:
            raise TerminalError(
                f"accounts that need a person: {len(named)}\n" + "\n".join(named.values()),
                code="accounts_need_a_person",
            )
        return {"renewed": found.renewed, "not_renewed": found.not_renewed}
