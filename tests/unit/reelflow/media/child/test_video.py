"""Decoding frames ends before the memory does, which some of libav's decoders do not survive."""

import pytest

from reelflow.media.child.video import NoPictureError, Video
from reelflow.media.memory_fence import memory_fence
from reelflow.sandbox.inside.range_file import RangeFile
from tests import media_files

MIB = 1024 * 1024


def test_frames_that_leave_no_room_for_the_next_are_not_decoded() -> None:
    content = media_files.h264_mp4().read_bytes()
    file = RangeFile(lambda offset, count: content[offset : offset + count], len(content))
    video = Video(file, "mov")
    with memory_fence(4 * MIB), pytest.raises(NoPictureError, match="more memory than allowed"):
        next(video.frames(0, cpu_s=5))
    assert next(video.frames(0, cpu_s=5))[0] == 0
