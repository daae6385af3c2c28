"""The rows of posts that can be read and of those that cannot are one table."""

from __future__ import annotations

from collections.abc import Callable

from reelflow.ledger.models import Account, Post
from reelflow.services.post_rows import damaged_row, post_row


def test_a_post_that_cannot_be_read_has_every_field_of_one_that_can_in_its_order(
    account: Account, make_post: Callable[..., Post]
) -> None:
    whole = post_row(make_post(account), None, [])
    damaged = damaged_row({"id": 7, "file_name": "clip.mp4"}, why="posts.mode is 'zz'")
    assert list(damaged) == list(whole)
    told = {name: value for name, value in damaged.items() if value is not None}
    assert told == {
        "id": 7,
        "file_name": "clip.mp4",
        "reason": "posts.mode is 'zz'",
        "reason_code": "ledger_damaged",
        "fix": "correct that in the ledger, or put a backup of it in its place",
    }
