import pytest

from reelflow.ledger.cipher import Cipher, generate_key
from reelflow.services.workspace import Workspace
from tests import factories
from tests.unit.reelflow.cli.conftest import Run


def test_generate_prints_a_usable_key_alone(bare_run: Run) -> None:
    result = bare_run("key", "generate")
    assert result.exit_code == 0
    key = result.stdout.removesuffix("\n")
    secret = Cipher(key).encrypt("a token", bound_to="x")
    assert Cipher(key).decrypt(secret, bound_to="x", what="it") == "a token"


def test_each_key_is_a_new_one(bare_run: Run) -> None:
    assert bare_run("key", "generate").stdout != bare_run("key", "generate").stdout


def test_rotate_encrypts_with_the_first_key_and_says_when_nothing_is_left(
    run: Run, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_account(workspace, "acme")
    new = generate_key()
    monkeypatch.setenv("REELFLOW_FERNET_KEY", f"{new},{factories.FERNET_KEY}")
    assert "1 now, 0 were already" in run("key", "rotate").stdout
    monkeypatch.setenv("REELFLOW_FERNET_KEY", new)
    result = run("key", "rotate")
    assert (result.exit_code, result.stdout.count("0 now, 1 were already")) == (0, 1)


def test_rotate_without_the_old_key_says_that_it_is_missing_and_changes_nothing(
    run: Run, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_account(workspace, "acme")
    monkeypatch.setenv("REELFLOW_FERNET_KEY", generate_key())
    result = run("key", "rotate")
    assert result.exit_code == 1
    assert "None of the keys opens 1 more: set the key that they were stored" in result.stderr
    monkeypatch.setenv("REELFLOW_FERNET_KEY", factories.FERNET_KEY)
    assert "0 now, 1 were already" in run("key", "rotate").stdout
