"""Which secrets `docker-compose.yaml` asks for, and who gets them."""

from __future__ import annotations

import re
from typing import Final

import pytest

from deploy.environment_file import GENERATED, names_in
from tests.topology.compose_file import REPOSITORY, VALUES, parsed, services
from tests.topology.interpolation import MissingVariableError, variables_of

EXAMPLE: Final = names_in((REPOSITORY / ".env.example").read_text())
SERVICES: Final = services(VALUES)
NAMES: Final = sorted(SERVICES)
SECRET_NAME: Final = re.compile(
    r"PASSWORD|SECRET|KEY|AUTH$|^AIRFLOW_CONN|SQL_ALCHEMY_CONN|BROKER_URL|BACKEND|DATABASE_URL"
)
PUT_IN: Final = "(put in)"
#: Who may hold what; nobody else does.
HOLDERS: Final = {
    "POSTGRES_PASSWORD": {"postgres"},
    "AIRFLOW_DATABASE_PASSWORD": {
        *("postgres", "airflow-migrate", "api-server", "scheduler", "dag-processor", "triggerer"),
        "cli",
    },
    "CELERY_DATABASE_PASSWORD": {"postgres", "scheduler", "worker", "media-worker", "cli"},
    "LEDGER_DATABASE_PASSWORD": {
        *("postgres", "ledger-migrate", "api-server", "triggerer", "worker", "media-worker"),
        *("serve", "cli"),
    },
    "REELFLOW_FERNET_KEY": {
        *("api-server", "triggerer", "worker", "media-worker", "serve", "cli"),
    },
    "AIRFLOW__CORE__FERNET_KEY": {
        *("airflow-migrate", "api-server", "scheduler", "dag-processor", "triggerer", "cli"),
    },
    "AIRFLOW__API_AUTH__JWT_SECRET": {"api-server", "scheduler"},
    "REDIS_PASSWORD": {"redis", "scheduler", "worker", "media-worker", "cli"},
}


def environment_as_written(name: str) -> dict[str, str]:
    """Return a service's environment before anything was put into it."""
    written = parsed()["services"][name].get("environment", {})
    return {key: str(one) for key, one in written.items() if one is not None}


@pytest.mark.parametrize("missing", sorted(VALUES))
@pytest.mark.parametrize("how", ["unset", "empty"])
def test_it_refuses_to_start_without_a_secret_and_says_what_to_do(missing: str, how: str) -> None:
    given = {name: value for name, value in VALUES.items() if name != missing}
    with pytest.raises(MissingVariableError) as refused:
        services(given if how == "unset" else {**given, missing: ""})
    assert refused.value.name == missing
    assert ("make env" if missing in GENERATED else ".env") in refused.value.told


def test_the_example_names_exactly_what_the_file_asks_for() -> None:
    assert set(variables_of(parsed())) == set(EXAMPLE)


def test_no_secret_has_a_default() -> None:
    operators = variables_of(parsed())
    assert {name: operators[name] for name in VALUES} == {name: {":?"} for name in VALUES}


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_written_down(name: str) -> None:
    for variable, value in environment_as_written(name).items():
        text = re.sub(r"\$\{[^}]*\}", PUT_IN, value)
        if SECRET_NAME.search(variable):
            assert PUT_IN in text, f"{variable} is {value}"
        passwords = re.findall(r"://[^/@]*:([^@]*)@", text)
        assert set(passwords) <= {PUT_IN}, f"{variable} is {value}"


@pytest.mark.parametrize("secret", sorted(HOLDERS))
def test_only_who_needs_a_secret_has_it(secret: str) -> None:
    holders = {
        name for name in NAMES if any(VALUES[secret] in one for one in values_given_to(name))
    }
    assert holders == HOLDERS[secret]


def test_airflows_token_comes_from_the_shell_and_reaches_the_cli_alone() -> None:
    assert {name: SERVICES[name].from_shell for name in NAMES if SERVICES[name].from_shell} == {
        "cli": ["REELFLOW_AIRFLOW_TOKEN"]
    }
    unencrypted = "REELFLOW_AIRFLOW_PLAIN_HTTP"
    assert [name for name in NAMES if unencrypted in SERVICES[name].environment] == ["cli"]


def values_given_to(name: str) -> list[str]:
    service = SERVICES[name]
    return [*service.environment.values(), *service.command, *service.health_check]


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_in_no_command(name: str) -> None:
    words = [*SERVICES[name].command, *SERVICES[name].health_check]
    assert not [word for word in words if "value-of-" in word]
