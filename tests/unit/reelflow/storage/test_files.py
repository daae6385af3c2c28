"""What a disk says of a file, folded into what a ledger can keep."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.storage.files import file_identity


def status(inode: int, mtime_ns: int) -> os.stat_result:
    fields = {"st_mtime_ns": mtime_ns, "st_atime_ns": 0, "st_ctime_ns": 0}
    return os.stat_result((0, inode, 0, 1, 0, 0, 7, 0, 0, 0), fields)


@given(inode=st.integers(0, 2**64 - 1), mtime_ns=st.integers(-(2**80), 2**80))
def test_any_inode_and_time_fit_a_signed_64_bit_column(inode: int, mtime_ns: int) -> None:
    folded_inode, size_bytes, folded_ns = file_identity(status(inode, mtime_ns))
    assert size_bytes == 7
    for folded, told in ((folded_inode, inode), (folded_ns, mtime_ns)):
        assert -(2**63) <= folded < 2**63
        assert (folded - told) % 2**64 == 0


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1])
def test_what_fits_stays_as_it_is(number: int) -> None:
    assert file_identity(status(number, number)) == (number, 7, number)
