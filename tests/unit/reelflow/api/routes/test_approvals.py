"""``/approvals/pictures``: for whoever is logged in and has the question that names them."""

from __future__ import annotations

import re

import pytest

from reelflow.ledger.models import Account, Media
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.known_users import ANNA
from tests.unit.reelflow.api.conftest import Web
from tests.unit.reelflow.services.approval.questions import PICTURES_AT, SHOWN, asked, held, size_of


@pytest.fixture
def addresses(workspace: Workspace, account: Account) -> list[str]:
    """Those of a question about a file of the inbox, which is nobody's."""
    body = asked(workspace, held(workspace, account)).body
    return [one.removeprefix(PICTURES_AT) for one in re.findall(r"\]\((/reelflow[^)]*)\)", body)]


def test_pictures_of_anybodys_file_can_be_seen_with_the_questions_address(
    web: Web, addresses: list[str]
) -> None:
    answers = [web.get(address, headers=ANNA) for address in addresses]
    assert [size_of(one.content) for one in answers] == list(SHOWN)
    assert {one.headers["content-type"] for one in answers} == {"image/jpeg"}
    assert {one.headers["x-content-type-options"] for one in answers} == {"nosniff"}


def test_nobody_sees_them_who_is_not_logged_in(web: Web, addresses: list[str]) -> None:
    assert web.get(addresses[0]).status_code == 401


def test_an_address_that_was_made_up_or_is_old_opens_nothing(
    web: Web, addresses: list[str], clock: Clock
) -> None:
    forged = re.sub(r"/[0-9a-f]{64}\.jpg", f"/{'0' * 64}.jpg", addresses[0])
    answer = web.get(forged, headers=ANNA)
    assert (answer.status_code, answer.json()["reason"]) == (403, "picture_forged")


def test_a_picture_that_is_not_there_any_more_is_404_and_names_no_place(
    web: Web, addresses: list[str], workspace: Workspace
) -> None:
    with workspace.ledger.write() as session:
        for media in session.query(Media):
            workspace.folders.store.delete(str(media.thumbnail_path))
    answer = web.get(addresses[0], headers=ANNA)
    assert (answer.status_code, answer.json()["reason"]) == (404, "picture_gone")
    assert "thumbnails" not in answer.text
