"""Operators that collect what TikTok counts of published posts, and tell whose cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reelflow.exceptions import TerminalError, TransientError
from reelflow_provider.assets import COLLECTED_METRICS, POST_METRICS
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.operators.base import ReelflowOperator, actor_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from reelflow.services.post_metrics.collect import MetricsPass, Missing


class MetricsOperator(ReelflowOperator):
    """Base of the two: each says by an asset event what it collected, if that is anything.

    One task for all accounts: most are one call each, and a mapped task costs more than that.

    :param tiktok_conn_id: connection of type ``tiktok``
    """

    template_fields: Sequence[str] = ("tiktok_conn_id",)

    def __init__(
        self, *, tiktok_conn_id: str = TikTokHook.default_conn_name, **kwargs: Any
    ) -> None:
        # Named as an inlet, the asset is known to Airflow before the first event.
        super().__init__(inlets=[POST_METRICS], outlets=[COLLECTED_METRICS], **kwargs)
        self.tiktok_conn_id = tiktok_conn_id

    def collect(self, context: Context, *, missing: Missing | None = None) -> MetricsPass:
        """Ask TikTok, account by account, and announce what it told."""
        from reelflow.services.post_metrics.collect import collect_metrics

        hook = TikTokHook(self.tiktok_conn_id)
        with hook.account_clients(self.workspace, self.settings, actor=actor_of(context)) as tiktok:
            found = collect_metrics(self.workspace, tiktok, missing=missing)
        self.log.info(
            "%s: counts of %d posts; %d that TikTok does not show; %d accounts without trouble",
            *(found.day, found.posts, found.hidden, len(found.accounts)),
        )
        if found.posts:
            context["outlet_events"][COLLECTED_METRICS].add(
                POST_METRICS,
                extra={
                    "day": found.day.isoformat(),
                    "posts": found.posts,
                    "accounts": len(found.accounts),
                    "missing_accounts": len(found.missing),
                },
            )
        return found


class CollectPostMetricsOperator(MetricsOperator):
    """Write today's counts of all followed posts into the ledger.

    An account that cannot be asked is passed over and returned: the others are not to wait for it,
    and an event of a failed task is lost. :class:`CollectMissingMetricsOperator` goes on with it.
    """

    TASK_DOC = """\
**What.** Writes today's views, likes, comments and shares of all followed posts into the ledger,
and announces how many.

**Safe to clear.** Today's counts are asked for again and replaced. TikTok tells no counts of days
that are over.

**When it is red.** The connection `tiktok_app` or the ledger cannot be used: the error says what
to set. An account that cannot be asked does not make it red; the next task goes on with it.
"""

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many counts there are, and the ids of the accounts whose are missing."""
        from reelflow.services.post_metrics.shown import count_without_id

        found = self.collect(context)
        for why in [*found.later.values(), *(one.why for one in found.refused.values())]:
            self.log.warning("%s", why)
        return {
            "began_at": found.began_at.isoformat(),
            "posts": found.posts,
            "accounts": len(found.accounts),
            "hidden": found.hidden,
            "without_id": count_without_id(self.workspace),
            "missing": found.missing,
        }


class CollectMissingMetricsOperator(MetricsOperator):
    """Ask again for what is missing, and fail the run where that takes time or a person.

    What passes by itself is retried by Airflow, and only posts without counts of this run are
    asked about. Accounts that a person must look at fail one run; later ones log them, so that red
    always means something new.

    :param collected: the result of :class:`CollectPostMetricsOperator`
    """

    TASK_DOC = """\
**What.** Asks again for the counts that are missing, and says whose cannot be had.

**Safe to clear.** Only posts without counts of today are asked about.

**When it is red.** The error names each account and the fix: connect it again with
`reelflow accounts connect NAME`, or wait for TikTok. An account that a person must look at makes
one run red, not each day.
"""

    template_fields: Sequence[str] = ("tiktok_conn_id", "collected")

    def __init__(self, *, collected: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.collected = collected

    def execute(self, context: Context) -> dict[str, Any]:
        """Return how many posts got their counts now."""
        from reelflow.services.post_metrics.collect import Missing
        from reelflow.services.post_metrics.troubles import tell_troubles

        account_ids = self.collected["missing"]
        if not account_ids:
            return {"posts": 0}
        since = datetime.fromisoformat(self.collected["began_at"])
        found = self.collect(context, missing=Missing(account_ids, since))
        ti = context["ti"]
        told = tell_troubles(self.workspace, found.refused, run=f"{ti.dag_id}/{ti.run_id}")
        for one in told:
            if not one.is_new:
                self.log.warning("still, since %s: %s", f"{one.since:%Y-%m-%d}", one.why)
        new = [one.why for one in told if one.is_new]
        if found.later:
            raise TransientError(
                f"accounts whose counts of {found.day} are missing: {len(found.missing)}\n"
                + "\n".join([*found.later.values(), *new]),
                code="metrics_missing",
            )
        if new:
            raise TerminalError(
                f"accounts whose counts need a person: {len(new)}, and {len(told) - len(new)} told "
                "of before:\n" + "\n".join(new),
                code="accounts_need_a_person",
            )
        return {"posts": found.posts}
