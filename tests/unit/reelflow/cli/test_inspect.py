import hashlib
import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from reelflow.cli.inspect import inspect
from tests import media_files

app = typer.Typer()
app.command()(inspect)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_text("This is not a video.")
    return path


def test_a_rejected_file_is_shown_with_every_rule_and_its_fix(text_file: Path) -> None:
    result = run(text_file)
    assert result.exit_code == 1
    assert "Rejected by the tiktok profile: 1 rule broken." in result.stdout
    assert "type: text content (allowed: .mp4 .mov .webm)" in result.stdout
    assert "fix: give a real video file" in result.stdout


@pytest.mark.parametrize("name", ["clip.avi", ":smile: [b].avi"])
def test_a_line_that_mends_is_shown_letter_for_letter(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    shutil.copyfile(media_files.mpeg4_avi(), path)
    fixes = {one["fix"] for one in json.loads(run(path, "--json").stdout)["violations"]}
    shown = [line.strip() for line in run(path).stdout.splitlines()]
    assert {line.removeprefix("fix: ") for line in shown if line.startswith("fix: ")} == fixes
    assert any("-map" in fix for fix in fixes)


def test_json_has_the_verdict_the_violations_and_the_metadata(text_file: Path) -> None:
    result = run(text_file, "--json", "--profile", "intake")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert set(report) == {"accepted", "violations", "metadata"}
    assert report["accepted"] is False
    assert [set(v) for v in report["violations"]] == [{"rule", "value", "limit", "fix"}]
    assert report["violations"][0]["limit"] == ".mp4 .mov .avi .mkv .webm"
    assert report["metadata"]["container"] == "other:text"


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path, option: list[str]
) -> None:
    result = run(tmp_path / "none.mp4", *option)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "does not exist" in result.stderr


def report_on(path: Path, *words: object) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run(path, "--json", *words).stdout)
    return report


def rules(report: dict[str, Any]) -> list[str]:
    return [violation["rule"] for violation in report["violations"]]


def test_the_hash_of_the_file_is_told(text_file: Path) -> None:
    digest = hashlib.sha256(text_file.read_bytes()).hexdigest()
    assert report_on(text_file)["metadata"]["sha256"] == digest
    assert digest in run(text_file).stdout


def test_all_that_is_known_of_a_video_is_shown_and_what_is_not_as_well() -> None:
    shown = run(media_files.h264_mp4()).stdout
    told = {line.split()[0]: line.split()[1] for line in shown.splitlines() if line[:2] == "  "}
    assert told["faststart"] == "True"
    assert told["display_width"] == "640"
    assert told["hdr_transfer"] == "-"
    assert {"duration_s", "average_frame_rate", "nominal_frame_rate", "variable_frame_rate"} < set(
        told
    )
    assert {"video_codec", "audio_codec", "bit_rate_bps", "creation_time", "container_brand"} < set(
        told
    )


@pytest.mark.parametrize(
    ("form", "size", "broken", "because"),
    [
        ("JPEG", (400, 300), [], None),
        ("WEBP", (1920, 1080), [], None),
        ("PNG", (1280, 960), [], ["PNG content"]),
        ("JPEG", (2000, 1000), [], ["2000x1000 px"]),
        ("JPEG", (99, 300), ["resolution"], None),
        ("JPEG", (4097, 200), ["resolution"], None),
    ],
)
def test_an_image_is_judged_as_an_image(
    form: str,
    size: tuple[int, int],
    broken: list[str],
    because: list[str] | None,
    tmp_path: Path,
) -> None:
    path = tmp_path / f"photo.{'jpg' if form == 'JPEG' else form.lower()}"
    Image.new("RGB", size).save(path, form)
    assert rules(report_on(path, "--profile", "intake")) == broken
    report = report_on(path)
    assert rules(report) == broken
    assert (report["metadata"].get("copy") or {}).get("because") == because
    assert run(path).exit_code == (1 if broken else 0)


