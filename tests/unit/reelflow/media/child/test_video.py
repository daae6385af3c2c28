"""What keeps a video from taking more memory, time or bytes than decoding a real one takes."""

import struct

import av.error
import pytest

from reelflow.media.child import video as video_module
from reelflow.media.child.facts import describe
from reelflow.media.child.video import NoPictureError, Video
from reelflow.media.memory_fence import memory_fence
from reelflow.sandbox.inside.range_file import RangeFile
from tests import hostile_videos, media_files

MIB = 1024 * 1024


def opened(content: bytes, form: str = "mov") -> Video:
    file = RangeFile(lambda offset, count: content[offset : offset + count], len(content))
    return Video(file, form)


def test_frames_that_leave_no_room_for_the_next_are_not_decoded() -> None:
    """Decoding ends before the memory does, which some of libav's decoders do not survive."""
    video = opened(media_files.h264_mp4().read_bytes())
    with memory_fence(4 * MIB), pytest.raises(NoPictureError, match="more memory than allowed"):
        next(video.frames(0, cpu_s=5))
    assert next(video.frames(0, cpu_s=5))[0] == 0


def test_a_file_is_opened_as_what_it_was_taken_for_or_not_at_all() -> None:
    with pytest.raises(av.error.InvalidDataError):
        opened(media_files.h264_mkv().read_bytes(), "mov")


def test_frames_too_large_for_a_cover_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = media_files.h264_mp4().read_bytes()
    monkeypatch.setattr(video_module, "_DECODE_MAX_PIXELS", 640 * 360 - 1)
    with pytest.raises(NoPictureError, match="640x360 pixels are too many"):
        opened(content).keyframe(0)
    monkeypatch.setattr(video_module, "_DECODE_MAX_PIXELS", 640 * 360)
    assert opened(content).keyframe(0).width == 640


def test_a_frame_that_alone_says_that_it_is_huge_gets_no_room() -> None:
    video = opened(hostile_videos.BOMBS["frames-png.mov"]())
    with memory_fence(64 * MIB), pytest.raises(av.error.ArgumentError):
        video.keyframe(0)


def test_no_huge_frame_is_decoded_to_guess_what_the_container_does_not_say() -> None:
    told = describe(opened(hostile_videos.BOMBS["frames-png.mov"]()))
    assert told["video"]["codec"] == "png"
    assert told["video"]["width"] != 16_000


def test_of_thousands_of_tracks_a_few_are_looked_at() -> None:
    video = opened(hostile_videos.BOMBS["tracks.mkv"](), "matroska")
    assert len(video.container.streams) == 64


def test_frames_that_take_too_long_to_compute_are_given_up() -> None:
    video = opened(media_files.h264_mp4().read_bytes())
    with pytest.raises(NoPictureError, match="more than 0 s of computing"):
        list(video.frames(0, cpu_s=0))


def test_too_many_broken_packets_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_module, "_MAX_BROKEN_PACKETS", 20)
    content = media_files.h264_mp4().read_bytes()
    assert len(list(opened(content).frames(0, cpu_s=5))) == 45
    sizes = content.index(b"stsz") + 8
    endless = content[:sizes] + struct.pack(">I", 2**24) + content[sizes + 4 :]
    with pytest.raises(NoPictureError, match="too many broken packets"):
        list(opened(endless).frames(0, cpu_s=5))


def test_a_tag_that_is_no_text_keeps_no_video_from_being_read() -> None:
    content = media_files.h264_mp4().read_bytes()
    assert b"VideoHandler" in content
    told = describe(opened(content.replace(b"VideoHandler", b"Video\xff\xfeHandl")))
    assert told["video"]["width"] == 640


def test_each_piece_of_work_may_read_a_share_of_its_own() -> None:
    content = media_files.h264_mp4().read_bytes()
    allowed: list[int] = []

    class Allowed(RangeFile):
        def allow(self, count: int) -> None:
            allowed.append(count // MIB)
            super().allow(count)

    file = Allowed(lambda offset, count: content[offset : offset + count], len(content))
    video = Video(file, "mov")
    video.keyframe(1)
    next(video.frames(1, cpu_s=5))
    assert allowed == [16, 8, 12]
