"""The inbox: what is quiet, what belongs to a post, and what is still as it was listed."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reelflow.exceptions import ObjectNotFoundError, SourceChangedError
from reelflow.storage.base import MediaStore
from reelflow.storage.folders import Folders
from reelflow.storage.inbox import InboxFile, InboxFolder, remove_emptied
from reelflow.storage.keys import key_of
from reelflow.storage.local_store import LocalStore
from tests.contract.storage.stores import Store

QUIET = timedelta(seconds=10)


@pytest.fixture
def folders(store: Store) -> Folders:
    folders = Folders(lambda: store)
    folders.create()
    folders.create_account_inbox("acme")
    return folders


def put(store: MediaStore, *names: str, data: bytes = b"data") -> str:
    """Put something into the inbox of acme; return its key."""
    key = key_of("inbox", "acme", *names)
    store.put(key, data, size_bytes=len(data))
    return key


def files(folders: Folders, since: datetime | None = None) -> list[InboxFile]:
    return list(folders.read_inbox().quiet_files("acme", since or later()))


def photo_folders(folders: Folders, since: datetime | None = None) -> list[InboxFolder]:
    return list(folders.read_inbox().quiet_folders("acme", since or later()))


def later() -> datetime:
    """A time at which everything was left alone for long."""
    return datetime.now(UTC) + timedelta(hours=1)


def last_change(store: MediaStore, key: str) -> datetime:
    info = store.stat(key)
    assert info is not None
    return info.modified_at


# Files


def test_a_file_is_quiet_from_its_last_change_on(store: Store, folders: Folders) -> None:
    key = put(store, "a.mp4", data=b"video")
    at = last_change(store, key)
    assert files(folders, at - timedelta(milliseconds=1)) == []
    (found,) = files(folders, at)
    info = store.stat(key)
    assert info is not None
    assert found == InboxFile("acme", key, info.identity, 5)
    assert (found.name, found.inbox_path) == ("a.mp4", "acme/a.mp4")
    assert folders.holds(found)


def test_a_file_comes_with_its_sidecar(store: Store, folders: Folders) -> None:
    at = last_change(store, put(store, "a.mp4"))
    while last_change(store, sidecar := put(store, "a.mp4.json", data=b'{"caption": "Hi"}')) <= at:
        pass  # S3 counts in seconds
    (found,) = files(folders)
    info = store.stat(sidecar)
    assert info is not None
    assert found.sidecar_identity == info.identity
    assert files(folders, at) == []
    with folders.open_sidecar(found) as source:
        assert source.read_at(0, 100) == b'{"caption": "Hi"}'


def test_hidden_files_folders_and_lonely_sidecars_are_left_alone(
    store: Store, folders: Folders
) -> None:
    put(store, ".a.mp4")
    put(store, "a.mp4.json")
    put(store, "folder.mp4", "1.jpg")
    assert files(folders) == []


def test_quiet_sidecars_without_their_file_or_folder_are_named(
    store: Store, folders: Folders
) -> None:
    for name in ("a.mp4", "a.mp4.json", "b.mp4.json", "c.mp4.json", ".d.mp4.json"):
        put(store, name)
    put(store, "b.mp4", "1.jpg")
    put(store, "e.mp4.json", "1.jpg")
    listing = folders.read_inbox()
    assert listing.lonely_sidecars("acme", later()) == ["c.mp4.json"]
    assert listing.lonely_sidecars("acme", datetime(2026, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize("change", ["replaced", "gone", "sidecar comes"])
def test_a_file_that_changed_is_not_the_one_that_was_listed(
    store: Store, folders: Folders, change: str
) -> None:
    key = put(store, "a.mp4")
    (found,) = files(folders)
    match change:
        case "replaced":
            put(store, "a.mp4", data=b"other bytes")
        case "gone":
            store.delete(key)
        case _:
            put(store, "a.mp4.json")
    assert not folders.holds(found)


@pytest.mark.parametrize("change", ["changes", "goes"])
def test_a_file_whose_sidecar_is_another_by_now_is_not_held(
    store: Store, folders: Folders, change: str
) -> None:
    put(store, "a.mp4")
    sidecar = put(store, "a.mp4.json", data=b"{}")
    (found,) = files(folders)
    assert folders.holds(found)
    if change == "goes":
        store.delete(sidecar)
    else:
        put(store, "a.mp4.json", data=b'{"caption": "new"}')
    assert not folders.holds(found)
    refused = ObjectNotFoundError if change == "goes" else SourceChangedError
    with pytest.raises(refused), folders.open_sidecar(found):
        pytest.fail("opened it")
    (again,) = files(folders)
    assert folders.holds(again)


def test_a_folder_is_no_sidecar(store: Store, folders: Folders) -> None:
    put(store, "a.mp4")
    put(store, "a.mp4.json", "1.jpg")
    (found,) = files(folders)
    assert found.sidecar_identity is None
    assert folders.holds(found)


def test_accounts_are_the_folders_of_the_inbox(store: Store, folders: Folders) -> None:
    put(store, "a.mp4")
    store.put("inbox/nobody/b.mp4", b"b", size_bytes=1)
    store.put("inbox/file", b"f", size_bytes=1)
    store.put("inbox/.DS_Store", b"l", size_bytes=1)
    listing = folders.read_inbox()
    assert listing.account_folders == ["acme", "nobody"]
    assert listing.stray_files == ["file"]
    assert not listing.is_closed("acme")
    for account in ("file", "missing"):
        assert not listing.is_closed(account)
        assert list(listing.quiet_files(account, later())) == []
        assert list(listing.quiet_folders(account, later())) == []


# Photo folders


def test_a_folder_is_found_with_its_files_and_sidecar(store: Store, folders: Folders) -> None:
    for name in ("b.jpg", "a.jpg", "Thumbs.db", ".DS_Store", "._a.jpg"):
        put(store, "trip", name)
    put(store, "trip.json")
    (found,) = photo_folders(folders)
    assert (found.key, found.name, found.inbox_path) == ("inbox/acme/trip", "trip", "acme/trip")
    assert [file.name for file in found.files] == ["a.jpg", "b.jpg"]
    assert [file.inbox_path for file in found.files] == ["acme/trip/a.jpg", "acme/trip/b.jpg"]
    assert [file.folder for file in found.files] == ["trip", "trip"]
    assert found.sidecar_identity is not None
    assert (found.inner_folders, found.is_closed) == ((), False)
    assert files(folders) == []
    assert folders.holds(found)


@pytest.mark.parametrize("newest", [("trip", "a.jpg"), ("trip", ".a.jpg.part"), ("trip.json",)])
def test_a_folder_is_quiet_only_when_all_of_it_is(
    store: Store, folders: Folders, newest: tuple[str, ...]
) -> None:
    for names in (("trip", "a.jpg"), ("trip", ".a.jpg.part"), ("trip.json",)):
        put(store, *names)
    listed = [*store.list("inbox")]
    before = max(info.modified_at for info in listed)
    while last_change(store, put(store, *newest, data=b"more")) <= before:
        pass  # S3 counts in seconds
    assert photo_folders(folders, before) == []
    assert len(photo_folders(folders)) == 1


@pytest.mark.parametrize("change", ["image", "name", "gone", "sidecar", "inner folder", "all"])
def test_a_folder_that_changed_is_not_the_one_that_was_listed(
    store: Store, folders: Folders, change: str
) -> None:
    one, two = (put(store, "trip", name, data=name.encode()) for name in ("a.jpg", "b.jpg"))
    (found,) = photo_folders(folders)
    match change:
        case "image":
            put(store, "trip", "a.jpg", data=b"longer than before")
        case "name":
            store.move(one, f"{found.key}/aa.jpg")  # still the first
        case "gone":
            store.delete(one)
        case "sidecar":
            put(store, "trip.json")
        case "inner folder":
            put(store, "trip", "more", "c.jpg")
        case _:
            store.move(one, "inbox/acme/other/a.jpg")
            store.move(two, "inbox/acme/other/b.jpg")
    assert not folders.holds(found)
    if change in ("image", "name"):
        assert photo_folders(folders)[0].identity != found.identity


def test_an_inner_folder_is_named_and_not_looked_into(store: Store, folders: Folders) -> None:
    put(store, "trip", "a.jpg")
    put(store, "trip", "more", "b.jpg")
    put(store, "trip", "more", "and more", "c.jpg")
    put(store, "trip", ".thumbnails", "a.jpg")
    (found,) = photo_folders(folders)
    assert [file.name for file in found.files] == ["a.jpg"]
    assert found.inner_folders == ("more",)


def test_hidden_folders_are_left_alone(store: Store, folders: Folders) -> None:
    put(store, ".trip", "a.jpg")
    assert photo_folders(folders) == []


def test_an_emptied_folder_goes_with_what_systems_left_in_it(
    store: Store, folders: Folders
) -> None:
    for name in (".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini"):
        put(store, "trip", name)
    assert remove_emptied(store, "inbox/acme/trip")
    assert list(store.list("inbox")) == []
    assert photo_folders(folders) == []
    assert remove_emptied(store, "inbox/acme/trip")


@pytest.mark.parametrize("name", ["late.jpg", ".late.jpg.part", ".hidden"])
def test_a_folder_with_anything_else_stays_whole(store: Store, folders: Folders, name: str) -> None:
    keys = [put(store, "trip", ".DS_Store"), put(store, "trip", name)]
    assert not remove_emptied(store, "inbox/acme/trip")
    assert [info.key for info in store.list("inbox")] == sorted(keys)


def test_a_folder_with_a_folder_stays(store: Store, folders: Folders) -> None:
    put(store, "trip", "._more", "a.jpg")
    put(store, "trip", ".DS_Store")
    assert not remove_emptied(store, "inbox/acme/trip")
    assert len(list(store.list("inbox"))) == 2


# Names


NAMES = [
    "-x.mp4",
    "%d.mp4",
    "%2e%2e%2fa.mp4",
    "a b\t\x1b[31m.mp4",
    "caf\u00e9 \N{CLAPPER BOARD}.mp4",
    "a" * 251 + ".mp4",
    "$(touch x);`id`'\".mp4",
    "~",
    "a.mp4.",
]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_of_folders_are_listed_like_any_other(
    store: Store, folders: Folders, name: str
) -> None:
    put(store, name, "1.jpg")
    (found,) = photo_folders(folders)
    assert (found.name, found.files[0].folder) == (name, name)
    assert found.inbox_path.isascii()
    assert found.inbox_path.isprintable()
    assert folders.holds(found)


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_listed_like_any_other(store: Store, folders: Folders, name: str) -> None:
    put(store, name)
    (found,) = files(folders)
    assert found.name == name
    assert found.inbox_path.isascii()
    assert found.inbox_path.isprintable()
    assert folders.holds(found)


# What only a folder on a disk has


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def on_disk(home: Path) -> Folders:
    home.mkdir()
    folders = Folders(lambda: LocalStore(home))
    folders.create()
    folders.create_account_inbox("acme")
    return folders


def test_a_copy_that_keeps_an_old_modification_time_is_not_quiet_while_it_grows(
    on_disk: Folders, home: Path
) -> None:
    path = home / "inbox" / "acme" / "a.mp4"
    path.write_bytes(b"video")
    os.utime(path, (0, 0))
    changed = datetime.fromtimestamp(path.stat().st_ctime, UTC)
    assert files(on_disk, changed - QUIET) == []
    assert len(files(on_disk, changed)) == 1


@pytest.mark.parametrize("where", ["trip", "trip/.copying"])
def test_what_came_and_went_leaves_its_time_on_the_folder(
    on_disk: Folders, home: Path, where: str
) -> None:
    trip, folder = home / "inbox" / "acme" / "trip", home / "inbox" / "acme" / where
    folder.mkdir(parents=True)
    image = trip / "a.jpg"
    image.write_bytes(b"a")
    before_s = max(path.stat().st_ctime for path in (trip, folder, image))
    while folder.stat().st_ctime <= before_s:
        (folder / "new").touch()
        (folder / "new").unlink()
    assert photo_folders(on_disk, datetime.fromtimestamp(before_s, UTC)) == []
    assert len(photo_folders(on_disk)) == 1


def test_links_are_files_and_never_followed(on_disk: Folders, home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").touch()
    (home / "inbox" / "acme" / "link").symlink_to(tmp_path / "elsewhere")
    assert photo_folders(on_disk) == []
    assert [file.name for file in files(on_disk)] == ["link"]


@pytest.mark.parametrize("name", [b"caf\xe9\xff %2f\n.mp4", b"a" * 255])
def test_names_are_bytes_and_come_back_as_they_were(
    on_disk: Folders, home: Path, name: bytes
) -> None:
    (home / "inbox" / "acme" / os.fsdecode(name)).write_bytes(b"video")
    (found,) = files(on_disk)
    assert os.fsencode(found.name) == name
    assert found.inbox_path.isascii()
    assert on_disk.holds(found)


@pytest.mark.parametrize("closed", ["acme", "acme/trip"])
def test_a_closed_folder_is_named_and_not_looked_into(
    on_disk: Folders, home: Path, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trip = home / "inbox" / "acme" / "trip"
    trip.mkdir()
    (trip / "a.jpg").touch()
    may, name = os.access, closed.rpartition("/")[2]

    def access(path: str, mode: int, **at: Any) -> bool:
        return path != name and may(path, mode, **at)

    monkeypatch.setattr(os, "access", access)  # root may look into everything
    assert on_disk.read_inbox().is_closed("acme") is (closed == "acme")
    if closed == "acme":
        assert photo_folders(on_disk) == []
    else:
        (found,) = photo_folders(on_disk)
        assert (found.is_closed, found.files) == (True, ())