def test_that_tiktok_gets_a_copy_is_told_with_what_it_is_and_why(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    Image.new("RGB", (2400, 1200)).save(path, exif=exif, comment=b"at home")
    copy = report_on(path)["metadata"]["copy"]
    assert (copy["container"], copy["width"], copy["height"]) == ("jpeg", 1920, 960)
    assert copy["because"] == ["2400x1200 px", "EXIF", "a comment"]
    shown = run(path).stdout
    assert "holds                EXIF, a comment\n" in shown
    assert f"gets a copy of it: JPEG, 1920x960 px, {copy['size_bytes']:,} bytes.\n" in shown
    assert "  because: 2400x1200 px; EXIF; a comment\n" in shown
    assert "TikTok" not in run(path, "--profile", "intake").stdout
    plain = tmp_path / "plain.jpg"
    Image.new("RGB", (200, 200)).save(plain)
    assert "gets a copy" not in run(plain).stdout
    assert report_on(plain)["metadata"]["copy"] is None


def test_an_image_that_is_called_a_video_is_told_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    Image.new("RGB", (5000, 200)).save(path, "PNG")
    assert rules(report_on(path)) == ["extension", "resolution"]
    assert rules(report_on(path, "--profile", "intake")) == ["extension", "resolution"]


def test_an_image_can_get_a_thumbnail_although_it_is_rejected(tmp_path: Path) -> None:
    source, cover = tmp_path / "photo.jpg", tmp_path / "cover.jpg"
    Image.new("RGB", (1280, 960)).save(source, "PNG")
    result = run(source, "--thumbnail", cover)
    assert result.exit_code == 1
    assert "extension: .jpg (allowed: .png, because the content is PNG)" in result.stdout
    assert "display_width        1280" in result.stdout
    assert not any(name in result.stdout for name in ("video_codec", "frame_rate", "rotation"))
    with Image.open(cover) as image:
        assert image.size == (640, 480)


def test_a_damaged_image_is_told_once_and_gets_no_thumbnail(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(b"\x89PNG\r\n\x1a\n broken in its first part")
    report = report_on(source, "--thumbnail", tmp_path / "cover.jpg")
    assert rules(report) == ["unreadable"]
    assert not (tmp_path / "cover.jpg").exists()


def test_a_thumbnail_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(source)
    result = run(source, "--thumbnail", tmp_path / "none" / "cover.jpg")
    assert result.exit_code == 2
    assert "No such file" in result.stderr


def test_a_name_cannot_act_on_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "[red]\x1b[2J\nx.mp4"
    path.write_text("text")
    result = run(path)
    assert "[red]�[2J⏎ x.mp4" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("profile", ["intake", "tiktok"])
def test_the_largest_size_is_that_of_the_settings(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.mp4"
    padding = struct.pack(">I4s", 2 * 1024**2, b"free").ljust(2 * 1024**2, b"\0")
    path.write_bytes(media_files.h264_mp4().read_bytes() + padding)
    assert rules(report_on(path, "--profile", profile)) == []
    monkeypatch.setenv("REELFLOW_MAX_VIDEO_SIZE_MIB", "1")
    report = report_on(path, "--profile", profile)
    assert rules(report) == ["size"]
    assert report["violations"][0]["limit"].startswith("at most 1.0 MiB")


def test_a_wrong_setting_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_MAX_VIDEO_SIZE_MIB", "much")
    result = run(media_files.h264_mp4())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "REELFLOW_MAX_VIDEO_SIZE_MIB is 'much'" in result.stderr


@pytest.mark.parametrize("kind", ["source", "hard link", "link to it", "folder", "link", "pipe"])
def test_a_thumbnail_never_takes_the_place_of_the_source_or_of_what_is_no_plain_file(
    kind: str, tmp_path: Path
) -> None:
    source, target = tmp_path / "clip.mp4", tmp_path / "cover.jpg"
    shutil.copyfile(media_files.h264_mp4(), source)
    if kind == "source":
        target = tmp_path / "x" / ".." / "clip.mp4"
        (tmp_path / "x").mkdir()
    elif kind == "hard link":
        target.hardlink_to(source)
    elif kind == "folder":
        target.mkdir()
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        target.symlink_to(source if kind == "link to it" else tmp_path / "other.jpg")
    before = target.lstat()
    result = run(source, "--thumbnail", target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "another name" in result.stderr
    assert target.lstat() == before
    assert source.read_bytes() == media_files.h264_mp4().read_bytes()


def test_a_thumbnail_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    target = tmp_path / "cover.jpg"
    target.write_text("old")
    assert run(media_files.h264_mp4(), "--thumbnail", target).exit_code == 0
    with Image.open(target) as cover:
        assert cover.size == (640, 360)
