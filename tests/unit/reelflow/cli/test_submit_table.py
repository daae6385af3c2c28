from pathlib import Path
from typing import Any

import pytest

from reelflow.cli.submit_table import read_table
from reelflow.domain.photos import natural_order
from reelflow.exceptions import ReelflowError

HEADER = "file,account,caption,privacy_level"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "trail").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / "trail" / name).write_bytes(b"x")
    return tmp_path


def write(folder: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path = folder / "posts.csv"
    path.write_bytes(end.join(lines).encode(encoding))
    return path


def fields(folder: Path, columns: str, cells: str) -> dict[str, Any]:
    """Return the fields of one row."""
    wishes, problems = read_table(write(folder, f"{HEADER},{columns}", cells))
    assert problems == []
    return wishes[0].fields.model_dump(mode="json", exclude_unset=True)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_is_a_post(folder: Path, separator: str, end: str) -> None:
    lines = [HEADER, "a.mp4,acme,Hi,SELF_ONLY", ",,,", "trail,other,Photos,SELF_ONLY", ""]
    path = write(folder, *(line.replace(",", separator) for line in lines), end=end)
    wishes, problems = read_table(path)
    assert problems == []
    assert [(w.place, w.account, w.found.name) for w in wishes] == [
        ("row 2", "acme", "a.mp4"),
        ("row 4", "other", "trail"),
    ]
    assert wishes[0].paths == (folder / "a.mp4",)


def test_files_are_named_from_the_tables_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, HEADER, "a.mp4,acme,Hi,SELF_ONLY")
    monkeypatch.chdir(folder)
    assert read_table(Path("posts.csv"))[0][0].paths == (folder / "a.mp4",)
    monkeypatch.chdir("/")
    assert read_table(path)[0][0].paths == (folder / "a.mp4",)


def test_what_a_spreadsheet_writes_is_understood(folder: Path) -> None:
    path = write(folder, f"{HEADER},repost", 'a.mp4,acme,"Hi, ""you""\nthere",SELF_ONLY,TRUE')
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (wish,), _ = read_table(path)
    assert wish.fields.caption == 'Hi, "you"\nthere'
    assert wish.fields.repost is True


@pytest.mark.parametrize(
    ("columns", "cells", "given"),
    [
        ("is_aigc,repost", "a.mp4,acme,Hi,SELF_ONLY,yes,no", {"is_aigc": True, "repost": False}),
        ("disable_duet", "a.mp4,acme,Hi,SELF_ONLY,1", {"disable_duet": True}),
        ("cover_timestamp_ms", "a.mp4,acme,Hi,SELF_ONLY,1500", {"cover_timestamp_ms": 1500}),
        (
            "publish_at",
            "a.mp4,acme,Hi,SELF_ONLY,2026-12-01T18:00Z",
            {"publish_at": "2026-12-01T18:00:00Z"},
        ),
        ("title,cover_index", "trail,acme,Hi,SELF_ONLY,Up,1", {"title": "Up", "cover_index": 1}),
        ("images", "trail,acme,Hi,SELF_ONLY,2.jpg|1.jpg", {"images": ["2.jpg", "1.jpg"]}),
        ("title,repost", "a.mp4,acme,Hi,SELF_ONLY,,", {}),
    ],
)
def test_a_column_is_a_field_and_an_empty_cell_is_none(
    folder: Path, columns: str, cells: str, given: dict[str, Any]
) -> None:
    assert fields(folder, columns, cells) == {
        "caption": "Hi",
        "privacy_level": "SELF_ONLY",
        **given,
    }


def test_every_wrong_row_is_told_and_the_others_are_read(folder: Path) -> None:
    path = write(
        folder,
        f"{HEADER},repost,cover_timestamp_ms",
        "a.mp4,acme,Hi,SELF_ONLY,,",
        "none.mp4,acme,Hi,SELF_ONLY,,",
        "a.mp4,,Hi,SELF_ONLY,,",
        ",acme,Hi,SELF_ONLY,,",
        "a.mp4,acme,Hi,,,",
        "a.mp4,acme,Hi,SELF_ONLY,maybe,",
        "a.mp4,acme,Hi,SELF_ONLY,,early",
    )
    wishes, problems = read_table(path)
    assert [wish.place for wish in wishes] == ["row 2"]
    told = {problem.place: problem.told for problem in problems}
    assert sorted(told, key=natural_order) == [f"row {number}" for number in range(3, 9)]
    assert "does not exist" in told["row 3"]
    assert told["row 4"] == "account is empty: fill it in"
    assert told["row 5"] == "file is empty: fill it in"
    assert "privacy_level is not given" in told["row 6"]
    assert "repost is 'maybe'" in told["row 7"]
    assert "cover_timestamp_ms is 'early'" in told["row 8"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((), "'file' is missing"),
        (("file,caption",), "'account' is missing"),
        (("file,account,captoin",), "'captoin' is not known"),
        (("file,account,file",), "'file' is there twice"),
        ((HEADER,), "no row below its header"),
        ((HEADER, "a.mp4,acme,Hi, you,SELF_ONLY"), "row 2 .*5 cells for 4 columns.*quotes"),
        ((HEADER, 'a.mp4,acme,"Hi'), "cannot be read as a table"),
    ],
)
def test_a_table_that_is_none_is_refused_whole(
    folder: Path, lines: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ReelflowError, match=told):
        read_table(write(folder, *lines))


def test_a_table_in_other_letters_is_told_what_to_do(folder: Path) -> None:
    path = write(folder, HEADER, "a.mp4,acme,Grüße,SELF_ONLY", encoding="latin-1")
    with pytest.raises(ReelflowError, match=r"not UTF-8 at byte .*save it as CSV in UTF-8"):
        read_table(path)


def test_what_is_far_too_large_for_a_table_is_not_read(folder: Path) -> None:
    with pytest.raises(ReelflowError, match="over 10000000 bytes"):
        read_table(write(folder, "x" * 10_000_001))
    with pytest.raises(ReelflowError, match="over 10000 rows"):
        read_table(write(folder, HEADER, *[",,,"] * 10_001))


@pytest.mark.parametrize("name", ["none.csv", "trail"])
def test_a_table_that_cannot_be_opened_is_told(folder: Path, name: str) -> None:
    with pytest.raises(ReelflowError, match=name):
        read_table(folder / name)
