"""A post as a page: what a browser shows that followed a link of Airflow's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.api.app import API_PATH
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.workspace import Workspace
from tests.known_users import ANNA, CARL, ROOT
from tests.unit.reelflow.api.conftest import Web

MakePost = Callable[..., Post]


@pytest.fixture
def post(account: Account, make_post: MakePost) -> Post:
    return make_post(account, file_name="from dawn.mp4", caption="Dawn\n<script>alert(1)</script>")


def test_it_tells_where_a_post_stands_and_each_step_it_made(web: Web, post: Post) -> None:
    answer = web.get(f"/posts/{post.id}/page", headers=ROOT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for told in ("from dawn.mp4", f"Post {post.id}: READY", "made by a test", "acme", "tests"):
        assert told in answer.text


def test_strangers_words_are_text_and_nothing_runs(web: Web, post: Post) -> None:
    answer = web.get(f"/posts/{post.id}/page", headers=ROOT)
    assert "<script" not in answer.text
    assert "Dawn\n&lt;script&gt;" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src 'self'")
    assert answer.headers["cache-control"] == "no-store"


def test_its_picture_is_on_it_once_there_is_one(web: Web, workspace: Workspace, post: Post) -> None:
    assert "<img" not in web.get(f"/posts/{post.id}/page", headers=ROOT).text
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).thumbnail_path = "thumbnails/one.jpg"
    address = f"{API_PATH}/media/{post.media_id}/thumbnail"
    assert f'<img src="{address}"' in web.get(f"/posts/{post.id}/page", headers=ROOT).text


@pytest.mark.parametrize("user", [ANNA, CARL])
def test_who_may_not_see_the_post_sees_no_page(web: Web, post: Post, user: dict[str, str]) -> None:
    answer = web.get(f"/posts/{post.id}/page", headers=user)
    assert (answer.status_code, answer.json()["reason"]) == (404, "post_not_found")


def test_nobody_sees_it_without_a_login(web: Web, post: Post) -> None:
    assert web.get(f"/posts/{post.id}/page").status_code == 401
