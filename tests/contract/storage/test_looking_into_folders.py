"""Folders: what lies in them down to a depth, making and removing them, what people call them."""

from functools import partial
from pathlib import Path

import pytest

from reelflow.exceptions import InvalidObjectKeyError, StorageAccessError
from reelflow.storage.base import FolderInfo
from reelflow.storage.local_store import LocalStore
from tests.contract.storage.stores import Place, Store, open_store
from tests.unprivileged import as_nobody_much, reachable_folder

KEYS = ["a/1", "a/b/2", "a/b/c/3", "a/b.json", "a/b-x", "a/z%20z/4", "other"]


@pytest.fixture
def filled(store: Store) -> Store:
    for key in KEYS:
        store.put(key, b"x", size_bytes=1)
    return store


def look(store: Store, folder: str, depth: int) -> list[str]:
    """Return what is found, folders with a slash behind them."""
    found = store.look_into(folder, depth=depth)
    return [entry.key + "/" * isinstance(entry, FolderInfo) for entry in found]


@pytest.mark.parametrize(
    ("folder", "depth", "found"),
    [
        ("", 1, ["a/", "other"]),
        ("a", 1, ["a/1", "a/b-x", "a/b.json", "a/b/", "a/z%20z/"]),
        (
            "a",
            2,
            ["a/1", "a/b-x", "a/b.json", "a/b/", "a/b/2", "a/b/c/", "a/z%20z/", "a/z%20z/4"],
        ),
        ("a/b", 2, ["a/b/2", "a/b/c/", "a/b/c/3"]),
        ("none", 3, []),
        ("other", 3, []),
    ],
)
def test_objects_and_folders_are_given_down_to_the_depth(
    filled: Store, folder: str, depth: int, found: list[str]
) -> None:
    assert look(filled, folder, depth) == found


@pytest.mark.parametrize(
    ("mode", "found"),
    [
        (0o777, [("inbox/acme", False), ("inbox/acme/x", None)]),
        (0o555, [("inbox/acme", True)]),
        (0o333, [("inbox/acme", True)]),
        (0o666, [("inbox/acme", True)]),
    ],
)
def test_a_folder_that_may_not_be_read_and_emptied_is_closed(
    mode: int, found: list[tuple[str, bool | None]]
) -> None:
    with reachable_folder() as root:
        folder = root / "inbox" / "acme"
        folder.mkdir(parents=True)
        (folder / "x").touch()
        folder.chmod(mode)
        entries = partial(LocalStore(root).look_into, "inbox", depth=2)
        told = as_nobody_much(
            lambda: str([(one.key, getattr(one, "is_closed", None)) for one in entries()])
        )
        folder.chmod(0o700)
    assert told == str(found)


def test_what_is_given_says_what_a_stat_says(filled: Store) -> None:
    (found,) = filled.look_into("a/b/c", depth=1)
    assert found == filled.stat("a/b/c/3")


def test_a_folder_is_removed_when_nothing_lies_in_it(filled: Store) -> None:
    assert not filled.remove_folder("a/b/c")
    filled.delete("a/b/c/3")
    assert filled.remove_folder("a/b/c")
    assert filled.remove_folder("a/b/c")
    assert filled.remove_folder("none/at/all")
    assert "a/b/c/" not in look(filled, "a/b", 1)


def test_a_folder_may_be_made_again_and_its_objects_stay(filled: Store) -> None:
    for folder in ("a/b", "new", "new/one", "not/there/yet"):
        filled.make_folder(folder)
    assert [info.key for info in filled.list("a/b")] == ["a/b/2", "a/b/c/3"]
    filled.put("new/one/5", b"x", size_bytes=1)


def test_folders_that_are_there_pass_the_check(filled: Store) -> None:
    filled.check(["a", "a/b"])


def test_a_store_that_is_not_there_does_not(place: Place) -> None:
    name = "bucket" if place.is_s3 else "root"
    missing = open_store({**place.where, name: place.where[name] + "-gone"})
    with pytest.raises(StorageAccessError):
        missing.check(["media"])


def test_people_are_told_where_it_is(place: Place) -> None:
    where = place.where
    above = where.get("root") or f"s3://{where['bucket']}/{where['prefix']}"
    assert place.store.shown("inbox/acme") == f"{above}/inbox/acme"


def test_a_file_is_no_place_for_a_folder(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("inbox/acme", b"x", size_bytes=1)
    with pytest.raises(InvalidObjectKeyError, match="a file is in its place"):
        store.make_folder("inbox/acme")
    assert not store.remove_folder("inbox/acme")


@pytest.mark.parametrize("mode", [0o555, 0o333, 0o666])
@pytest.mark.parametrize("closed", [".", "inbox"])
def test_a_store_that_may_not_be_read_and_written_does_not_pass_the_check(
    closed: str, mode: int
) -> None:
    with reachable_folder() as root:
        root.chmod(0o777)
        (root / "inbox").mkdir()
        (root / "inbox").chmod(0o777)
        check = partial(LocalStore(root).check, ["inbox"])
        assert as_nobody_much(lambda: str(check())) == "None"
        (root / closed).chmod(mode)
        told = as_nobody_much(lambda: str(check()))
        (root / closed).chmod(0o700)
    assert told.startswith(f"StorageAccessError: {root / closed} cannot be written to")
