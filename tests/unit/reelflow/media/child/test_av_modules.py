import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import av
import pytest

from reelflow.media.child.av_modules import extension_modules, load_all
from reelflow.media.inspection import inspect_media
from tests import media_files


def test_every_compiled_module_of_this_av_is_loaded() -> None:
    load_all()
    (root,) = map(Path, av.__path__)
    compiled = {path for path in root.rglob("*") if path.name.endswith(tuple(EXTENSION_SUFFIXES))}
    loaded = {Path(str(sys.modules[name].__file__)) for name in extension_modules()}
    assert loaded == compiled
    assert "av.subtitles.codeccontext" in extension_modules()


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "mov_text"), ("a.mkv", "srt"), ("b.mkv", "ass"), ("c.mkv", "webvtt")],
)
def test_a_video_with_subtitles_is_read_behind_the_seal(
    name: str, codec: str, tmp_path: Path
) -> None:
    spoken = tmp_path / "spoken.srt"
    spoken.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n\n")
    path = tmp_path / name
    copied = ("-c", "copy", "-c:s", codec)
    media_files.run_ffmpeg("-i", str(media_files.h264_mp4()), "-i", str(spoken), *copied, str(path))
    facts = inspect_media(path)
    assert (facts.probe_error, facts.video_codec, facts.audio_codec) == (None, "h264", "aac")
