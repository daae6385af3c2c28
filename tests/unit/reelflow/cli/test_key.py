from reelflow.ledger.cipher import Cipher
from tests.unit.reelflow.cli.conftest import Run


def test_generate_prints_a_usable_key_alone(bare_run: Run) -> None:
    result = bare_run("key", "generate")
    assert result.exit_code == 0
    key = result.stdout.removesuffix("\n")
    secret = Cipher(key).encrypt("a token", bound_to="x")
    assert Cipher(key).decrypt(secret, bound_to="x", what="it") == "a token"


def test_each_key_is_a_new_one(bare_run: Run) -> None:
    assert bare_run("key", "generate").stdout != bare_run("key", "generate").stdout
