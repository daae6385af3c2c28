"""``reelflow plan``: what a backfill over some days would post, and what it would leave alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

import typer

from reelflow.airflow_client.behavior import ReprocessBehavior
from reelflow.cli.screen import print_json

if TYPE_CHECKING:
    from reelflow.services.backfill_plan import PlannedDay

_EXAMPLE: Final = "2026-11-10"


def plan(
    start: str = typer.Option(
        ...,
        "--from",
        metavar="DATE",
        help="The first day is the one that ends then: a date for its 00:00 UTC, or a time with "
        "its zone.",
    ),
    end: str = typer.Option(
        ..., "--to", metavar="DATE", help="The last day is the one that ends by then."
    ),
    account: str | None = typer.Option(
        None, metavar="NAME", help="Tell of this account's posts only; the runs take all."
    ),
    reprocess_behavior: ReprocessBehavior = typer.Option(
        ReprocessBehavior.NONE,
        metavar="WHICH",
        case_sensitive=False,
        help="Days with a run that are run again: none, failed ones, or all completed ones.",
    ),
    airflow_url: str | None = typer.Option(
        None, metavar="URL", envvar="AIRFLOW__API__BASE_URL", help="Airflow's address."
    ),
    plain_http: bool = typer.Option(
        False,
        "--plain-http",
        help="Send Airflow's token unencrypted to another machine, too.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Say what `airflow backfill create` over some days would do, post by post.

    Airflow says which days run, the ledger which posts that means; nothing is changed. The last
    line is the command that runs them, with its times in UTC: a mere date Airflow reads in its own
    default time zone. The token is in REELFLOW_AIRFLOW_TOKEN.
    """
    from reelflow.airflow_client.api import AirflowApi
    from reelflow.airflow_client.days import backfill_command, backfill_days
    from reelflow.cli.plan_view import print_plan
    from reelflow.exceptions import ConfigurationError
    from reelflow.ledger import accounts as ledger_accounts
    from reelflow.services.backfill_plan import plan_backfill
    from reelflow.settings import Settings

    first, last = _moment(start, "--from"), _moment(end, "--to")
    if not airflow_url:
        raise ConfigurationError(
            "Airflow's address is not known: give it by --airflow-url or AIRFLOW__API__BASE_URL",
            code="airflow_url",
        )
    settings = Settings.load()
    workspace = settings.open_workspace(keeps_connections=True)
    if account is not None:
        with workspace.ledger.read() as session:
            ledger_accounts.by_name(session, account)
    token = settings.airflow_token.get_secret_value()
    plain_http = plain_http or settings.airflow_plain_http
    with AirflowApi(airflow_url, token, plain_http=plain_http) as airflow:
        days = backfill_days(airflow, first, last, reprocess_behavior)
    planned = [_day_row(day) for day in plan_backfill(workspace, days, account=account)]
    found = {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "reprocess_behavior": str(reprocess_behavior),
        "account": account,
        "command": backfill_command(first, last, reprocess_behavior),
        "would_post": [
            post["id"] for day in planned for post in day["posts"] if post["status"] == "would_post"
        ],
        "days": planned,
    }
    if as_json:
        print_json(found)
    else:
        print_plan(found)


def _moment(text: str, option: str) -> datetime:
    """Return a time in UTC; a mere date is its midnight there."""
    try:
        return datetime.combine(date.fromisoformat(text), time(tzinfo=UTC))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"{text[:40]!r} is no date such as {_EXAMPLE}, nor a time with its zone such as "
            f"{_EXAMPLE}T00:00Z",
            param_hint=option,
        )
    return moment.astimezone(UTC)


def _day_row(planned: PlannedDay) -> dict[str, Any]:
    run = planned.day.run
    return {
        "start": run.start.isoformat(),
        "end": run.end.isoformat(),
        "run_id": run.run_id,
        "runs": planned.day.skipped_because is None,
        "skipped_because": planned.day.skipped_because,
        "posts": [
            {**post.row, "status": str(post.status), "why": post.why} for post in planned.posts
        ],
    }
