import pytest

from reelflow.domain.sentence import as_sentence


@pytest.mark.parametrize("text", ["It broke.", "Did it?", "It did!", "and so on…"])
def test_what_ends_as_a_sentence_stays_as_it_is(text: str) -> None:
    assert as_sentence(text) == text


@pytest.mark.parametrize("text", ["it broke", "HTTP 503 (busy)", ""])
def test_what_does_not_gets_its_full_stop(text: str) -> None:
    assert as_sentence(text) == f"{text}."
