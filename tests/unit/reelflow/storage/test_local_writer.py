from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.storage.local_writer import unlink_upload, write_all

BLOCKS = st.lists(st.binary(max_size=20), max_size=8)


@given(blocks=BLOCKS, most=st.integers(1, 9), offset=st.integers(0, 5))
def test_blocks_are_written_whole_however_little_the_system_takes_at_once(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[bytes], most: int, offset: int
) -> None:
    path = tmp_path_factory.mktemp("disk") / "file"

    def take_little(fd: int, given: list[memoryview], at: int) -> int:
        return os.pwrite(fd, b"".join(given)[:most], at)

    with pytest.MonkeyPatch.context() as patch, path.open("w+b") as file:
        patch.setattr(os, "pwritev", take_little)
        write_all(file.fileno(), blocks, offset)
    content = b"".join(blocks)
    assert path.read_bytes() == (bytes(offset) + content if content else b"")


def test_more_blocks_than_the_system_takes_in_one_call_are_written(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w+b") as file:
        write_all(file.fileno(), [b"12"] * 3000, 0)
    assert path.read_bytes() == b"12" * 3000


def test_of_an_upload_its_data_goes_first_and_what_lists_it_last(tmp_path: Path) -> None:
    for name in ("data", "json"):
        (tmp_path / f"one.{name}").touch()
    (tmp_path / "one.received").mkdir()  # which cannot be unlinked: there it stops
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r"one\.received"):
            unlink_upload(folder, "one")
    finally:
        os.close(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "one.received"]
