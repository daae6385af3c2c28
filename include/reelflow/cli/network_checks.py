"""Checks of the other side: TikTok or the simulator, and Airflow's components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from reelflow.cli.findings import Finding, Status
from reelflow.exceptions import TikTokAuthError
from reelflow.tiktok_app_variable import VARIABLE, read_tiktok_app

if TYPE_CHECKING:
    from reelflow.settings import Settings

#: Airflow's own default of ``[api] base_url`` (configurations-ref, Airflow 3.3.2).
DEFAULT_AIRFLOW_URL: Final = "http://localhost:8080"
#: What a run needs alive; the watchers that start runs live in the triggerer.
COMPONENTS: Final = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_TIMEOUT_S: Final = 10.0
#: A token that no account has: TikTok's refusal of it shows that it is TikTok that answers.
_NO_TOKEN: Final = "act.connection-test"  # noqa: S105


def check_tiktok(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Say whether the host of the connection ``tiktok_app`` answers as TikTok does."""
    app = read_tiktok_app(environment)
    if app is None:
        message = f"{VARIABLE} is not set here; Airflow may hold the connection tiktok_app itself"
        fix = "test it in Airflow's UI (Admin, Connections), or set the variable here too"
        yield Finding("connection", Status.WARNING, message, fix)
        return
    yield Finding("connection", Status.OK, f"tiktok_app has the host {app.host}")
    if app.port is not None:
        message = f"the port {app.port} of tiktok_app is not used"
        fix = f"write it into the host: {app.host}:{app.port}"
        yield Finding("connection", Status.WARNING, message, fix)
    yield from _tiktok_answers(settings, app.host)


def _tiktok_answers(settings: Settings, host: str) -> Iterator[Finding]:
    from reelflow.tiktok.client import TikTokClient

    limits = replace(
        settings.tiktok_limits, connect_timeout_s=_TIMEOUT_S, read_timeout_s=_TIMEOUT_S
    )
    with TikTokClient(host=host, limits=limits) as client:
        try:
            client.fetch_status(_NO_TOKEN, "v_pub_file~v2-1.0")
        except TikTokAuthError:
            yield Finding("TikTok", Status.OK, f"{host} answers and refuses a token of nobody")
            return
    message = f"{host} accepts a token of nobody, so it is not TikTok's API"
    fix = "set the connection's host to open.tiktokapis.com"
    yield Finding("TikTok", Status.PROBLEM, message, fix)


def check_airflow(url: str | None) -> Iterator[Finding]:
    """Say whether Airflow's API server answers and its components are healthy.

    :param url: Airflow's base URL; None tries its default, where silence is no more than a warning
    """
    import requests

    base = (url or DEFAULT_AIRFLOW_URL).rstrip("/")
    shown = _without_credentials(base)
    bad = Status.PROBLEM if url else Status.WARNING
    fix = "start Airflow, or name its address with --airflow-url or AIRFLOW__API__BASE_URL"
    try:
        answer = requests.get(f"{base}/api/v2/monitor/health", timeout=_TIMEOUT_S)
    except (requests.RequestException, ValueError) as error:
        message = f"nothing answers at {shown} ({type(error).__name__})"
        yield Finding("Airflow", bad, message, fix)
        return
    health = _health(answer)
    if health is None:
        message = f"{shown} answers with HTTP {answer.status_code}, but not as Airflow 3 does"
        yield Finding("Airflow", bad, message, fix)
        return
    yield Finding("Airflow", Status.OK, f"{shown} answers")
    yield from _components(health)


def check_dag(
    settings: Settings, url: str | None, *, plain_http: bool = False
) -> Iterator[Finding]:
    """Say whether Airflow parses the DAG that publishes, runs it, and has its pools.

    Silent without ``REELFLOW_AIRFLOW_TOKEN``: only users of Airflow may ask.

    :param url: as of :func:`check_airflow`
    :param plain_http: let the token travel unencrypted, also to another machine
    """
    from reelflow.airflow_client.answers import DAG_ID
    from reelflow.airflow_client.api import AirflowApi

    token = settings.airflow_token.get_secret_value()
    if not token:
        return
    plain_http = plain_http or settings.airflow_plain_http
    with AirflowApi(url or DEFAULT_AIRFLOW_URL, token, plain_http=plain_http) as airflow:
        broken, warnings = airflow.import_errors(), airflow.dag_warnings()
        for told in broken:
            fix = "set right what it names where the DAG processor runs, and start that again"
            yield Finding("DAG files", Status.PROBLEM, told, fix)
        for told in warnings:
            yield Finding("DAG", Status.PROBLEM, told, _pools(settings))
        airflow.check_dag()
    if not broken and not warnings:
        yield Finding("DAG", Status.OK, f"{DAG_ID} is parsed and not paused, and its pools exist")


def _pools(settings: Settings) -> str:
    """Return how missing pools are made."""
    made = ((settings.upload_pool, settings.upload_pool_slots),
            (settings.media_pool, settings.media_pool_slots))  # fmt: skip
    commands = " and ".join(f"`airflow pools set {name} {slots} Reelflow`" for name, slots in made)
    return (
        "a task without its pool waits for ever: start the DAG processor again, which makes "
        f"Reelflow's, or run {commands}"
    )


def _health(answer: Any) -> Mapping[str, Any] | None:
    """Return the components' health, or None when that is not what was answered."""
    try:
        health = answer.json()
    except ValueError:
        return None
    return health if isinstance(health, dict) and "scheduler" in health else None


def _components(health: Mapping[str, Any]) -> Iterator[Finding]:
    for name in COMPONENTS:
        component = health.get(name)
        status = component.get("status") if isinstance(component, dict) else None
        if status == "healthy":
            yield Finding(name, Status.OK, "healthy")
            continue
        message = f"Airflow says {status}" if status else "is not running"
        shown = name.replace("_", "-")
        fix = (
            "look at Airflow's metadata database and its log"
            if name == "metadatabase"
            else f"start `airflow {shown}`, and look at its log"
        )
        yield Finding(name, Status.PROBLEM, message, fix)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
