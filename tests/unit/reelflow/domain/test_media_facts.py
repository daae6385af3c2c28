import json

from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.media_facts import MediaFacts

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.builds(
        MediaFacts,
        duration_s=finite | st.none(),
        average_frame_rate=finite | st.none(),
        nominal_frame_rate=finite | st.none(),
        image_extras=st.none() | st.lists(st.text()).map(tuple),
    )
)
def test_facts_survive_json(facts: MediaFacts) -> None:
    assert MediaFacts.from_dict(json.loads(json.dumps(facts.as_dict()))) == facts


def test_a_field_of_a_newer_version_is_left_out() -> None:
    stored = {"container": "mp4", "kind": "video", "size_bytes": 7, "colour_of_mood": "blue"}
    assert MediaFacts.from_dict(stored) == MediaFacts("mp4", "video", 7)
