import re

import pytest
from reelflow.media.commands import frame_command, probe_command

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"


def frame(at_s: float = 3.0, keyframes_only: bool = True, hdr: bool = False) -> list[str]:
    return frame_command(5, 6, at_s=at_s, max_side_px=640, keyframes_only=keyframes_only, hdr=hdr)


def value(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


@pytest.mark.parametrize("command", [probe_command(5), frame(), frame(keyframes_only=False)])
def test_every_command_has_both_whitelists_before_its_input(command: list[str]) -> None:
    before_input = command[: command.index("-i")]
    assert value(before_input, "-protocol_whitelist") == "file"
    assert value(before_input, "-format_whitelist") == FORMATS
    assert int(value(before_input, "-max_pixels")) > 0
    assert int(value(before_input, "-max_streams")) > 0


@pytest.mark.parametrize("command", [probe_command(5), frame()])
def test_files_are_named_by_descriptor_only(command: list[str]) -> None:
    assert value(command, "-i") == "file:/proc/self/fd/5"
    others = [word for word in command if "/" in word and not re.search(r"fd/[56]$", word)]
    assert all(word.startswith("scale=") for word in others)


def test_the_fast_way_decodes_keyframes_only() -> None:
    command = frame()
    before_input = command[: command.index("-i")]
    assert value(before_input, "-skip_frame") == "nokey"
    assert value(before_input, "-ss") == "3.000"
    assert "-noaccurate_seek" in before_input
    assert value(command, "-fps_mode") == "passthrough"  # without it nothing is gained
    assert value(command, "-map") == "0:V:0"
    assert value(command, "-map_metadata") == "-1"


def test_the_plain_way_seeks_and_skips_nothing() -> None:
    command = frame(at_s=0, keyframes_only=False)
    assert not {"-ss", "-skip_frame", "-noaccurate_seek", "-discard:v"} & set(command)


def test_only_hdr_is_tone_mapped_and_after_scaling() -> None:
    assert "tonemap" not in value(frame(), "-vf")
    filters = value(frame(hdr=True), "-vf")
    assert 0 < filters.index("scale=w=") < filters.index("tonemap=")
