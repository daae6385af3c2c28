from pathlib import Path
from typing import Any

import pytest

from reelflow.cli.submit_wishes import Wish, fields_of, find_posts, wishes_of
from reelflow.domain.post import PostKind
from reelflow.exceptions import ReelflowError

VALUES = {"caption": "Hi", "privacy_level": "SELF_ONLY"}


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_of_photos_is_one_post_in_the_order_of_people(tmp_path: Path) -> None:
    folder = make(tmp_path / "trail", "10.jpg", "2.PNG", "1.webp", ".DS_Store", "Thumbs.db")
    (found,) = find_posts(folder)
    assert (found.kind, found.name) == (PostKind.PHOTO, "trail")
    assert [path.name for path in found.paths] == ["1.webp", "2.PNG", "10.jpg"]


def test_a_folder_that_has_no_name_of_its_own_is_called_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "trail", "1.jpg")
    monkeypatch.chdir(tmp_path / "trail")
    assert find_posts(Path())[0].name == "trail"


def test_each_video_of_a_folder_is_a_post(tmp_path: Path) -> None:
    folder = make(tmp_path / "week", "b10.mp4", "b2.mov", "a.webm")
    assert [found.name for found in find_posts(folder)] == ["a.webm", "b2.mov", "b10.mp4"]
    assert {found.kind for found in find_posts(folder)} == {PostKind.VIDEO}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "holds no file"),
        ((".hidden",), "holds no file"),
        (("1.jpg", "clip.mp4"), "both photos and videos"),
        (("1.jpg", "notes.txt"), r"notes.txt' is neither a photo nor a video by its name"),
        (("clip.mp4", "clip.mp4.json"), r"clip.mp4.json' is neither"),
    ],
)
def test_a_folder_of_which_it_is_not_clear_what_it_is_is_refused(
    tmp_path: Path, names: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ReelflowError, match=told):
        find_posts(make(tmp_path / "x", *names))


def test_a_folder_in_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    make(make(tmp_path / "x", "1.jpg") / "inner")
    with pytest.raises(ReelflowError, match="holds the folder 'inner': give each"):
        find_posts(tmp_path / "x")


def test_what_does_not_exist_or_is_no_medium_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReelflowError, match="does not exist"):
        find_posts(tmp_path / "none")
    with pytest.raises(ReelflowError, match="neither a photo nor a video"):
        find_posts(make(tmp_path / "x", "a.txt") / "a.txt")


def test_one_photo_is_a_post_and_several_are_a_question(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg", "2.jpg", "clip.mp4")
    (wish,) = wishes_of([tmp_path / "1.jpg"], "acme", VALUES)
    assert wish.found.kind is PostKind.PHOTO
    with pytest.raises(ReelflowError, match="2 photos were given one by one: put them into a"):
        wishes_of([tmp_path / "1.jpg", tmp_path / "clip.mp4", tmp_path / "2.jpg"], "acme", VALUES)


def test_all_files_get_the_same_fields(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4")
    wishes = wishes_of([tmp_path / "a.mp4", tmp_path / "b.mp4"], "acme", VALUES)
    assert [(wish.place, wish.account) for wish in wishes] == [("a.mp4", "acme"), ("b.mp4", "acme")]
    assert {wish.fields.caption for wish in wishes} == {"Hi"}


def test_images_may_be_given_another_order(tmp_path: Path) -> None:
    (found,) = find_posts(make(tmp_path / "trail", "1.jpg", "2.jpg"))
    fields = fields_of({**VALUES, "images": ["2.jpg", "1.jpg"]}, PostKind.PHOTO)
    wish = Wish("row 2", "acme", found, fields)
    assert [path.name for path in wish.paths] == ["2.jpg", "1.jpg"]
    wrong = fields_of({**VALUES, "images": ["2.jpg"]}, PostKind.PHOTO)
    with pytest.raises(ValueError, match=r"1\.jpg' is in the folder but not named"):
        _ = Wish("row 2", "acme", found, wrong).paths


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        ({"caption": "Hi"}, PostKind.VIDEO, "privacy_level is not given.*SELF_ONLY"),
        ({"privacy_level": "ALL"}, PostKind.VIDEO, "privacy_level is 'ALL'"),
        ({**VALUES, "title": "x"}, PostKind.VIDEO, "title is for photos only"),
        ({**VALUES, "disable_duet": True}, PostKind.PHOTO, "disable_duet is for videos only"),
        ({**VALUES, "caption": "x" * 2201}, PostKind.VIDEO, "shorten it by 1"),
        ({**VALUES, "publish_at": "2026-12-01T18:00"}, PostKind.VIDEO, "no time zone"),
        ({**VALUES, "repost": "maybe"}, PostKind.VIDEO, "repost is 'maybe'"),
        ({**VALUES, "caption": "\udcff"}, PostKind.VIDEO, "surrogate"),
    ],
)
def test_fields_are_checked_as_a_sidecars_are(
    values: dict[str, Any], kind: PostKind, told: str
) -> None:
    with pytest.raises(ReelflowError, match=told) as caught:
        fields_of(values, kind)
    assert "sidecar" not in str(caught.value)


def test_a_draft_needs_no_privacy_level() -> None:
    assert fields_of({"mode": "draft"}, PostKind.VIDEO).privacy_level is None
