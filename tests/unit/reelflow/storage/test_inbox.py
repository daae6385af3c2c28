"""Photo folders of the inbox: what is quiet, what belongs to them, and what stays of them."""

import os
from pathlib import Path

import pytest

from reelflow.exceptions import MediaUnreadableError
from reelflow.storage.inbox import InboxFolder, folder_at, remove_emptied, source_in
from reelflow.storage.local import LocalFolders

LATER_S = 10.0**11


@pytest.fixture
def folders(tmp_path: Path) -> LocalFolders:
    folders = LocalFolders(tmp_path)
    folders.create()
    folders.create_account_inbox("acme")
    return folders


def put(folders: LocalFolders, *names: str, sidecar: bool = False) -> Path:
    trip = folders.inbox / "acme" / "trip"
    trip.mkdir(exist_ok=True)
    for name in names:
        (trip / name).write_bytes(os.fsencode(name))
    if sidecar:
        trip.with_name("trip.json").write_text("{}")
    return trip


def quiet(folders: LocalFolders, **window: float) -> list[InboxFolder]:
    return folders.quiet_folders(["acme"], **{"now_s": LATER_S, "quiet_s": 10, **window})


def test_a_folder_is_found_with_its_files_and_sidecar(folders: LocalFolders) -> None:
    trip = put(folders, "b.jpg", "a.jpg", "Thumbs.db", ".DS_Store", "._a.jpg", sidecar=True)
    (found,) = quiet(folders)
    assert found.path == trip
    assert found.sidecar == trip.with_name("trip.json")
    assert [file.path.name for file in found.files] == ["a.jpg", "b.jpg"]
    assert [file.inbox_path for file in found.files] == ["acme/trip/a.jpg", "acme/trip/b.jpg"]
    assert (found.inner_folders, found.is_closed) == ((), False)
    assert folders.quiet_files(["acme"], now_s=LATER_S, quiet_s=10) == []
    assert folders.holds(found)


@pytest.mark.parametrize("newest", ["a.jpg", ".a.jpg.part", "sidecar", "folder"])
def test_a_folder_is_quiet_only_when_all_of_it_is(folders: LocalFolders, newest: str) -> None:
    trip = put(folders, "a.jpg", ".a.jpg.part", sidecar=True)
    before_s = max(p.stat().st_ctime for p in (trip, *trip.iterdir(), trip.with_name("trip.json")))
    path = {"sidecar": trip.with_name("trip.json"), "folder": trip / "new"}.get(
        newest, trip / newest
    )
    while not path.exists() or path.stat().st_ctime <= before_s:
        path.write_bytes(b"more")  # what is there already leaves no time on the folder
    if newest == "folder":
        path.unlink()  # what came and went leaves its time on the folder
    assert quiet(folders, now_s=before_s + 10) == []
    assert len(quiet(folders)) == 1


def test_links_hidden_folders_and_files_are_no_photo_folders(
    folders: LocalFolders, tmp_path: Path
) -> None:
    inbox = folders.inbox / "acme"
    (inbox / ".trip").mkdir()
    (inbox / "file").touch()
    (tmp_path / "elsewhere").mkdir()
    (inbox / "link").symlink_to(tmp_path / "elsewhere")
    assert quiet(folders) == []
    names = [f.path.name for f in folders.quiet_files(["acme"], now_s=LATER_S, quiet_s=10)]
    assert names == ["file", "link"]  # each is judged as a file, and the link never followed


@pytest.mark.parametrize("change", ["image", "name", "gone", "sidecar", "inner folder", "all"])
def test_a_folder_that_changed_is_not_the_one_that_was_found(
    folders: LocalFolders, change: str
) -> None:
    trip = put(folders, "a.jpg", "b.jpg")
    (found,) = quiet(folders)
    match change:
        case "image":
            (trip / "a.jpg").write_bytes(b"longer than before")
        case "name":
            (trip / "a.jpg").rename(trip / "c.jpg")
        case "gone":
            (trip / "a.jpg").unlink()
        case "sidecar":
            trip.with_name("trip.json").write_text("{}")
        case "inner folder":
            (trip / "more").mkdir()
        case _:
            trip.rename(trip.with_name("other"))
    assert not folders.holds(found)


def test_names_are_bytes_and_come_back_as_they_were(folders: LocalFolders) -> None:
    trip = put(folders, os.fsdecode(b"caf\xe9 %2f\n.jpg"))
    (found,) = quiet(folders)
    (file,) = found.files
    assert file.inbox_path.isascii()
    assert source_in(folders.inbox, file.inbox_path) == trip / os.fsdecode(b"caf\xe9 %2f\n.jpg")


@pytest.mark.parametrize("path", ["acme/../x", "acme/%2e%2e/x", "acme/a%2fb", "acme//x", "..", ""])
def test_a_tampered_inbox_path_is_never_followed(folders: LocalFolders, path: str) -> None:
    with pytest.raises(MediaUnreadableError, match="the ledger was tampered with"):
        source_in(folders.inbox, path)


def test_an_emptied_folder_goes_with_what_systems_left_in_it(folders: LocalFolders) -> None:
    trip = put(folders, ".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini")
    assert remove_emptied(trip)
    assert not trip.exists()
    assert remove_emptied(trip)


@pytest.mark.parametrize("name", ["late.jpg", ".late.jpg.part", ".hidden"])
def test_a_folder_with_anything_else_stays_whole(folders: LocalFolders, name: str) -> None:
    trip = put(folders, ".DS_Store", name)
    assert not remove_emptied(trip)
    assert sorted(path.name for path in trip.iterdir()) == sorted([".DS_Store", name])


def test_a_folder_with_a_folder_stays(folders: LocalFolders) -> None:
    trip = put(folders)
    (trip / "._more").mkdir()
    assert not remove_emptied(trip)


def test_what_is_no_folder_any_more_is_none(folders: LocalFolders) -> None:
    assert folder_at(folders.inbox / "acme" / "trip") is None
    (folders.inbox / "acme" / "trip").touch()
    assert folder_at(folders.inbox / "acme" / "trip") is None
