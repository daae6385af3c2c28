"""What libav's child says of a video: covers are checked like everything else."""

from typing import Any

import pytest

from reelflow.media.decoder import MAX_COVERS, Decoder, libav_version
from reelflow.sandbox import wire
from reelflow.sandbox.conversation import FileRefusedError
from tests.unit.reelflow.sandbox.scripted_child import answer, conversation

PICTURE = b"\xff\xd8\xff\xc0\0\x0b\x08\0\x10\0\x20\1\1\x11\0\xff\xda\0\0\xff\xd9"
TALL_PICTURE = PICTURE.replace(b"\x10\0\x20", b"\x10\x10\x20")


def pictured(moments_s: Any, picture: bytes = PICTURE) -> bytes:
    return answer({"covers_at_s": moments_s}) + wire.frame(wire.ATTACHMENT, picture)


@pytest.mark.parametrize(
    "said",
    [
        answer({}),
        answer({"covers_at_s": []}),
        answer({"covers_at_s": [1.0, 2.0]}),
        answer({"covers_at_s": 7}),
        pictured([1.0], b"no picture"),
        pictured(["1"]),
        pictured([float("nan")]),
        pictured([1.0], TALL_PICTURE),
    ],
)
def test_what_is_no_cover_is_the_files_fault(said: bytes) -> None:
    with conversation(said) as asked, pytest.raises(FileRefusedError, match="makes no sense"):
        Decoder(asked).cover()


def test_a_right_cover_is_taken() -> None:
    with conversation(pictured([-0.5])) as asked:
        cover = Decoder(asked).cover()
    assert (cover.at_s, cover.width, cover.height, cover.jpeg) == (0.0, 32, 16, PICTURE)


def test_more_covers_than_anybody_gets_are_the_files_fault() -> None:
    count = MAX_COVERS + 1
    said = pictured([1.0] * count) + wire.frame(wire.ATTACHMENT, PICTURE) * (count - 1)
    with conversation(said) as asked, pytest.raises(FileRefusedError, match="makes no sense"):
        Decoder(asked).candidates(count)


def test_the_version_is_libavs() -> None:
    assert libav_version().startswith("8.")
