"""Digital source types are known however they are written."""

import pytest

from reelflow.analysis.digital_source import GENERATED, term_of


@pytest.mark.parametrize(
    "value",
    [
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia/",
        " HTTP://CV.IPTC.ORG/newscodes/digitalSourceType/trainedAlgorithmicMedia ",
        "http://c2pa.org/digitalsourcetype/trainedAlgorithmicMedia",
        "digsrctype:trainedAlgorithmicMedia",
        "trainedAlgorithmicMedia",
    ],
)
def test_each_way_of_writing_a_term_is_read(value: str) -> None:
    assert term_of(value) == "trainedAlgorithmicMedia"
    assert term_of(value) in GENERATED


@pytest.mark.parametrize(
    "value",
    ["", "a cat", "http://evil.example/newscodes/digitalsourcetype/trainedAlgorithmicMedia"],
)
def test_what_names_no_term_is_none(value: str) -> None:
    assert term_of(value) is None
