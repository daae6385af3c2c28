"""Broken rules as people read them."""

from reelflow.domain.violation import Violation, in_lines

FFMPEG = "ffmpeg -i bad.avi -c:v libx264 bad.mp4"


def test_each_broken_rule_has_a_line_and_so_has_each_fix_which_is_told_once() -> None:
    broken = [
        Violation("container", "AVI", "MP4, MOV, WEBM", FFMPEG),
        Violation("duration", "0.5 s", "1 to 180 s", "use a longer clip"),
        Violation("video_codec", "mpeg4", "h264", FFMPEG),
    ]
    assert in_lines([one.as_dict() for one in broken]).splitlines() == [
        "container: AVI (allowed: MP4, MOV, WEBM)",
        "video_codec: mpeg4 (allowed: h264)",
        f"To fix: {FFMPEG}",
        "duration: 0.5 s (allowed: 1 to 180 s)",
        "To fix: use a longer clip",
    ]
    assert in_lines([]) == ""
