"""What Airflow answers, checked before any of it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from reelflow.client.transport import Answer
from reelflow.domain.printable import printable
from reelflow.exceptions import ConfigurationError, ReelflowError, ServerUnavailableError

DAG_ID: Final = "publish_to_tiktok"
_SAID_MAX_CHARS: Final = 300
_UNAUTHENTICATED: Final = (
    "Airflow does not accept the token in REELFLOW_AIRFLOW_TOKEN (HTTP 401): it may have expired; "
    "get another one from its route /auth/token"
)


def refusal(answer: Answer, document: Mapping[str, Any] | None) -> ReelflowError:
    """Return the error of an answer that is no success."""
    detail = (document or {}).get("detail")
    said = printable(detail, _SAID_MAX_CHARS) if isinstance(detail, str) else ""
    status = answer.status
    if status == 401:
        return ConfigurationError(_UNAUTHENTICATED, code="airflow_unauthenticated")
    if status == 403:
        return ConfigurationError(
            f"Airflow refuses (HTTP 403{': ' + said if said else ''}): the token in "
            f"REELFLOW_AIRFLOW_TOKEN must be valid, and of a user who may read {DAG_ID} and create "
            "backfills",
            code="airflow_forbidden",
        )
    if status == 404 and said:
        return ConfigurationError(
            f"this Airflow has no DAG {DAG_ID} ({said}): check --airflow-url or "
            "AIRFLOW__API__BASE_URL, and `airflow dags list-import-errors`",
            code="airflow_dag_unknown",
        )
    if status in {400, 409, 422} and said:
        return ConfigurationError(
            f"Airflow would not run this backfill: {said}", code="airflow_refused"
        )
    if status >= 500:
        told = f"Airflow answers with HTTP {status}{': ' + said if said else ''}: try again later"
        return ServerUnavailableError(told, code="airflow_unavailable")
    return malformed(f"HTTP {status}")


def malformed(wrong: str) -> ConfigurationError:
    """Return the error of an answer that no Airflow gives."""
    return ConfigurationError(
        f"what answers is no Airflow 3 ({wrong}): check --airflow-url or AIRFLOW__API__BASE_URL, "
        "and what stands before the API server",
        code="airflow_malformed",
    )


def objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects in an answer."""
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise malformed(f"{name} is no list of objects")
    return found


def count(document: Mapping[str, Any], name: str) -> int:
    """Return a number in an answer."""
    value = document.get(name)
    if not isinstance(value, int):
        raise malformed(f"{name} is no number")
    return value


def text(document: Mapping[str, Any], name: str) -> str:
    """Return a text in an answer."""
    value = document.get(name)
    if not isinstance(value, str):
        raise malformed(f"{name} is no text")
    return value


def time(document: Mapping[str, Any], name: str) -> datetime:
    """Return a time in an answer; Airflow tells every time in UTC."""
    try:
        found = datetime.fromisoformat(text(document, name))
    except ValueError:
        found = None
    if found is None or found.utcoffset() != timedelta(0):
        raise malformed(f"{name} is no time in UTC")
    return found
