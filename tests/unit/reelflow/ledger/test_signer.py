"""Signatures of addresses: ours are known, by whichever of our keys, and no other is."""

from hypothesis import given
from hypothesis import strategies as st

from reelflow.ledger.signer import Signer

OLD, NEW, FOREIGN = b"o" * 32, b"n" * 32, b"f" * 32


@given(st.text())
def test_what_was_signed_is_known_and_nothing_else(text: str) -> None:
    signer = Signer([NEW])
    signature = signer.sign(text)
    assert signer.has_signed(text, signature)
    assert not signer.has_signed(f"{text}.", signature)
    assert not signer.has_signed(text, Signer([FOREIGN]).sign(text))
    assert not signer.has_signed(text, "")


def test_what_an_older_key_signed_stays_known_and_the_first_signs() -> None:
    both = Signer([NEW, OLD])
    assert both.has_signed("x", Signer([OLD]).sign("x"))
    assert both.sign("x") == Signer([NEW]).sign("x")


def test_a_signature_of_any_characters_is_only_another_one() -> None:
    assert not Signer([NEW]).has_signed("x", "\udcff\u2028é")
