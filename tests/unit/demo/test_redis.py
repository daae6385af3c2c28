from __future__ import annotations

import pytest

from demo import redis


def test_what_is_not_on_the_path_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert redis.missing_programs() == ["redis-server", "redis-cli"]


def test_where_it_cannot_be_installed_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert redis.main() == 0
    assert (
        "topology will be skipped: redis-server and redis-cli not found" in capsys.readouterr().err
    )
