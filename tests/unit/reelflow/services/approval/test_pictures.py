"""The pictures of a question: small, at addresses that are signed, for one, and for a time."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from reelflow.exceptions import MediaUnreadableError
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.approval.pictures import EXPIRED, FORGED, GONE, QuestionPictures
from reelflow.services.workspace import Workspace
from tests import factories
from tests.unit.reelflow.services.approval.questions import SHOWN, asked, held, picture, size_of


@pytest.fixture
def post(workspace: Workspace, account: Account) -> Post:
    return held(workspace, account)


def read(workspace: Workspace, address: tuple[str, ...]) -> bytes:
    media_id, number, expires, signature = address
    return QuestionPictures(workspace).read(media_id, number, expires, signature)


def addresses(workspace: Workspace, post: Post) -> list[tuple[str, ...]]:
    paths = re.findall(r"\]\((/reelflow[^)]*)\)", asked(workspace, post).body)
    return [picture(path) for path in paths]


def test_a_question_shows_the_cover_and_each_candidate_so_that_all_fit_on_a_screen(
    workspace: Workspace, post: Post
) -> None:
    shown = [read(workspace, address) for address in addresses(workspace, post)]
    assert [size_of(one) for one in shown] == list(SHOWN)


def test_they_can_be_seen_as_long_as_the_question_waits_and_not_much_longer(
    workspace: Workspace, post: Post, clock: factories.Clock
) -> None:
    (address, *_) = addresses(workspace, post)
    clock.advance(timedelta(hours=24))
    assert read(workspace, address)
    clock.advance(timedelta(hours=1))
    with pytest.raises(MediaUnreadableError) as refused:
        read(workspace, address)
    assert refused.value.code == EXPIRED


@pytest.mark.parametrize(
    ("part", "value"),
    [(0, "0" * 32), (0, "../x"), (1, "1"), (1, "01"), (1, "-1"), (2, "99999999999"), (3, "é")],
)
def test_an_address_that_was_changed_opens_nothing(
    workspace: Workspace, post: Post, part: int, value: str
) -> None:
    address = list(addresses(workspace, post)[0])
    address[part] = value
    with pytest.raises(MediaUnreadableError) as refused:
        read(workspace, tuple(address))
    assert refused.value.code == FORGED


def test_pictures_of_a_file_that_was_deleted_are_gone(workspace: Workspace, post: Post) -> None:
    address = addresses(workspace, post)[1]
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).deleted_at = workspace.ledger.now()
    with pytest.raises(MediaUnreadableError) as refused:
        read(workspace, address)
    assert refused.value.code == GONE


def test_a_picture_that_cannot_be_decoded_is_as_good_as_gone(
    workspace: Workspace, post: Post
) -> None:
    workspace.folders.put_thumbnail(post.media_id, b"\xff\xd8damaged")
    with pytest.raises(MediaUnreadableError) as refused:
        read(workspace, addresses(workspace, post)[0])
    assert refused.value.code == GONE
