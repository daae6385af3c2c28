import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reelflow.domain.photos import image_violations
from reelflow.media.image_end import find_end
from reelflow.media.inspection import examine
from reelflow.source import BytesSource
from tests import photo_files

IMAGES = {form.lower(): photo_files.image(form) for form in ("JPEG", "PNG", "WEBP")}


@pytest.mark.parametrize("container", IMAGES)
def test_a_whole_image_has_no_end_before_its_last_part(container: str) -> None:
    assert find_end(IMAGES[container], container) is None
    assert find_end(IMAGES[container] + b"behind it", container) is None


@pytest.mark.parametrize("container", IMAGES)
def test_every_cut_is_found(container: str) -> None:
    whole = IMAGES[container]
    for length in range(16, len(whole)):
        assert find_end(whole[:length], container) == length


@pytest.mark.parametrize(
    ("container", "damaged"),
    [
        ("jpeg", b"\xff\xd8\x00\x00\x00\x08junkjunk"),
        ("png", b"\x89PNG\r\n\x1a\n\0\0\0\4\0\1\2\3junkjunkjunk"),
    ],
)
def test_damage_is_no_cut(container: str, damaged: bytes) -> None:
    assert find_end(damaged, container) is None


@given(st.binary(max_size=300), st.sampled_from(sorted(IMAGES)))
def test_any_bytes_end_at_their_end_or_nowhere(content: bytes, container: str) -> None:
    assert find_end(content, container) in (None, len(content))


@pytest.mark.parametrize("container", IMAGES)
def test_a_cut_image_is_rejected_with_the_byte_where_its_data_end(container: str) -> None:
    whole = IMAGES[container]
    length = len(whole) * 6 // 10
    with examine(BytesSource(whole[:length])) as examination:
        facts = examination.facts
    name = f"a.{container}"
    assert facts.data_end_byte == length
    [broken] = [one for one in image_violations(facts, name) if one.rule == "truncated"]
    assert broken.value == f"the data ends at byte {length}"


def test_a_progressive_image_has_scans_to_walk_over() -> None:
    written = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(written, "JPEG", progressive=True)
    whole = written.getvalue()
    assert whole.count(b"\xff\xda") > 1
    assert find_end(whole, "jpeg") is None
    assert find_end(whole[:-2], "jpeg") == len(whole) - 2
