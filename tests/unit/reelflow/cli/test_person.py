import getpass

import pytest

from reelflow.cli.person import person


def test_who_sits_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "mia")
    assert person() == "person:mia"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_is_no_error(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert person() == "person:unknown"
