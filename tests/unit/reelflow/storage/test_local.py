"""The data folder: what is quiet, what is taken, what is set aside; also between two disks."""

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.exceptions import ConfigurationError, MediaUnreadableError, StorageFullError
from reelflow.storage.local import InboxFile, LocalFolders, Taking

LATER_S = 10.0**11  # a time at which everything was left alone for long


@pytest.fixture
def folders(tmp_path: Path) -> LocalFolders:
    folders = LocalFolders(tmp_path)
    folders.create()
    folders.create_account_inbox("acme")
    return folders


@pytest.fixture
def two_disks(tmp_path: Path) -> Iterator[LocalFolders]:
    """Folders whose inbox lies on another disk than all others."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has one disk only")
    folders = LocalFolders(tmp_path)
    folders.create()
    other = Path(tempfile.mkdtemp(dir=memory))
    folders.inbox.rmdir()
    folders.inbox.symlink_to(other)
    folders.create_account_inbox("acme")
    yield folders
    shutil.rmtree(other)


def put(folders: LocalFolders, name: str, data: bytes = b"data", *, sidecar: bool = False) -> Path:
    path = folders.inbox / "acme" / name
    path.write_bytes(data)
    if sidecar:
        path.with_name(f"{name}.json").write_text("{}")
    return path


def quiet(folders: LocalFolders, **window: float) -> list[InboxFile]:
    return folders.quiet_files(["acme"], **{"now_s": LATER_S, "quiet_s": 10, **window})


def take(folders: LocalFolders, file: InboxFile, target: str = "media/1.mp4") -> bool:
    return folders.take(
        file.inbox_path,
        target,
        inode=file.inode,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_only_the_owner_may_look_into_the_folders(tmp_path: Path) -> None:
    folders = LocalFolders(tmp_path / "home")
    folders.create()
    folders.create()
    for folder in (folders.inbox, folders.media, folders.quarantine, folders.work):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_data_folder_that_cannot_be_made_says_which_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="point REELFLOW_HOME at a folder"):
        LocalFolders(tmp_path / "file").create()


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "media/../../x", "media/.."])
def test_no_path_of_the_ledger_leaves_the_data_folder(folders: LocalFolders, path: str) -> None:
    with pytest.raises(MediaUnreadableError, match="the ledger was tampered with"):
        folders.path(path)


# What is quiet


def test_a_file_is_quiet_when_it_was_left_alone_long_enough(folders: LocalFolders) -> None:
    path = put(folders, "a.mp4")
    changed_s = path.stat().st_ctime
    assert quiet(folders, now_s=changed_s + 9.99) == []
    (found,) = quiet(folders, now_s=changed_s + 10)
    status = path.stat()
    assert found == InboxFile("acme", path, None, status.st_ino, status.st_size, status.st_mtime_ns)
    assert found.inbox_path == "acme/a.mp4"


def test_a_copy_that_keeps_an_old_modification_time_is_not_quiet_while_it_grows(
    folders: LocalFolders,
) -> None:
    path = put(folders, "a.mp4")
    os.utime(path, (0, 0))
    assert quiet(folders, now_s=path.stat().st_ctime + 5) == []


def test_a_file_waits_for_its_sidecar_to_be_quiet_too(folders: LocalFolders) -> None:
    path = put(folders, "a.mp4")
    sidecar = path.with_name("a.mp4.json")
    while sidecar.write_text("{}") and sidecar.stat().st_ctime <= path.stat().st_ctime:
        pass
    assert quiet(folders, now_s=path.stat().st_ctime + 10) == []
    (found,) = quiet(folders, now_s=sidecar.stat().st_ctime + 10)
    assert found.sidecar == sidecar


def test_hidden_files_folders_and_lonely_sidecars_are_left_alone(folders: LocalFolders) -> None:
    put(folders, ".a.mp4")
    put(folders, "a.mp4.json")
    (folders.inbox / "acme" / "folder.mp4").mkdir()
    assert quiet(folders) == []


def test_quiet_sidecars_without_their_file_or_folder_are_named(folders: LocalFolders) -> None:
    put(folders, "a.mp4", sidecar=True)
    for name in ("b.mp4.json", "c.mp4.json", ".d.mp4.json"):
        put(folders, name)
    (folders.inbox / "acme" / "b.mp4").mkdir()
    (folders.inbox / "acme" / "e.mp4.json").mkdir()
    lonely = folders.lonely_sidecars("acme", now_s=LATER_S, quiet_s=10)
    assert lonely == ["c.mp4.json"]
    assert folders.lonely_sidecars("acme", now_s=0, quiet_s=10) == []


@pytest.mark.parametrize("change", ["appears", "changes", "goes"])
def test_a_file_whose_sidecar_is_another_by_now_is_not_held(
    folders: LocalFolders, change: str
) -> None:
    path = put(folders, "a.mp4", sidecar=change != "appears")
    (found,) = quiet(folders)
    assert folders.holds(found)
    sidecar = path.with_name("a.mp4.json")
    if change == "goes":
        sidecar.unlink()
    else:
        sidecar.write_text('{"caption": "new"}')
    assert not folders.holds(found)
    (again,) = quiet(folders)
    assert folders.holds(again)


def test_a_folder_is_no_sidecar(folders: LocalFolders) -> None:
    put(folders, "a.mp4")
    (folders.inbox / "acme" / "a.mp4.json").mkdir()
    (found,) = quiet(folders)
    assert found.sidecar is None
    assert take(folders, found)
    assert (folders.inbox / "acme" / "a.mp4.json").is_dir()


def test_folders_that_are_not_there_or_no_folders_hold_nothing(folders: LocalFolders) -> None:
    (folders.inbox / "file").touch()
    assert folders.quiet_files(["nobody", "file"], now_s=LATER_S, quiet_s=0) == []
    assert folders.account_folders() == ["acme"]


# What is taken


def test_a_file_and_its_sidecar_are_taken_once_and_again_is_fine(folders: LocalFolders) -> None:
    put(folders, "a.mp4", b"video", sidecar=True)
    (found,) = quiet(folders)
    assert take(folders, found)
    assert take(folders, found)
    assert contents(folders.inbox) == {}
    assert contents(folders.media) == {"1.mp4": b"video", "1.mp4.json": b"{}"}


def test_a_crash_before_the_sidecar_moved_is_finished(folders: LocalFolders) -> None:
    path = put(folders, "a.mp4", sidecar=True)
    (found,) = quiet(folders)
    path.rename(folders.media / "1.mp4")
    assert take(folders, found)
    assert sorted(contents(folders.media)) == ["1.mp4", "1.mp4.json"]


def test_a_new_file_of_the_same_name_keeps_itself_and_its_sidecar(folders: LocalFolders) -> None:
    path = put(folders, "a.mp4", b"old")
    (found,) = quiet(folders)
    path.rename(folders.media / "1.mp4")
    put(folders, "a.mp4", b"new", sidecar=True)
    assert take(folders, found)
    assert contents(folders.media) == {"1.mp4": b"old"}
    assert contents(folders.inbox) == {"acme/a.mp4": b"new", "acme/a.mp4.json": b"{}"}


def test_a_file_that_vanished_or_was_replaced_or_grew_is_not_taken(folders: LocalFolders) -> None:
    path = put(folders, "a.mp4")
    (found,) = quiet(folders)
    with path.open("ab") as stream:
        stream.write(b"more")
    assert not folders.holds(found)
    assert not take(folders, found)
    path.unlink()
    assert not folders.holds(found)
    assert not take(folders, found)
    put(folders, "a.mp4")  # often under the inode of the one just deleted
    os.utime(path, ns=(0, found.mtime_ns + 1))
    assert not folders.holds(found)
    assert not take(folders, found)
    assert contents(folders.media) == {}


def test_processes_that_take_at_once_all_find_it_taken(folders: LocalFolders) -> None:
    for number in range(30):
        put(folders, "a.mp4", sidecar=True)
        (found,) = quiet(folders)
        with ThreadPoolExecutor(4) as pool:
            taken = pool.map(lambda _: take(folders, found, f"media/{number}.mp4"), range(4))  # noqa: B023
        assert list(taken) == [True] * 4


NAMES = [
    b"-x.mp4",
    b"%d.mp4",
    b"%2e%2e%2fa.mp4",
    b"a b\n\t\x1b[31m.mp4",
    b"caf\xc3\xa9 \xf0\x9f\x8e\xac.mp4",
    b"caf\xe9\xff.mp4",
    b"a" * 255,
    b"a" * 251 + b".mp4",
    b"$(touch x);`id`'\".mp4",
    b"~",
    b"a.mp4.",
]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_listed_and_taken_like_any_other(folders: LocalFolders, name: bytes) -> None:
    path = put(folders, os.fsdecode(name), b"video")
    (found,) = quiet(folders)
    assert found.path == path
    assert found.inbox_path.isascii()
    assert found.inbox_path.isprintable()
    assert take(folders, found)
    assert contents(folders.media) == {"1.mp4": b"video"}


@given(
    name=st.binary(min_size=1, max_size=60).filter(
        lambda n: not set(n) & set(b"\0/") and n[:1] != b"." and not n.endswith(b".json")
    )
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
def test_any_name_a_disk_can_hold_is_taken(folders: LocalFolders, name: bytes) -> None:
    put(folders, os.fsdecode(name))
    (found,) = quiet(folders)
    assert take(folders, found)
    folders.delete_source("media/1.mp4")


def test_a_link_is_moved_and_never_followed(folders: LocalFolders, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folders.inbox / "acme" / "a.mp4").symlink_to(secret)
    (found,) = quiet(folders)
    assert take(folders, found)
    assert (folders.media / "1.mp4").is_symlink()
    folders.delete_source("media/1.mp4")
    assert secret.read_text() == "secret"


# Between two disks


def test_a_file_moves_between_disks_whole_and_keeps_its_time(two_disks: LocalFolders) -> None:
    put(two_disks, "a.mp4", b"video", sidecar=True)
    (found,) = quiet(two_disks)
    assert take(two_disks, found)
    assert take(two_disks, found)
    assert contents(two_disks.inbox.resolve()) == {}
    assert contents(two_disks.media) == {"1.mp4": b"video", "1.mp4.json": b"{}"}
    assert (two_disks.media / "1.mp4").stat().st_mtime_ns == found.mtime_ns


def test_a_copy_that_died_before_it_deleted_is_finished(two_disks: LocalFolders) -> None:
    path = put(two_disks, "a.mp4", b"video")
    (found,) = quiet(two_disks)
    shutil.copy2(path, two_disks.media / "1.mp4")
    assert take(two_disks, found)
    assert contents(two_disks.inbox.resolve()) == {}
    assert contents(two_disks.media) == {"1.mp4": b"video"}


def test_processes_that_copy_at_once_leave_one_whole_file(two_disks: LocalFolders) -> None:
    data = os.urandom(3_000_000)
    put(two_disks, "a.mp4", data)
    (found,) = quiet(two_disks)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: take(two_disks, found), range(4))) == [True] * 4
    assert contents(two_disks.media) == {"1.mp4": data}
    assert contents(two_disks.inbox.resolve()) == {}


def test_a_link_on_another_disk_is_moved_as_a_link(two_disks: LocalFolders) -> None:
    (two_disks.inbox / "acme" / "a.mp4").symlink_to("/etc/passwd")
    (found,) = quiet(two_disks)
    assert take(two_disks, found)
    assert (two_disks.media / "1.mp4").is_symlink()


def test_a_full_disk_keeps_the_source_and_leaves_no_half(
    two_disks: LocalFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    put(two_disks, "a.mp4", b"video")
    (found,) = quiet(two_disks)
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)  # where a full disk may show last
        with pytest.raises(StorageFullError, match=r"no room to write .*: make room on its disk"):
            take(two_disks, found)
    assert contents(two_disks.media) == {}
    assert take(two_disks, found)
    assert contents(two_disks.media) == {"1.mp4": b"video"}


# The quarantine


def test_a_rejected_file_lies_beside_its_reason_and_comes_back(folders: LocalFolders) -> None:
    (folders.media / "1.mp4").write_bytes(b"video")
    (folders.media / "1.mp4.json").write_text("{}")
    reason = {"file": "caf\udce9.mp4", "why": "zu kurz \N{CLAPPER BOARD}"}
    for _ in range(2):
        target = folders.set_aside("media/1.mp4", account="acme", post_id=7, reason=dict(reason))
        assert target == "quarantine/acme/7.mp4"
    assert sorted(contents(folders.quarantine)) == [
        "acme/7.mp4",
        "acme/7.mp4.json",
        "acme/7.reason.json",
    ]
    assert contents(folders.media) == {}
    written = (folders.quarantine / "acme" / "7.reason.json").read_text()
    assert json.loads(written) == reason
    assert "\N{CLAPPER BOARD}" in written
    assert folders.bring_back(target, "media/1.mp4")
    assert contents(folders.quarantine) == {}
    both = {"1.mp4": b"video", "1.mp4.json": b"{}"}
    assert contents(folders.media) == both
    assert not folders.bring_back(target, "media/1.mp4")
    assert contents(folders.media) == both


def test_a_sidecar_never_takes_the_place_of_the_reason(folders: LocalFolders) -> None:
    (folders.media / "1.reason").write_bytes(b"video")
    (folders.media / "1.reason.json").write_text("{}")
    folders.set_aside("media/1.reason", account="acme", post_id=7, reason={"why": "x"})
    assert contents(folders.quarantine) == {
        "acme/7": b"video",
        "acme/7.json": b"{}",
        "acme/7.reason.json": b'{\n  "why": "x"\n}\n',
    }


# Scratch space


def test_old_scratch_space_is_found_and_deleted_links_without_their_targets(
    folders: LocalFolders, tmp_path: Path
) -> None:
    old, new = folders.scratch_path(), folders.scratch_path()
    old.mkdir()
    new.touch()
    (old / "frame.jpg").touch()
    target = tmp_path / "target"
    target.mkdir()
    (folders.work / "link").symlink_to(target)
    os.utime(old, (1000, 1000))
    os.utime(folders.work / "link", (1000, 1000), follow_symlinks=False)
    found = folders.old_work(before_s=1001)
    assert found == [old, folders.work / "link"]
    for path in found:
        folders.delete_work(path)
        folders.delete_work(path)
    assert list(folders.work.iterdir()) == [new]
    assert target.is_dir()


def test_deleting_a_source_takes_its_sidecar_along_and_again_is_fine(folders: LocalFolders) -> None:
    (folders.media / "1.mp4").touch()
    (folders.media / "1.mp4.json").touch()
    folders.delete_source("media/1.mp4")
    folders.delete_source("media/1.mp4")
    assert contents(folders.media) == {}


# Photo folders


def photo_folder(folders: LocalFolders, *names: str, sidecar: bool = True) -> list[Taking]:
    """Put a folder into the inbox; its images go to media/1.jpg and so on."""
    trip = folders.inbox / "acme" / "trip"
    trip.mkdir()
    for name in names:
        (trip / name).write_bytes(name.encode())
    if sidecar:
        trip.with_name("trip.json").write_text("{}")
    (found,) = folders.quiet_folders(["acme"], now_s=LATER_S, quiet_s=10)
    return [
        Taking(f.inbox_path, f"media/{number}.jpg", f.inode, f.size_bytes, f.mtime_ns)
        for number, f in enumerate(found.files, 1)
    ]


TAKEN = {"1.jpg": b"a.jpg", "1.jpg.json": b"{}", "2.jpg": b"b.jpg"}


@pytest.mark.parametrize("disks", ["folders", "two_disks"])
def test_images_and_their_sidecar_are_taken_and_their_folder_goes(
    disks: str, request: pytest.FixtureRequest
) -> None:
    folders: LocalFolders = request.getfixturevalue(disks)
    images = photo_folder(folders, "a.jpg", "b.jpg")
    (folders.inbox / "acme" / "trip" / ".DS_Store").touch()
    for _ in range(2):
        assert folders.take_photos(images)
        assert contents(folders.media) == TAKEN
        assert list((folders.inbox / "acme").iterdir()) == []


@pytest.mark.parametrize("taken", [["a.jpg"], ["b.jpg"], ["a.jpg", "b.jpg"]])
def test_a_crash_between_two_images_is_finished(folders: LocalFolders, taken: list[str]) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg")
    for name, target in (("a.jpg", "1.jpg"), ("b.jpg", "2.jpg")):
        if name in taken:
            (folders.inbox / "acme" / "trip" / name).rename(folders.media / target)
    assert folders.take_photos(images)
    assert contents(folders.media) == TAKEN
    assert list((folders.inbox / "acme").iterdir()) == []


def test_no_image_is_taken_when_one_is_gone(folders: LocalFolders) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg")
    (folders.inbox / "acme" / "trip" / "b.jpg").unlink()
    assert not folders.take_photos(images)
    assert contents(folders.inbox) == {"acme/trip/a.jpg": b"a.jpg", "acme/trip.json": b"{}"}
    assert contents(folders.media) == {}


def test_half_taken_images_are_followed_by_the_rest_so_that_it_becomes_no_other_post(
    folders: LocalFolders,
) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg", "c.jpg")
    trip = folders.inbox / "acme" / "trip"
    (trip / "a.jpg").rename(folders.media / "1.jpg")
    (trip / "b.jpg").unlink()
    assert not folders.take_photos(images)
    assert contents(folders.inbox) == {}
    assert contents(folders.media) == {"1.jpg": b"a.jpg", "1.jpg.json": b"{}", "3.jpg": b"c.jpg"}


def test_an_image_that_came_meanwhile_keeps_folder_and_sidecar(folders: LocalFolders) -> None:
    images = photo_folder(folders, "a.jpg", "b.jpg")
    (folders.inbox / "acme" / "trip" / "late.jpg").write_bytes(b"late")
    assert folders.take_photos(images)
    assert contents(folders.inbox) == {"acme/trip/late.jpg": b"late", "acme/trip.json": b"{}"}


def test_a_file_named_as_the_sidecar_of_an_image_is_a_file_of_its_own(
    folders: LocalFolders,
) -> None:
    images = photo_folder(folders, "a.jpg", "a.jpg.json", sidecar=False)
    assert folders.take_photos(images)
    assert contents(folders.media) == {"1.jpg": b"a.jpg", "2.jpg": b"a.jpg.json"}


def test_rejected_photos_lie_in_a_folder_of_their_own_and_come_back(folders: LocalFolders) -> None:
    sources = [image.target for image in photo_folder(folders, "a.jpg", "b.jpg")]
    for source, name in zip(sources, ("a.jpg", "b.jpg"), strict=True):
        folders.path(source).write_bytes(name.encode())
    folders.path("media/1.jpg.json").write_text("{}")
    for _ in range(2):
        targets = folders.set_photos_aside(sources, account="acme", post_id=7, reason={"why": "x"})
        assert targets == ["quarantine/acme/7/001.jpg", "quarantine/acme/7/002.jpg"]
    assert contents(folders.quarantine) == {
        "acme/7.json": b"{}",
        "acme/7.reason.json": b'{\n  "why": "x"\n}\n',
        "acme/7/001.jpg": b"a.jpg",
        "acme/7/002.jpg": b"b.jpg",
    }
    assert contents(folders.media) == {}
    for _ in range(2):
        folders.bring_photos_back(targets, sources)
        assert contents(folders.media) == TAKEN
        assert list((folders.quarantine / "acme").iterdir()) == []
