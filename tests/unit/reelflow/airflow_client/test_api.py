"""What stands in the way of asking Airflow is told with what to do; the token goes nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reelflow.airflow_client.api import AirflowApi
from reelflow.airflow_client.behavior import ReprocessBehavior
from reelflow.exceptions import ConfigurationError, ServerUnavailableError
from tests.airflow_server import DAG, TOKEN, AirflowServer

NOV_9 = datetime(2026, 11, 9, tzinfo=UTC)
DRY_RUN = "/api/v2/backfills/dry_run"


def dry_run(airflow: AirflowServer, *, token: str = TOKEN) -> list[datetime]:
    with AirflowApi(airflow.url, token) as api:
        api.check_dag()
        return api.dry_run(NOV_9, NOV_9, ReprocessBehavior.NONE)


def test_nothing_is_asked_that_changes_anything(airflow: AirflowServer) -> None:
    assert dry_run(airflow) == [NOV_9 - timedelta(days=1)]
    assert airflow.asked == [
        ("GET", DAG, None),
        (
            "POST",
            DRY_RUN,
            {
                "dag_id": "publish_to_tiktok",
                "from_date": "2026-11-09T00:00:00+00:00",
                "to_date": "2026-11-09T00:00:00+00:00",
                "reprocess_behavior": "none",
            },
        ),
    ]


@pytest.mark.parametrize(
    ("path", "answer", "code", "told"),
    [
        (DAG, (401, {"detail": "Token Expired"}), "airflow_unauthenticated", "may have expired"),
        (DAG, (403, {"detail": "Forbidden"}), "airflow_forbidden", "403: Forbidden"),
        (DRY_RUN, (403, {"detail": "Forbidden"}), "airflow_forbidden", "create backfills"),
        (
            DAG,
            (404, {"detail": "The Dag with ID: `publish_to_tiktok` was not found"}),
            "airflow_dag_unknown",
            "has no DAG publish_to_tiktok",
        ),
        (DRY_RUN, (422, {"detail": "Backfill cannot be executed"}), "airflow_refused", "cannot be"),
        (DRY_RUN, (302, {}), "airflow_malformed", "HTTP 302"),
        (DAG, (404, b"<html>nginx"), "airflow_malformed", "no Airflow 3 (HTTP 404)"),
        (DAG, (200, b"<html>sign in"), "airflow_malformed", "no JSON object"),
        (DAG, (200, b"[" * 9000), "airflow_malformed", "no JSON object"),
        (DRY_RUN, (200, {"backfills": None}), "airflow_malformed", "backfills is no list"),
        (DRY_RUN, (200, {"backfills": [{}]}), "airflow_malformed", "logical_date is no text"),
        (
            DRY_RUN,
            (200, {"backfills": [{"logical_date": "2026-11-09T00:00:00"}]}),
            "airflow_malformed",
            "no time in UTC",
        ),
        (DRY_RUN, (200, {"backfills": [{"logical_date": "soon"}]}), "airflow_malformed", "no time"),
    ],
)
def test_every_refusal_says_what_to_do(
    airflow: AirflowServer, path: str, answer: tuple[int, Any], code: str, told: str
) -> None:
    airflow.scripted[path] = answer
    with pytest.raises(ConfigurationError, match=r".") as raised:
        dry_run(airflow)
    assert raised.value.code == code
    assert told in str(raised.value)
    assert TOKEN not in str(raised.value)


def test_a_token_that_airflow_does_not_know_is_refused(airflow: AirflowServer) -> None:
    with pytest.raises(ConfigurationError, match="Invalid JWT token"):
        dry_run(airflow, token="another")


def test_a_paused_dag_is_told_with_the_command_that_unpauses_it(airflow: AirflowServer) -> None:
    airflow.is_paused = True
    with pytest.raises(ConfigurationError, match="`airflow dags unpause publish_to_tiktok`"):
        dry_run(airflow)


def test_an_airflow_in_trouble_is_asked_again_later(airflow: AirflowServer) -> None:
    airflow.scripted[DRY_RUN] = (503, {"detail": "Database is locked."})
    with pytest.raises(ServerUnavailableError, match="HTTP 503: Database is locked"):
        dry_run(airflow)


def test_silence_names_the_setting_and_not_our_own_server(closed_url: str) -> None:
    with (
        AirflowApi(closed_url, TOKEN) as api,
        pytest.raises(ServerUnavailableError, match="AIRFLOW__API__BASE_URL") as raised,
    ):
        api.check_dag()
    assert raised.value.code == "airflow_unreachable"
    assert "reelflow serve" not in str(raised.value)


@pytest.mark.parametrize("path", ["", "/", "/api/v2", "/api/v2/"])
def test_the_address_is_taken_with_or_without_the_apis_path(
    airflow: AirflowServer, path: str
) -> None:
    airflow.url += path
    assert dry_run(airflow)


@pytest.mark.parametrize(
    ("url", "token", "code"),
    [
        ("airflow", TOKEN, "airflow_url"),
        ("https://user:secret@airflow.example.com", TOKEN, "airflow_url"),
        ("https://airflow.example.com/?q", TOKEN, "airflow_url"),
        ("http://airflow.example.com", TOKEN, "airflow_url_unencrypted"),
        ("https://airflow.example.com", "", "airflow_token"),
        ("https://airflow.example.com", "two words", "airflow_token"),
    ],
)
def test_an_address_or_a_token_that_cannot_be_used_is_refused_without_showing_a_secret(
    url: str, token: str, code: str
) -> None:
    with pytest.raises(ConfigurationError, match=r".") as raised:
        AirflowApi(url, token)
    assert raised.value.code == code
    assert "secret" not in str(raised.value)
    assert "two words" not in str(raised.value)


def test_plain_http_to_another_machine_must_be_asked_for() -> None:
    with AirflowApi("http://airflow.example.com", TOKEN, plain_http=True):
        pass
