from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.domain.file_name import NAME_MAX_BYTES, clean_file_name, extension_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("clip.mp4", "clip.mp4"),
        ("My clip (final).MP4", "My clip (final).MP4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\videos\\clip.mp4", "clip.mp4"),
        ("a/b\\c.mp4", "c.mp4"),
        ("clip.mp4/", "upload"),
        ("", "upload"),
        ("..", "upload"),
        (" . ", "upload"),
        ("\u202e", "upload"),
        (".hidden.mp4", "hidden.mp4"),
        ("clip.mp4. ", "clip.mp4"),
        ("a\x00b\r\n\tc\x7f.mp4", "abc.mp4"),
        ("clip\u202e4pm.exe", "clip4pm.exe"),
        ("cafe\u0301.mov", "caf\u00e9.mov"),
        ("\ud800.mp4", "mp4"),
        ("日本.webm", "日本.webm"),
    ],
)
def test_what_is_left_of_a_name_can_be_shown_and_means_nothing_else(text: str, name: str) -> None:
    assert clean_file_name(text) == name


@given(st.text(st.characters(exclude_categories=[]), max_size=400))
def test_whatever_is_given_a_name_comes_out(text: str) -> None:
    name = clean_file_name(text)
    assert 1 <= len(name.encode()) <= NAME_MAX_BYTES
    assert name.isprintable()
    assert "/" not in name
    assert "\\" not in name
    assert name == unicodedata.normalize("NFC", name)
    assert name[0] != "."
    assert clean_file_name(name) == name


@given(st.text("ä日x", min_size=200, max_size=400))
def test_a_name_that_is_too_long_keeps_its_extension(stem: str) -> None:
    name = clean_file_name(f"{stem}.jpeg")
    assert extension_of(name) == "jpeg"
    assert len(name.encode()) <= NAME_MAX_BYTES


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("clip.MP4", "mp4"),
        ("a.tar.gz", "gz"),
        ("clip", ""),
        ("clip.", ""),
        ("clip.m p", ""),
        ("clip.ümp4", ""),
        ("a." + "x" * 11, ""),
        ("clip.mp4\n", ""),
    ],
)
def test_an_extension_is_what_follows_the_last_dot(name: str, extension: str) -> None:
    assert extension_of(name) == extension
