"""What each engine can be asked for."""

import pytest

from reelflow.domain.analysis import MODEL_TYPES, AnalysisEngine, check_model_type
from reelflow.exceptions import ConfigurationError


def test_each_model_type_of_an_engine_is_taken_and_its_first_one_is_the_default() -> None:
    for engine, known in MODEL_TYPES.items():
        assert [check_model_type(engine, one) for one in known] == list(known)
        assert check_model_type(engine, None) == known[0]
    assert set(MODEL_TYPES[AnalysisEngine.HTTP]) == {"resnet", "cnn", "enhanced", "ensemble"}


def test_a_model_type_of_another_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no model type 'resnet': use provenance"):
        check_model_type(AnalysisEngine.PROVENANCE, "resnet")
