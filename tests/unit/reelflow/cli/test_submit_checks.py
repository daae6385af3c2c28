import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reelflow.cli.submit_checks import Checked, Checker
from reelflow.cli.submit_wishes import Wish, fields_of, find_posts
from reelflow.domain.photos import photo_post_sha256
from reelflow.domain.post import PostKind
from tests import media_files, photo_files

VALUES = {"caption": "Hi", "privacy_level": "SELF_ONLY"}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(media_files.h264_mp4(), tmp_path / "clip.mp4"))


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    folder = tmp_path / "trail"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.jpg").write_bytes(photo_files.image(shade=number))
    return folder


def wish(path: Path, place: str = "row 2", account: str = "acme", **values: Any) -> Wish:
    (found,) = find_posts(path)
    return Wish(place, account, found, fields_of({**VALUES, **values}, found.kind))


def check(*wishes: Wish, on_bytes: Callable[[int], None] = lambda _: None) -> Checked:
    return Checker(on_bytes).check(wishes)


def test_a_good_post_has_all_that_the_server_is_told(clip: Path) -> None:
    checked = check(wish(clip, is_aigc=False))
    assert checked.problems == []
    (post,) = checked.posts
    (file,) = post.files
    assert (post.name, post.place, post.kind) == ("clip.mp4", "row 2, clip.mp4", PostKind.VIDEO)
    assert post.sha256 == file.sha256
    assert (file.content_type, file.media_type) == ("video/mp4", "video")
    assert file.size_bytes == post.size_bytes == clip.stat().st_size
    assert post.wish == {"account": "acme", "is_aigc": False, **VALUES}


def test_photos_are_known_by_their_content_and_order(trail: Path) -> None:
    (post,) = check(wish(trail)).posts
    hashes = [file.sha256 for file in post.files]
    assert post.sha256 == photo_post_sha256(hashes)
    (turned,) = check(wish(trail, images=["2.jpg", "1.jpg"])).posts
    assert turned.sha256 == photo_post_sha256(hashes[::-1])
    assert "images" not in turned.wish


def test_images_that_do_not_name_the_folders_are_told(trail: Path) -> None:
    (problem,) = check(wish(trail, images=["1.jpg", "3.jpg"])).problems
    assert "'3.jpg' is not in the folder" in problem.told


def test_a_file_of_several_posts_is_looked_at_once(clip: Path) -> None:
    told: list[int] = []
    wishes = [wish(clip, f"row {n}", account) for n, account in ((2, "acme"), (3, "other"))]
    checked = check(*wishes, on_bytes=told.append)
    assert len(checked.posts) == 2
    assert checked.posts[0].files[0] is checked.posts[1].files[0]
    assert told == [clip.stat().st_size, 2 * clip.stat().st_size]


def test_one_that_cannot_be_read_stops_no_other(clip: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    checked = check(wish(link, "row 2"), wish(clip, "row 3"))
    assert [post.place for post in checked.posts] == ["row 3, clip.mp4"]
    (problem,) = checked.problems
    assert "is a symbolic link" in problem.told


def test_the_same_content_for_the_same_account_must_be_asked_for(clip: Path) -> None:
    again = wish(clip, "row 3")
    (problem,) = check(wish(clip), again).problems
    assert (problem.place, "as row 2" in problem.told) == ("row 3", True)
    assert check(wish(clip), wish(clip, "row 3", repost=True)).problems == []
    assert check(wish(clip), wish(clip, "row 3", "other")).problems == []
