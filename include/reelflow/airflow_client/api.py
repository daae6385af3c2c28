"""Airflow's REST API as ``reelflow plan`` asks it: which days a backfill would run, and as what.

Routes and fields are those of the stable API v2 (Airflow 3.3.2). Nothing here changes anything in
Airflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from reelflow.airflow_client import answers
from reelflow.airflow_client.answers import DAG_ID
from reelflow.airflow_client.behavior import ReprocessBehavior
from reelflow.client.transport import Timeouts, Transport
from reelflow.domain.printable import printable
from reelflow.exceptions import ConfigurationError, ServerUnavailableError
from reelflow.http.address import parse_address, shown_address
from reelflow.json_text import read_json_object

_API_PATH: Final = "/api/v2"
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]{1,16384}", re.ASCII)
_SAID_MAX_CHARS: Final = 600
_PAGE: Final = 100  # no more than Airflow's default of [api] maximum_page_limit


@dataclass(frozen=True)
class DagRun:
    """A run that there is for a day.

    :param start: of its data interval; None where it has none
    :param end: the first moment after it
    """

    run_id: str
    state: str
    logical_date: datetime
    start: datetime | None
    end: datetime | None


class AirflowApi:
    """Questions to one Airflow, about the DAG that publishes.

    Every method raises :class:`ServerUnavailableError` if it got no answer, and
    :class:`ConfigurationError` if the answer is a refusal, with what to do.

    :param url: of Airflow, with or without the API's own path
    :param token: goes to this address alone
    :param plain_http: let the token travel unencrypted, also to another machine
    :raises ConfigurationError: address or token cannot be used
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        plain_http: bool = False,
        timeouts: Timeouts = Timeouts(connect_s=10, silence_s=60, answer_s=60),  # noqa: B008 - frozen
    ) -> None:
        self._transport = Transport(
            _api_url(url, plain_http=plain_http), _checked(token.strip()), timeouts
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transport.close()

    def check_dag(self) -> None:
        """Raise unless Airflow has the DAG and runs it."""
        if self._asked("GET", f"/dags/{DAG_ID}").get("is_paused") is True:
            raise ConfigurationError(
                f"the DAG {DAG_ID} is paused, so a backfill's runs would wait: "
                f"`airflow dags unpause {DAG_ID}`, then plan again",
                code="airflow_dag_paused",
            )

    def dag_warnings(self) -> list[str]:
        """Return what Airflow warns of about the DAG, such as a pool that does not exist."""
        page = self._asked("GET", "/dagWarnings", query={"dag_id": DAG_ID, "limit": str(_PAGE)})
        warnings = answers.objects(page, "dag_warnings")
        return [printable(answers.text(one, "message"), _SAID_MAX_CHARS) for one in warnings]

    def import_errors(self) -> list[str]:
        """Return which DAG files cannot be parsed, each with the last line of why."""
        page = self._asked("GET", "/importErrors", query={"limit": str(_PAGE)})
        return [_import_error(one) for one in answers.objects(page, "import_errors")]

    def dry_run(
        self, start: datetime, end: datetime, behavior: ReprocessBehavior
    ) -> list[datetime]:
        """Return the logical dates that a backfill over a range would run, oldest first."""
        body = {
            "dag_id": DAG_ID,
            "from_date": start.isoformat(),
            "to_date": end.isoformat(),
            "reprocess_behavior": str(behavior),
        }
        days = answers.objects(self._asked("POST", "/backfills/dry_run", json=body), "backfills")
        return sorted(answers.time(day, "logical_date") for day in days)

    def runs(self, start: datetime, end: datetime) -> Iterator[DagRun]:
        """Give the runs whose logical date is between two moments, these included."""
        query = {
            "logical_date_gte": start.isoformat(),
            "logical_date_lte": end.isoformat(),
            "order_by": "logical_date",
            "limit": str(_PAGE),
        }
        offset = 0
        while True:
            page = self._asked(
                "GET", f"/dags/{DAG_ID}/dagRuns", query={**query, "offset": str(offset)}
            )
            found = answers.objects(page, "dag_runs")
            yield from map(_run, found)
            offset += len(found)
            if not found or offset >= answers.count(page, "total_entries"):
                return

    def _asked(
        self, method: str, path: str, *, json: Any = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            answer = self._transport.send(method, _API_PATH + path, json=json, query=query)
        except ServerUnavailableError as error:
            told = str(error).partition(": check")[0]
            raise ServerUnavailableError(
                f"{told}: check --airflow-url or AIRFLOW__API__BASE_URL, and that Airflow's API "
                "server runs there",
                code="airflow_unreachable",
            ) from None
        document = read_json_object(answer.body)
        if not 200 <= answer.status < 300:
            raise answers.refusal(answer, document)
        if document is None:
            raise answers.malformed("it is no JSON object")
        return document


def _api_url(text: str, *, plain_http: bool) -> str:
    """Return Airflow's address without the API's own path."""
    address = parse_address(text.strip())
    if address is None or not _PATH.fullmatch(address.rest):
        raise ConfigurationError(
            f"{shown_address(text)!r} is no address of Airflow: give one such as "
            "https://airflow.example.com or http://127.0.0.1:8080, by --airflow-url or "
            "AIRFLOW__API__BASE_URL",
            code="airflow_url",
        )
    if not (address.is_encrypted or address.is_this_machine or plain_http):
        raise ConfigurationError(
            f"{shown_address(text)!r} would send Airflow's token unencrypted to another machine: "
            "use https://, or --plain-http (REELFLOW_AIRFLOW_PLAIN_HTTP=true) if nobody else is in "
            "that network",
            code="airflow_url_unencrypted",
        )
    return address.origin + address.rest.removesuffix("/").removesuffix(_API_PATH)


def _checked(token: str) -> str:
    """Return a token that can be sent in a header; no message ever shows one."""
    if not token:
        raise ConfigurationError(
            "REELFLOW_AIRFLOW_TOKEN is not set: get a token from Airflow's route /auth/token, with "
            "a user who may create backfills, and set it in the environment",
            code="airflow_token",
        )
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            "REELFLOW_AIRFLOW_TOKEN has spaces or characters that no token has: set it to the "
            "access_token that Airflow's route /auth/token answers with",
            code="airflow_token",
        )
    return token


def _import_error(document: Mapping[str, Any]) -> str:
    trace = answers.text(document, "stack_trace").strip()
    why = trace.splitlines()[-1] if trace else "no reason is told"
    return f"{answers.text(document, 'filename')}: {printable(why, _SAID_MAX_CHARS)}"


def _run(document: Mapping[str, Any]) -> DagRun:
    has_interval = document.get("data_interval_start") and document.get("data_interval_end")
    return DagRun(
        run_id=answers.text(document, "dag_run_id"),
        state=answers.text(document, "state"),
        logical_date=answers.time(document, "logical_date"),
        start=answers.time(document, "data_interval_start") if has_interval else None,
        end=answers.time(document, "data_interval_end") if has_interval else None,
    )
