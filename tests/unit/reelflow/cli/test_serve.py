import json
import os
import resource
from collections.abc import Iterator

import pytest

from reelflow.cli.serve import (
    _allow_many_files,
    _complain_of_missing_secret,
    _leave_processors_to_others,
    checked_proxies,
)
from reelflow.tiktok_app_variable import VARIABLE
from tests.unit.reelflow.cli.conftest import Run

SECRET = "very-secret-1234"


def connection(**fields: str) -> str:
    return json.dumps({"conn_type": "tiktok", "host": "http://127.0.0.1:9", **fields})


@pytest.mark.parametrize("stored", ["", connection(login="key")])
def test_what_is_refused_without_a_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stored: str
) -> None:
    monkeypatch.setenv(VARIABLE, stored)
    _complain_of_missing_secret()
    assert "webhooks and OAuth callbacks are refused" in capsys.readouterr().err


def test_nothing_is_told_to_be_refused_where_the_secret_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, connection(login="key", password=SECRET))
    _complain_of_missing_secret()
    assert capsys.readouterr().err == ""


def test_a_connection_that_cannot_be_read_stops_it_with_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "{" + SECRET)
    result = run("serve", "--port", "0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{VARIABLE} cannot be read" in result.stderr
    assert SECRET not in result.output


@pytest.mark.parametrize("proxies", ["zzz", "10.0.0.1,zzz", "*", "10.0.0.0/33", "10.0.0.1/24"])
def test_a_proxy_that_is_no_address_is_refused(run: Run, proxies: str) -> None:
    result = run("serve", "--port", "0", "--trusted-proxies", proxies)
    assert result.exit_code == 2
    said = " ".join(result.stderr.split())
    assert f"{proxies.split(',')[-1]!r} is no address or network" in said


@pytest.mark.parametrize("proxies", ["10.0.0.1", " 10.0.0.1, fd00::1", "10.0.0.0/24,::1", ""])
def test_addresses_and_networks_of_proxies_are_taken(proxies: str) -> None:
    checked_proxies(proxies)


def test_a_ledger_that_is_not_there_stops_it_with_the_fix(bare_run: Run) -> None:
    result = bare_run("serve", "--port", "0")
    assert result.exit_code == 2
    assert "reelflow db upgrade" in result.stderr


@pytest.fixture
def usable() -> Iterator[set[int]]:
    """The processors that this process may use, again so in the end."""
    usable = os.sched_getaffinity(0)
    yield usable
    os.sched_setaffinity(0, usable)


def test_one_processor_is_left_to_others(usable: set[int]) -> None:
    _leave_processors_to_others(None)
    used = os.sched_getaffinity(0)
    assert len(used) == max(1, len(usable) - 1)
    assert used <= usable


def test_as_many_processors_as_wanted_are_used_as_far_as_there_are(usable: set[int]) -> None:
    _leave_processors_to_others(10_000)
    assert os.sched_getaffinity(0) == usable
    _leave_processors_to_others(1)
    assert len(os.sched_getaffinity(0)) == 1
    _leave_processors_to_others(None)  # one is not none
    assert len(os.sched_getaffinity(0)) == 1


def test_as_many_files_are_opened_as_the_system_lets() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
    try:
        _allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_no_processor_at_all_is_refused(run: Run) -> None:
    result = run("serve", "--port", "0", "--cpus", "0")
    assert result.exit_code == 2
    assert "'--cpus'" in result.stderr
