"""What `docker-compose.yaml` promises, without starting anything."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from airflow.configuration import conf
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from reelflow.airflow_client.api import AirflowApi
from reelflow.settings import Settings
from tests.topology.compose_file import FILE, REPOSITORY, VALUES, Service, parsed, services
from tests.topology.native import Native

SERVICES: Final = services(VALUES)
NAMES: Final = sorted(SERVICES)
LONG_RUNNING: Final = sorted(name for name in SERVICES if SERVICES[name].runs_on)
#: What other programs than Airflow and Reelflow read.
OTHER_NAMES: Final = {
    "AIRFLOW_HOME",
    "TMPDIR",
    "REDISCLI_AUTH",
    "POSTGRES_PASSWORD",
    "POSTGRES_INITDB_ARGS",
    "AIRFLOW_DATABASE_PASSWORD",
    "CELERY_DATABASE_PASSWORD",
    "LEDGER_DATABASE_PASSWORD",
}
QUEUE: Final = "https://sqs.eu-central-1.amazonaws.com/123456789012/reelflow-inbox"
READ_DAG_FILES: Final = """
import json, os
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], safe_mode=False)
print(json.dumps([sorted(bag.dags), bag.import_errors]))
"""
CONNECTIONS: Final = {"AIRFLOW_CONN_AWS_DEFAULT", "AIRFLOW_CONN_TIKTOK_APP"}


def raw(name: str) -> dict[str, Any]:
    service: dict[str, Any] = parsed()["services"][name]
    return service


@providers_configuration_loaded
def is_option_of_airflow(section: str, option: str) -> bool:
    described = conf.configuration_description.get(section, {"options": {}})
    return option in described["options"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_in_the_environment_is_known_to_who_reads_it(name: str) -> None:
    for variable in SERVICES[name].environment:
        match variable.split("__"):
            case ["AIRFLOW", section, option]:
                known = is_option_of_airflow(section.lower(), option.lower())
            case _ if variable.startswith("REELFLOW_"):
                known = variable.removeprefix("REELFLOW_").lower() in Settings.model_fields
            case _:
                known = variable in OTHER_NAMES | CONNECTIONS
        assert known, f"{name} is given {variable}, which nobody reads"


@pytest.mark.parametrize("name", NAMES)
def test_reelflow_takes_the_settings_it_is_given(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SERVICES[name].environment.items():
        if variable.startswith("REELFLOW_"):
            monkeypatch.setenv(variable, value)
    settings = Settings.load()
    if "REELFLOW_STORAGE_URL" in SERVICES[name].environment:
        assert settings.storage_location is not None


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_what_runs_on_says_whether_it_is_well(name: str) -> None:
    check = raw(name)["healthcheck"]
    assert SERVICES[name].health_check
    assert {"interval", "timeout", "retries"} <= set(check)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = raw(name)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add"} & set(service)
    if "build" not in service:
        assert service["user"] not in ("root", "0")


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_limits_and_a_policy(name: str) -> None:
    service = raw(name)
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["restart"] in ("unless-stopped", "on-failure:3", "no")
    assert service["init"] is True
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_pinned(name: str) -> None:
    service = raw(name)
    if "build" not in service:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z]+", service["image"])
    else:
        assert SERVICES[name].raw["image"] == f"reelflow:{version()}"


def version() -> str:
    found = re.search(r'^version = "(.+)"$', (REPOSITORY / "pyproject.toml").read_text(), re.M)
    assert found
    return found[1]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_reached_from_outside_this_machine(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in raw(name).get("ports", []))
    published = {int(port.rpartition(":")[2]) for port in raw(name).get("ports", [])}
    assert published <= set(SERVICES[name].ports)
    assert raw(name).get("network_mode") is None


def test_the_databases_are_on_a_network_of_their_own() -> None:
    assert parsed()["networks"]["data"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert raw(name)["networks"] == ["data"]
        assert "ports" not in raw(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_service_waits_for_what_can_come_true(name: str) -> None:
    for other, condition in SERVICES[name].conditions.items():
        match condition:
            case "service_healthy":
                assert other in LONG_RUNNING
                assert SERVICES[other].health_check
            case "service_completed_successfully":
                assert raw(other)["restart"] == "on-failure:3"
            case _:
                raise AssertionError(f"{name} waits for {other}: {condition}")


def test_no_two_services_share_a_disk() -> None:
    named = [
        mount.source
        for service in SERVICES.values()
        for mount in service.mounts
        if mount.source and not mount.is_bind
    ]
    assert sorted(named) == sorted(parsed()["volumes"])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_mounted_from_the_host_is_there_and_only_read(name: str) -> None:
    for mount in SERVICES[name].mounts:
        if mount.is_bind:
            assert (FILE.parent / mount.source).is_file()
            assert mount.mode == "ro"


def test_each_queue_has_a_worker() -> None:
    queues = {SERVICES[name].environment["REELFLOW_MEDIA_QUEUE"] for name in LONG_RUNNING_AIRFLOW}
    assert queues == {"media"}
    default = conf.get("operators", "default_queue")
    assert {queue_of(SERVICES[name]) for name in ("worker", "media-worker")} == {default, "media"}


@pytest.mark.parametrize("name", ["dag-processor", "worker"])
def test_what_reads_dag_files_has_all_that_they_need_where_a_queue_is_named(
    name: str, tmp_path: Path
) -> None:
    native = Native.place(
        SERVICES,
        root=tmp_path,
        project=REPOSITORY,
        programs="",
        python_path=f"{REPOSITORY / 'include'}:{REPOSITORY / 'plugins'}",
    )
    named_in_settings = {"REELFLOW_SQS_QUEUE_URL": QUEUE, "REELFLOW_WATCH_INTERVAL_S": "300"}
    done = subprocess.run(
        [sys.executable, "-c", READ_DAG_FILES],
        env=native.environment(SERVICES[name]) | named_in_settings,
        cwd=tmp_path,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    dags, import_errors = json.loads(done.stdout.splitlines()[-1])
    assert import_errors == {}
    assert dags == sorted(file.stem for file in (REPOSITORY / "dags").glob("*.py"))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"AIRFLOW_PORT": "9090"}, "http://127.0.0.1:9090"),
        (
            {"AIRFLOW_PORT": "9090", "AIRFLOW__API__BASE_URL": "https://airflow.example"},
            "https://airflow.example",
        ),
    ],
)
def test_links_lead_to_where_airflow_is_served(given: dict[str, str], url: str) -> None:
    empty = {"AIRFLOW_PORT": "", "AIRFLOW__API__BASE_URL": ""}  # as in .env.example
    started = services({**VALUES, **empty, **given})
    for name in ("api-server", "worker", "media-worker", "triggerer"):
        assert started[name].environment["AIRFLOW__API__BASE_URL"] == url
    (port,) = started["api-server"].raw["ports"]
    assert port == f"127.0.0.1:{given.get('AIRFLOW_PORT', '8080')}:8080"


def test_the_cli_may_show_the_api_server_the_token_of_who_runs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cli = SERVICES["cli"].started_with({"REELFLOW_AIRFLOW_TOKEN": "a-token", "HOME": "/root"})
    assert "HOME" not in cli.environment
    for variable, value in cli.environment.items():
        monkeypatch.setenv(variable, value)
    settings = Settings.load()
    token = settings.airflow_token.get_secret_value()
    assert token == "a-token"
    url = cli.environment["AIRFLOW__API__BASE_URL"]
    with AirflowApi(url, token, plain_http=settings.airflow_plain_http):
        pass


def test_airflows_pages_wrap_the_long_lines_of_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES["api-server"].environment.items():
        monkeypatch.setenv(variable, value)
    assert conf.getboolean("api", "default_wrap")


LONG_RUNNING_AIRFLOW: Final = [
    name for name in LONG_RUNNING if "AIRFLOW__CORE__EXECUTOR" in SERVICES[name].environment
]


def queue_of(service: Service) -> str:
    return service.command[service.command.index("--queues") + 1]
