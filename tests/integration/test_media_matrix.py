"""Real files of every container, codec, turn, shape, rate and size, each with its verdict.

`make test` takes the common ones; `MEDIA_MATRIX=1` (`make media-matrix`) takes them all.
"""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.domain.media import MediaFacts, Violation, publishing_violations
from reelflow.media.inspection import examine, inspect_media
from reelflow.media.repair_line import repair_line
from reelflow.source import open_file
from tests import media_files
from tests.media_matrix import Case, cases, without_media_size, write_companions

SPOKEN, CHAPTERS = media_files.folder() / "spoken.srt", media_files.folder() / "chapters.txt"
IS_WHOLE = bool(os.environ.get("MEDIA_MATRIX"))
CASES = [case for case in cases(SPOKEN, CHAPTERS) if case.is_common or IS_WHOLE]
#: What a line changes where it must, and only there.
CHANGED_BY = {
    "duration_s": {"duration", "picture"},
    "display_width": {"resolution"},
    "display_height": {"resolution"},
}
CUT_PERCENTS = (10, 35, 60, 85, 97) if IS_WHOLE else (60,)

Make = Callable[[Case], Path]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes the file of a case, once."""
    folder = tmp_path_factory.mktemp("matrix")
    write_companions(SPOKEN, CHAPTERS)

    def make_once(case: Case) -> Path:
        path = folder / case.name / case.name
        return path if path.exists() else case.make(path.parent)

    return make_once


def judged(path: Path) -> tuple[MediaFacts, list[Violation]]:
    facts = inspect_media(path)
    return facts, publishing_violations(facts, path.name, repair_line)


def lines_of(found: list[Violation]) -> set[str]:
    return {one.fix for one in found if one.fix.startswith("ffmpeg ")}


def test_every_name_is_of_one_case() -> None:
    names = [case.name for case in cases(SPOKEN, CHAPTERS)]
    assert len(names) == len(set(names)) >= 150


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_file_breaks_exactly_the_rules_it_must(case: Case, make: Make) -> None:
    facts, found = judged(make(case))
    assert facts.probe_error is None
    assert [one.rule for one in found if one.rule not in case.rules] == []
    assert {one.rule for one in found} == set(case.rules)
    assert {name: getattr(facts, name) for name in case.facts} == case.facts


REJECTED = [case for case in CASES if case.rules and "short" not in case.name]


@pytest.mark.parametrize("case", REJECTED, ids=[case.name for case in REJECTED])
def test_the_line_of_a_rejected_file_makes_one_that_is_accepted(case: Case, make: Make) -> None:
    path = make(case)
    before, found = judged(path)
    [line] = lines_of(found)
    assert {one.fix for one in found} == {line}
    made = path.parent / Path(shlex.split(line)[-1])
    command = f"{line} -y -v error -nostdin"
    subprocess.run(["sh", "-c", command], cwd=path.parent, check=True, capture_output=True)
    after, broken = judged(made)
    assert broken == []
    assert (after.hdr_transfer, after.rotation_degrees % 180) == (
        before.hdr_transfer,
        before.rotation_degrees % 180 if " -c copy " in line else 0,
    )
    assert after.hdr_transfer is None or after.video_codec == "hevc"  # in 8 bits it is washed out
    assert (after.audio_codec is None) == (before.audio_codec is None)
    for name, rules in CHANGED_BY.items():
        value = getattr(before, name)
        if not rules & set(case.rules):
            assert getattr(after, name) == pytest.approx(value, abs=1 if "dis" in name else 0.1)


def test_no_line_is_given_that_would_not_help(make: Make) -> None:
    for case in (case for case in CASES if "short" in case.name):
        _, found = judged(make(case))
        assert lines_of(found) == set()


#: All but this are cut where their bytes tell: a live recording says nowhere how long it is.
CUTTABLE = [case for case in CASES if case.name not in ("live.webm", "piped.avi")]


@pytest.mark.parametrize("percent", CUT_PERCENTS)
def test_cut_files_are_rejected_with_the_byte_where_their_data_end(
    percent: int, make: Make, tmp_path: Path
) -> None:
    """Of a hundred, ninety-nine: a cut just between two parts of a file leaves a whole one."""
    missed = []
    for case in CUTTABLE:
        whole = make(case).read_bytes()
        path = tmp_path / f"cut.{case.container}"
        path.write_bytes(whole[: len(whole) * percent // 100])
        _, found = judged(path)
        told = {f"the data ends at byte {path.stat().st_size}"}
        if not any(one.rule == "damaged" or {one.value} == told for one in found):
            missed.append(case.name)
    assert len(missed) <= len(CUTTABLE) // 100, missed


def test_media_data_without_a_size_are_cut_where_the_index_says(make: Make, tmp_path: Path) -> None:
    first = Case("sized.mp4", ("-c:v", "libx264", "-movflags", "+faststart"))
    whole = without_media_size(make(first).read_bytes())
    path = tmp_path / "unsized.mp4"
    path.write_bytes(whole)
    assert judged(path)[1] == []
    path.write_bytes(whole[: len(whole) * 6 // 10])
    [broken] = judged(path)[1]
    assert (broken.rule, broken.limit) == (
        "truncated",
        f"the container declares {len(whole)} bytes",
    )


#: The sides of a large video, and how many pictures its decoder's memory allows: of the largest,
#: whose frames are 100 MB each, the one that no other is needed for.
LARGE = [(1024, 4), *([(4096, 1)] if IS_WHOLE else [])]


@pytest.mark.parametrize(("side_px", "pictures"), LARGE)
def test_a_moment_of_a_large_video_is_shown_behind_its_candidates(
    side_px: int, pictures: int, make: Make
) -> None:
    """What the candidates took is given back."""
    late = ("-refs", "4", "-bf", "3")  # the decoder holds frames back
    encode = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p10le", *late, "-an")
    size = f"{side_px}x{side_px}"
    path = make(Case(f"large-{side_px}.mp4", encode, size=size, seconds=0.33))
    with open_file(path) as source, examine(source, with_covers=True) as examination:
        assert len(examination.candidates()) == pictures
        assert examination.cover(0.03).width == 640
        assert examination.cover().width == 640
