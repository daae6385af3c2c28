import json
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from reelflow.cli.inspect import inspect

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


def test_an_image_can_get_a_thumbnail_although_it_is_rejected(tmp_path: Path) -> None:
    source, cover = tmp_path / "photo.png", tmp_path / "cover.jpg"
    Image.new("RGB", (1280, 960)).save(source)
    result = run(source, "--thumbnail", cover)
    assert result.exit_code == 1
    assert "photos become a post when they lie in a folder" in result.stdout
    with Image.open(cover) as image:
        assert image.size == (640, 480)


def test_a_damaged_image_is_one_violation_more(tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    report = json.loads(run(source, "--json", "--thumbnail", tmp_path / "cover.jpg").stdout)
    assert [violation["rule"] for violation in report["violations"]] == ["photo", "image"]


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
