"""What is taken out of the inbox, set aside and brought back, and what a crash leaves of that."""

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reelflow.exceptions import (
    ConfigurationError,
    InvalidObjectKeyError,
    SourceChangedError,
    StorageAccessError,
    StorageFullError,
)
from reelflow.storage.base import MediaStore
from reelflow.storage.folders import (
    FOLDERS,
    Folders,
    Kept,
    Taking,
    dashboard_key,
    media_key,
    presigned_key,
)
from reelflow.storage.inbox import InboxFile
from reelflow.storage.keys import key_of
from reelflow.storage.local_store import LocalStore, open_data_folder
from reelflow.storage.s3 import S3Store
from tests.contract.storage.stores import S3Server, Store

MIB = 1024 * 1024


@pytest.fixture
def folders(store: Store) -> Folders:
    return made(store)


def made(store: MediaStore) -> Folders:
    folders = Folders(lambda: store)
    folders.create()
    folders.create_account_inbox("acme")
    return folders


@pytest.fixture
def two_disks(tmp_path: Path) -> Iterator[Folders]:
    """Folders whose inbox lies on another disk than all others."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has one disk only")
    other = Path(tempfile.mkdtemp(dir=memory))
    (tmp_path / "inbox").symlink_to(other)
    yield made(LocalStore(tmp_path))
    shutil.rmtree(other)


def put(folders: Folders, *names: str, data: bytes = b"data") -> str:
    return write(folders, key_of("inbox", "acme", *names), data)


def write(folders: Folders, key: str, data: bytes) -> str:
    folders.store.put(key, data, size_bytes=len(data))
    return key


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def only_file(folders: Folders) -> InboxFile:
    (found,) = folders.read_inbox().quiet_files("acme", tomorrow())
    return found


def taking(file: InboxFile, target: str = "media/1.mp4") -> Taking:
    return Taking(file.inbox_path, target, file.identity)


def taking_alone(folders: Folders) -> Taking:
    """Take what was listed without a sidecar."""
    file = only_file(folders)
    return replace(taking(file), may_have_sidecar=file.sidecar_identity is not None)


def contents(folders: Folders, folder: str = "") -> dict[str, bytes]:
    found = {}
    for info in folders.store.list(folder):
        if not info.is_plain:  # the link to the other disk
            continue
        with folders.open(info.key) as source:
            found[info.key] = source.read_at(0, source.size_bytes)
    return found


def identity(folders: Folders, key: str) -> str:
    info = folders.store.stat(key)
    assert info is not None
    return info.identity


# What is taken


def test_a_file_and_its_sidecar_are_taken_once_and_again_is_fine(folders: Folders) -> None:
    put(folders, "a.mp4", data=b"video")
    put(folders, "a.mp4.json", data=b"{}")
    file = taking(only_file(folders))
    for _ in range(2):
        taken = folders.take(file)
        assert taken == identity(folders, "media/1.mp4")
        assert contents(folders) == {"media/1.mp4": b"video", "media/1.mp4.json": b"{}"}
    with folders.open("media/1.mp4", identity=taken) as source:
        assert source.read_at(0, 5) == b"video"


def test_a_crash_before_the_sidecar_moved_is_finished(folders: Folders) -> None:
    key = put(folders, "a.mp4")
    put(folders, "a.mp4.json")
    file = taking(only_file(folders))
    folders.store.move(key, "media/1.mp4")
    assert folders.take(file) is not None
    assert sorted(contents(folders)) == ["media/1.mp4", "media/1.mp4.json"]


def test_a_sidecar_that_came_once_a_file_was_seen_without_one_stays(folders: Folders) -> None:
    """It was read by nobody: beside the taken file its wishes would be lost without a word."""
    put(folders, "a.mp4", data=b"video")
    file = taking_alone(folders)
    sidecar = put(folders, "a.mp4.json", data=b"{}")
    for _ in range(2):
        assert folders.take(file) == identity(folders, "media/1.mp4")
        assert contents(folders) == {"media/1.mp4": b"video", sidecar: b"{}"}
    assert folders.read_inbox().lonely_sidecars("acme", tomorrow()) == ["a.mp4.json"]


def test_a_file_without_a_sidecar_is_taken_out_of_a_bucket_by_a_copy_and_a_delete(
    s3_store: S3Store, s3_server: S3Server
) -> None:
    folders = made(s3_store)
    put(folders, "a.mp4")
    file = taking_alone(folders)
    s3_server.reset()
    assert folders.take(file) is not None
    assert [call["method"] for call in s3_server.calls()] == ["PUT", "DELETE"]


def test_a_sidecar_that_is_replaced_while_it_is_taken_stays(
    s3_store: S3Store, s3_server: S3Server
) -> None:
    folders = made(s3_store)
    put(folders, "a.mp4")
    sidecar = put(folders, "a.mp4.json", data=b"{}")
    file = taking(only_file(folders))
    s3_server.fault("PUT", "media/1.mp4.json", kind="overtaken", key=f"a/{sidecar}")
    assert folders.take(file) == identity(folders, "media/1.mp4")
    assert contents(folders, "inbox") == {sidecar: b"of somebody else"}


def test_a_new_file_of_the_same_name_keeps_itself_and_its_sidecar(folders: Folders) -> None:
    key = put(folders, "a.mp4", data=b"old")
    file = taking(only_file(folders))
    folders.store.move(key, "media/1.mp4")
    put(folders, "a.mp4", data=b"newer")
    put(folders, "a.mp4.json", data=b"{}")
    assert folders.take(file) == identity(folders, "media/1.mp4")
    assert contents(folders, "media") == {"media/1.mp4": b"old"}
    assert contents(folders, "inbox") == {key: b"newer", f"{key}.json": b"{}"}


def test_a_file_that_vanished_or_was_replaced_is_not_taken(folders: Folders) -> None:
    key, sidecar = put(folders, "a.mp4"), put(folders, "a.mp4.json", data=b"{}")
    file = taking(only_file(folders))
    put(folders, "a.mp4", data=b"data and more")
    assert folders.take(file) is None
    assert contents(folders) == {key: b"data and more", sidecar: b"{}"}
    folders.store.delete(key)
    assert folders.take(file) is None
    assert contents(folders) == {sidecar: b"{}"}


def test_processes_that_take_at_once_all_find_it_taken(folders: Folders) -> None:
    for number in range(5):
        put(folders, "a.mp4", data=b"%d" % number)
        put(folders, "a.mp4.json")
        file = taking(only_file(folders), f"media/{number}.mp4")
        with ThreadPoolExecutor(4) as pool:
            taken = list(pool.map(folders.take, [file] * 4))
        assert None not in taken
        assert contents(folders, "inbox") == {}
        assert contents(folders, f"media/{number}.mp4") == {}
        with folders.open(file.target) as source:
            assert source.read_at(0, 9) == b"%d" % number


@pytest.mark.parametrize("path", ["acme/../x", "acme/%2e%2e/x", "acme/a%2fb", "acme//x", "..", ""])
def test_a_tampered_path_is_never_followed(folders: Folders, path: str) -> None:
    with pytest.raises(InvalidObjectKeyError):
        folders.take(Taking(path, "media/1.mp4", "1"))


def test_deleting_a_source_takes_its_sidecar_along_and_again_is_fine(folders: Folders) -> None:
    write(folders, "media/1.mp4", b"video")
    write(folders, "media/1.mp4.json", b"{}")
    for _ in range(2):
        folders.delete_source("media/1.mp4")
        assert contents(folders) == {}


def test_a_copy_is_kept_and_the_same_again_stays_the_same(folders: Folders) -> None:
    first = folders.put_prepared("1", b"copy")
    assert first == Kept("prepared/1.jpg", identity(folders, "prepared/1.jpg"))
    assert folders.put_prepared("1", b"copy") == first
    assert contents(folders) == {"prepared/1.jpg": b"copy"}


@pytest.mark.parametrize("left", [b"", b"cop", b"othr", b"copy and more"])
def test_a_copy_replaces_what_a_crash_left_in_its_place(folders: Folders, left: bytes) -> None:
    write(folders, "prepared/1.jpg", left)
    kept = folders.put_prepared("1", b"copy")
    assert kept == Kept("prepared/1.jpg", identity(folders, "prepared/1.jpg"))
    assert contents(folders) == {"prepared/1.jpg": b"copy"}


def test_processes_that_make_a_copy_at_once_agree_which_it_is(folders: Folders) -> None:
    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(lambda _: folders.put_prepared("1", b"copy"), range(8)))
    assert set(kept) == {Kept("prepared/1.jpg", identity(folders, "prepared/1.jpg"))}


def test_a_link_in_the_place_of_a_copy_is_replaced_and_not_followed(tmp_path: Path) -> None:
    folders = made(LocalStore(tmp_path))
    outside = tmp_path / "outside"
    outside.write_bytes(b"copy")
    (tmp_path / "prepared" / "1.jpg").symlink_to(outside)
    folders.put_prepared("1", b"copy")
    assert not (tmp_path / "prepared" / "1.jpg").is_symlink()


def test_a_copy_that_goes_while_it_is_looked_at_is_made_again(
    s3_store: S3Store, s3_server: S3Server
) -> None:
    folders = made(s3_store)
    s3_server.fault("PUT", "prepared/1.jpg", status=412, code="PreconditionFailed")
    assert folders.put_prepared("1", b"copy").identity == identity(folders, "prepared/1.jpg")
    assert contents(folders) == {"prepared/1.jpg": b"copy"}


def test_a_copy_is_deleted_and_again_is_fine(folders: Folders) -> None:
    folders.put_prepared("1", b"copy")
    for _ in range(2):
        folders.delete_prepared("1")
        assert contents(folders) == {}


def test_a_thumbnail_replaces_the_one_before(folders: Folders) -> None:
    for picture in (b"first", b"second"):
        assert folders.put_thumbnail("1", picture) == "thumbnails/1.jpg"
    assert contents(folders) == {"thumbnails/1.jpg": b"second"}


def test_pictures_to_choose_a_cover_from_lie_beside_the_cover_and_go_alone(
    folders: Folders,
) -> None:
    folders.put_thumbnail("1", b"cover")
    keys = [folders.put_candidate("1", number, b"%d" % number) for number in (1, 2)]
    assert contents(folders) == {
        "thumbnails/1.jpg": b"cover",
        "thumbnails/1-1.jpg": b"1",
        "thumbnails/1-2.jpg": b"2",
    }
    for _ in range(2):  # gone already is fine
        folders.delete_candidates(keys)
        assert contents(folders) == {"thumbnails/1.jpg": b"cover"}


# Photo folders


def photo_folder(folders: Folders, *names: str, sidecar: bool = True) -> list[Taking]:
    """Put a folder into the inbox; its images go to media/1.jpg and so on."""
    for name in names:
        put(folders, "trip", name, data=name.encode())
    if sidecar:
        put(folders, "trip.json", data=b"{}")
    later = datetime.now(UTC) + timedelta(hours=1)
    (found,) = folders.read_inbox().quiet_folders("acme", later)
    return [taking(file, f"media/{number}.jpg") for number, file in enumerate(found.files, 1)]


TAKEN = {"media/1.jpg": b"a.jpg", "media/1.jpg.json": b"{}", "media/2.jpg": b"b.jpg"}
TRIP = "inbox/acme/trip"


def is_there(folders: Folders, folder: str) -> bool:
    entries = folders.store.look_into(folder.rpartition("/")[0], depth=1)
    return folder in [entry.key for entry in entries]


def test_images_and_their_sidecar_are_taken_and_their_folder_goes(folders: Folders) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg")
    put(folders, "trip", ".DS_Store")
    for _ in range(2):
        taken = folders.take_photos(images)
        assert taken == [identity(folders, image.target) for image in images]
        assert contents(folders) == TAKEN
        assert not is_there(folders, TRIP)


@pytest.mark.parametrize("taken", [["a.jpg"], ["b.jpg"], ["a.jpg", "b.jpg"]])
def test_a_crash_between_two_images_is_finished(folders: Folders, taken: list[str]) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg")
    for name, target in (("a.jpg", "1.jpg"), ("b.jpg", "2.jpg")):
        if name in taken:
            folders.store.move(f"{TRIP}/{name}", f"media/{target}")
    assert None not in folders.take_photos(images)
    assert contents(folders) == TAKEN
    assert not is_there(folders, TRIP)


@pytest.mark.parametrize("now", [{}, {f"{TRIP}/b.jpg": b"another image"}], ids=["gone", "another"])
def test_no_image_is_taken_when_one_is_gone_or_another(
    folders: Folders, now: dict[str, bytes]
) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg")
    folders.store.delete(f"{TRIP}/b.jpg")
    for key, data in now.items():
        write(folders, key, data)
    assert folders.take_photos(images) == [None, None]
    assert contents(folders) == {f"{TRIP}/a.jpg": b"a.jpg", f"{TRIP}.json": b"{}", **now}


def test_half_taken_images_are_followed_by_the_rest_so_that_it_becomes_no_other_post(
    folders: Folders,
) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg", "c.jpg")
    folders.store.move(f"{TRIP}/a.jpg", "media/1.jpg")
    folders.store.delete(f"{TRIP}/b.jpg")
    one, two, three = folders.take_photos(images)
    assert (one is None, two, three is None) == (False, None, False)
    assert contents(folders) == {
        "media/1.jpg": b"a.jpg",
        "media/1.jpg.json": b"{}",
        "media/3.jpg": b"c.jpg",
    }


def test_an_image_that_came_meanwhile_keeps_folder_and_sidecar(folders: Folders) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg")
    put(folders, "trip", "late.jpg", data=b"late")
    assert None not in folders.take_photos(images)
    assert contents(folders, "inbox") == {f"{TRIP}/late.jpg": b"late", f"{TRIP}.json": b"{}"}


def test_a_file_named_as_the_sidecar_of_an_image_is_a_file_of_its_own(folders: Folders) -> None:
    images = photo_folder(folders, "a.jpg", "a.jpg.json", sidecar=False)
    assert None not in folders.take_photos(images)
    assert contents(folders) == {"media/1.jpg": b"a.jpg", "media/2.jpg": b"a.jpg.json"}


# The quarantine


def test_a_rejected_file_lies_beside_its_reason_and_comes_back(folders: Folders) -> None:
    write(folders, "media/1.mp4", b"video")
    write(folders, "media/1.mp4.json", b"{}")
    source = Kept("media/1.mp4", identity(folders, "media/1.mp4"))
    reason: dict[str, object] = {"file": "caf\udce9.mp4", "why": "zu kurz \N{CLAPPER BOARD}"}
    for _ in range(2):
        aside = folders.set_aside(source, account="acme", post_id=7, reason=reason)
        assert aside == Kept("quarantine/acme/7.mp4", identity(folders, "quarantine/acme/7.mp4"))
    found = contents(folders)
    written = found.pop("quarantine/acme/7.reason.json")
    assert found == {"quarantine/acme/7.mp4": b"video", "quarantine/acme/7.mp4.json": b"{}"}
    assert json.loads(written) == reason
    assert "\N{CLAPPER BOARD}".encode() in written
    for _ in range(2):
        back = folders.bring_back(aside, "media/1.mp4")
        assert back == Kept("media/1.mp4", identity(folders, "media/1.mp4"))
        assert contents(folders) == {"media/1.mp4": b"video", "media/1.mp4.json": b"{}"}


def test_a_file_that_was_deleted_is_not_said_to_lie_in_the_quarantine(folders: Folders) -> None:
    gone = Kept("media/1.mp4", "1-2-3")
    assert folders.set_aside(gone, account="acme", post_id=7, reason={}) == gone


def test_a_file_that_came_in_parts_is_known_where_it_is_set_aside(folders: Folders) -> None:
    write(folders, "media/1.mp4", bytes(9 * MIB))
    source = Kept("media/1.mp4", identity(folders, "media/1.mp4"))
    aside = folders.set_aside(source, account="acme", post_id=7, reason={})
    assert aside.identity == identity(folders, aside.key)


def test_a_file_that_was_replaced_in_the_quarantine_is_still_known_to_be_another(
    folders: Folders,
) -> None:
    write(folders, "media/1.mp4", b"video")
    source = Kept("media/1.mp4", identity(folders, "media/1.mp4"))
    aside = folders.set_aside(source, account="acme", post_id=7, reason={})
    write(folders, aside.key, b"something else")
    back = folders.bring_back(aside, "media/1.mp4")
    with pytest.raises(SourceChangedError), folders.open(back.key, identity=back.identity):
        pass


def test_a_sidecar_never_takes_the_place_of_the_reason(folders: Folders) -> None:
    write(folders, "media/1.reason", b"video")
    write(folders, "media/1.reason.json", b"{}")
    source = Kept("media/1.reason", identity(folders, "media/1.reason"))
    folders.set_aside(source, account="acme", post_id=7, reason={"why": "x"})
    assert contents(folders) == {
        "quarantine/acme/7": b"video",
        "quarantine/acme/7.json": b"{}",
        "quarantine/acme/7.reason.json": b'{\n  "why": "x"\n}\n',
    }


def test_rejected_photos_lie_in_a_folder_of_their_own_and_come_back(folders: Folders) -> None:
    for key, data in TAKEN.items():
        write(folders, key, data)
    keys = ["media/1.jpg", "media/2.jpg"]
    sources = [Kept(key, identity(folders, key)) for key in keys]
    for _ in range(2):
        aside = folders.set_photos_aside(sources, account="acme", post_id=7, reason={"why": "x"})
        targets = [kept.key for kept in aside]
        assert targets == ["quarantine/acme/7/001.jpg", "quarantine/acme/7/002.jpg"]
    assert contents(folders) == {
        "quarantine/acme/7.json": b"{}",
        "quarantine/acme/7.reason.json": b'{\n  "why": "x"\n}\n',
        "quarantine/acme/7/001.jpg": b"a.jpg",
        "quarantine/acme/7/002.jpg": b"b.jpg",
    }
    for _ in range(2):
        back = folders.bring_photos_back(aside, keys)
        assert back == [Kept(key, identity(folders, key)) for key in keys]
        assert contents(folders) == TAKEN
        assert not is_there(folders, "quarantine/acme/7")


def test_a_text_names_keys_in_place_of_where_they_lie(folders: Folders) -> None:
    place = folders.store.shown("media/1.mp4")
    assert folders.without_places(f"it is gone from {place}: send it again") == (
        "it is gone from media/1.mp4: send it again"
    )
    assert folders.without_places("and/or") == "and/or"


def test_deleting_a_rejected_file_takes_its_reason_along(folders: Folders) -> None:
    write(folders, "media/1.mp4", b"video")
    write(folders, "media/1.mp4.json", b"{}")
    source = Kept("media/1.mp4", identity(folders, "media/1.mp4"))
    aside = folders.set_aside(source, account="acme", post_id=7, reason={"why": "x"})
    write(folders, "quarantine/acme/17.reason.json", b"another's")
    for _ in range(2):
        folders.delete_source(aside.key)
        assert contents(folders) == {"quarantine/acme/17.reason.json": b"another's"}


def test_the_reason_of_rejected_photos_goes_with_the_last_of_them(folders: Folders) -> None:
    for key, data in TAKEN.items():
        write(folders, key, data)
    sources = [Kept(key, identity(folders, key)) for key in ("media/1.jpg", "media/2.jpg")]
    aside = folders.set_photos_aside(sources, account="acme", post_id=7, reason={"why": "x"})
    folders.delete_source(aside[0].key)
    kept = {"quarantine/acme/7.json", "quarantine/acme/7.reason.json", aside[1].key}
    assert set(contents(folders)) == kept
    for _ in range(2):
        folders.delete_source(aside[1].key)
        assert contents(folders) == {}
        assert not is_there(folders, "quarantine/acme/7")


# What dead processes left


@pytest.mark.parametrize("theirs", ["inbox/acme/theirs.mp4", "warehouse/backup.tar", "media.tar"])
def test_old_writes_are_found_and_dropped_but_not_those_of_others(
    folders: Folders, theirs: str
) -> None:
    ours, _ = (
        folders.store.begin(key, size_bytes=6 * MIB, part_size_bytes=5 * MIB)
        for key in ("media/1.mp4", theirs)
    )
    (begun,) = (found for found in folders.store.begun() if found.upload_id == ours.upload_id)
    assert list(folders.old_uploads(before=begun.begun_at)) == []
    later = datetime.now(UTC) + timedelta(hours=1)
    assert list(folders.old_uploads(before=later)) == [begun]
    folders.drop_upload(begun)
    assert list(folders.old_uploads(before=later)) == []
    assert len(list(folders.store.begun())) == 1


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (media_key("a1", ""), "media/a1"),
        (dashboard_key("anna", "v1", ".mp4"), "dashboard-uploads/anna/v1.mp4"),
        (dashboard_key("Ünal X@y", "v1", ".mp4"), "dashboard-uploads/%C3%9Cnal%20X%40y/v1.mp4"),
        (presigned_key("anna", "j1", ".mov"), "direct-uploads/anna/j1.mov"),
    ],
)
def test_what_users_upload_lies_in_folders_of_ours(key: str, expected: str) -> None:
    assert key == expected


@pytest.mark.parametrize("user_id", ["..", ".", "", "a/b", "a\0b"])
def test_no_user_s_name_leads_out_of_its_folder(user_id: str) -> None:
    with pytest.raises(InvalidObjectKeyError):
        dashboard_key(user_id, "v1", ".mp4")


def test_a_write_of_which_only_its_bytes_are_left_is_ours(tmp_path: Path) -> None:
    folders = made(LocalStore(tmp_path))
    half = tmp_path / ".uploads" / f"{'0' * 32}.data"
    half.parent.mkdir()
    half.write_bytes(b"half")
    (begun,) = folders.old_uploads(before=datetime.now(UTC) + timedelta(hours=1))
    folders.drop_upload(begun)
    assert not half.exists()


def test_a_store_that_can_be_used_passes_the_check(folders: Folders) -> None:
    folders.check()


# What only a folder on a disk has


def test_only_the_owner_may_look_into_the_folders(tmp_path: Path) -> None:
    folders = Folders(lambda: open_data_folder(tmp_path / "home"))
    folders.create()
    folders.create()
    write(folders, "media/1.mp4", b"video")
    for name in ("", *FOLDERS, ".uploads"):
        assert stat.S_IMODE((tmp_path / "home" / name).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "home" / "media" / "1.mp4").stat().st_mode) == 0o600


def test_others_may_put_files_into_an_accounts_inbox_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        made(LocalStore(tmp_path))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "inbox" / "acme").stat().st_mode) == 0o775


def test_a_data_folder_that_cannot_be_made_says_which_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="point REELFLOW_HOME at a folder"):
        open_data_folder(tmp_path / "file")


def test_folders_that_cannot_be_made_say_why(tmp_path: Path) -> None:
    folders = Folders(lambda: LocalStore(tmp_path / "gone"))
    with pytest.raises(ConfigurationError, match=r"the data folder cannot be used: .* make it"):
        folders.create()


def test_a_folder_that_is_gone_does_not_pass_the_check(tmp_path: Path) -> None:
    folders = made(LocalStore(tmp_path))
    (tmp_path / "media").rmdir()
    with pytest.raises(StorageAccessError, match="media cannot be written to"):
        folders.check()


@pytest.mark.parametrize("name", [b"caf\xe9\xff %2f\n.mp4", b"a" * 255, b"a" * 251 + b".mp4"])
def test_any_name_a_disk_can_hold_is_taken(tmp_path: Path, name: bytes) -> None:
    folders = made(LocalStore(tmp_path))
    (tmp_path / "inbox" / "acme" / os.fsdecode(name)).write_bytes(b"video")
    assert folders.take(taking(only_file(folders))) is not None
    assert contents(folders) == {"media/1.mp4": b"video"}


@pytest.mark.parametrize("disks", ["one", "two"])
def test_a_link_is_moved_and_never_followed(
    disks: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folders = made(LocalStore(tmp_path)) if disks == "one" else request.getfixturevalue("two_disks")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / "inbox" / "acme" / "a.mp4").symlink_to(secret)
    assert folders.take(taking(only_file(folders))) is not None
    assert (tmp_path / "media" / "1.mp4").readlink() == secret
    assert not (tmp_path / "inbox" / "acme" / "a.mp4").is_symlink()
    folders.delete_source("media/1.mp4")
    assert secret.read_text() == "secret"


def test_a_file_moves_between_disks_whole(two_disks: Folders) -> None:
    put_on_the_other(two_disks, b"video")
    file = taking(only_file(two_disks))
    for _ in range(2):
        assert two_disks.take(file) == identity(two_disks, "media/1.mp4")
        assert contents(two_disks) == {"media/1.mp4": b"video"}


def test_images_move_between_disks_and_their_folder_goes(
    two_disks: Folders, tmp_path: Path
) -> None:
    trip = tmp_path / "inbox" / "acme" / "trip"
    trip.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (trip / name).write_bytes(name.encode())
    trip.with_name("trip.json").write_bytes(b"{}")
    images = photo_folder(two_disks, sidecar=False)
    for _ in range(2):
        assert None not in two_disks.take_photos(images)
        assert contents(two_disks) == TAKEN
        assert not trip.exists()


def test_a_copy_that_died_before_it_deleted_is_finished(two_disks: Folders, tmp_path: Path) -> None:
    path = put_on_the_other(two_disks, b"video")
    file = taking(only_file(two_disks))
    shutil.copy2(path, tmp_path / "media" / "1.mp4")
    assert two_disks.take(file) == identity(two_disks, "media/1.mp4")
    assert contents(two_disks) == {"media/1.mp4": b"video"}


def test_processes_that_copy_at_once_leave_one_whole_file(two_disks: Folders) -> None:
    data = os.urandom(3_000_000)
    put_on_the_other(two_disks, data)
    file = taking(only_file(two_disks))
    with ThreadPoolExecutor(4) as pool:
        assert None not in list(pool.map(two_disks.take, [file] * 4))
    assert contents(two_disks) == {"media/1.mp4": data}


def test_a_full_disk_keeps_the_source_and_leaves_no_half(
    two_disks: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    put_on_the_other(two_disks, b"video")
    file = taking(only_file(two_disks))
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)  # where a full disk may show last
        with pytest.raises(StorageFullError, match=r"no room to write .*: make room"):
            two_disks.take(file)
    assert contents(two_disks, "media") == {}
    assert two_disks.take(file) is not None
    assert contents(two_disks) == {"media/1.mp4": b"video"}


def put_on_the_other(folders: Folders, data: bytes) -> Path:
    """Put a file into the inbox as others do, who write where no store can."""
    assert isinstance(folders.store, LocalStore)
    path = folders.store.root / "inbox" / "acme" / "a.mp4"
    path.write_bytes(data)
    return path
