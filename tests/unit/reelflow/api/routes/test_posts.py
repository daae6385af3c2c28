"""Posts over HTTP: made, changed, listed and shown; each user sees only their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from reelflow.api.app import API_PATH, assemble_app
from reelflow.domain.post import PostKind, PostState
from reelflow.domain.user import Scope, User
from reelflow.ledger import batches
from reelflow.ledger.models import Account, Post
from reelflow.services import report
from reelflow.services.post_metrics.collect import collect_metrics
from reelflow.services.workspace import Workspace
from tests.factories import Clock, change_post, read_post
from tests.intake_users import upload
from tests.known_users import ANNA, CARL, ROOT, KnownUsers
from tests.unit.reelflow.api.conftest import Web
from tests.unit.reelflow.services.post_metrics.counted_tiktok import CountedTikTok, make_published
from tests.unit.reelflow.services.publication_factory import make_publication

MakePost = Callable[..., Post]
LEAST = {"account": "acme", "privacy_level": "SELF_ONLY"}
ANNA_USER = User("anna", "anna", frozenset({Scope.WRITE}))


def ids(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [post["post_id"] for post in answer.json()["posts"]]


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


# Making


def test_a_post_of_an_uploaded_video_is_ready(
    web: Web, workspace: Workspace, account: Account
) -> None:
    media = upload(workspace, ANNA_USER)
    body = {**LEAST, "media_ids": [media.id], "caption": "hi"}
    answer = web.post("/posts", json=body, headers=ANNA)
    assert answer.status_code == 201
    post = answer.json()
    assert (post["state"], post["kind"], post["caption"]) == ("READY", "video", "hi")
    assert (post["media_ids"], post["user_id"]) == ([media.id], "anna")
    assert post["links"] == {"self": f"{API_PATH}/posts/{post['post_id']}", "run": None}
    assert [step["actor"] for step in post["story"]] == ["user:anna"]
    again = web.post("/posts", json=body, headers=ANNA)
    assert (again.status_code, again.json()["post_id"]) == (200, post["post_id"])


def test_photos_need_no_kind_beside_their_media(
    web: Web, workspace: Workspace, account: Account
) -> None:
    photos = [upload(workspace, ANNA_USER, file_name=f"{n}.jpg").id for n in range(2)]
    answer = web.post("/posts", json={**LEAST, "media_ids": photos, "title": "t"}, headers=ANNA)
    assert answer.status_code == 201
    assert (answer.json()["kind"], answer.json()["media_ids"]) == ("photo", photos)


def test_a_post_without_media_waits_for_an_upload_that_names_it(web: Web, account: Account) -> None:
    answer = web.post("/posts", json={**LEAST, "kind": "photo"}, headers=ANNA)
    post = answer.json()
    assert (answer.status_code, post["state"], post["reason_code"]) == (201, "HELD", "no_media")
    assert (post["media_ids"], post["kind"]) == ([], "photo")
    assert post["fix"] == f"upload them for post {post['post_id']}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({**LEAST}, "kind is missing"),
        ({**LEAST, "kind": "song"}, "kind is 'song': use video or photo"),
        ({**LEAST, "kind": []}, "kind is []"),
        ({**LEAST, "media_ids": "x"}, "media_ids must be a list"),
        ({**LEAST, "media_ids": [5]}, "media_ids must be a list"),
        ({**LEAST, "media_ids": ["a"] * 36}, "a post has at most 35"),
        ({"account": "acme", "kind": "video"}, "privacy_level is missing"),
        ({**LEAST, "kind": "video", "privacy": 1}, "unknown field 'privacy'"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_what_is_wrong(
    web: Web, account: Account, body: dict[str, Any], expected: str
) -> None:
    answer = web.post("/posts", json=body, headers=ANNA)
    assert reason(answer) == (422, "invalid_post")
    assert expected in answer.json()["message"]


def test_what_is_no_object_is_refused_by_the_framework_and_named(
    web: Web, account: Account
) -> None:
    assert reason(web.post("/posts", json=[1], headers=ANNA)) == (422, "invalid_request")
    assert reason(web.post("/posts", content=b"{", headers=ANNA))[0] in (415, 422)


def test_half_a_character_is_refused_in_an_answer_that_can_be_read(
    web: Web, account: Account
) -> None:
    body = json.dumps({**LEAST, "kind": "video", "caption": "\ud800"})
    headers = {**ANNA, "Content-Type": "application/json"}
    answer = web.post("/posts", content=body.encode(), headers=headers)
    assert reason(answer) == (422, "invalid_post")


def test_unknown_accounts_and_media_are_not_found(
    web: Web, workspace: Workspace, account: Account
) -> None:
    body = {**LEAST, "kind": "video", "account": "nope"}
    assert reason(web.post("/posts", json=body, headers=ANNA)) == (404, "account_not_found")
    theirs = upload(workspace, User("ben", "ben", frozenset()))
    for media_id in (theirs.id, "f" * 32, "\0"):
        answer = web.post("/posts", json={**LEAST, "media_ids": [media_id]}, headers=ANNA)
        assert reason(answer) == (404, "media_not_found")


def test_the_bytes_of_somebody_elses_post_are_a_conflict_that_names_no_post(
    web: Web, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    theirs = make_post(account, content=b"same", user_id="ben", caption="secret plan")
    media = upload(workspace, ANNA_USER, content=b"same", declared=True)
    answer = web.post("/posts", json={**LEAST, "media_ids": [media.id]}, headers=ANNA)
    assert reason(answer) == (409, "duplicate")
    assert answer.json()["details"] == {}
    assert str(theirs.id) not in answer.text
    assert "secret" not in answer.text


def test_who_may_only_read_makes_and_changes_nothing(
    web: Web, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, user_id="carl")
    assert reason(web.post("/posts", json=LEAST, headers=CARL)) == (403, "scope_missing")
    answer = web.patch(f"/posts/{post.id}", json={"caption": "x"}, headers=CARL)
    assert reason(answer) == (403, "scope_missing")
    for step in ("release", "cancel", "retry", "resolve"):
        answer = web.post(f"/posts/{post.id}/{step}", json={}, headers=CARL)
        assert reason(answer) == (403, "scope_missing")
    assert web.get(f"/posts/{post.id}", headers=CARL).status_code == 200


def test_nobody_gets_in_without_saying_who_they_are(web: Web) -> None:
    for answer in (web.get("/posts"), web.post("/posts", json=LEAST), web.get("/accounts")):
        assert reason(answer) == (401, "unauthenticated")


# Somebody else's


@pytest.mark.parametrize("owner", ["ben", None])
def test_somebody_elses_post_is_as_if_there_were_none_on_every_route(
    web: Web, workspace: Workspace, account: Account, make_post: MakePost, owner: str | None
) -> None:
    theirs = make_post(account, state=PostState.HELD, user_id=owner)
    before = report.show_post(workspace, theirs.id)
    for post_id in (theirs.id, theirs.id + 1):
        answers = [
            web.get(f"/posts/{post_id}", headers=ANNA),
            web.patch(f"/posts/{post_id}", json={"caption": "x"}, headers=ANNA),
            web.patch(f"/posts/{post_id}", json={"nonsense": 1}, headers=ANNA),
            web.post(f"/posts/{post_id}/release", headers=ANNA),
            web.post(f"/posts/{post_id}/cancel", headers=ANNA),
            web.post(f"/posts/{post_id}/retry", headers=ANNA),
            web.post(f"/posts/{post_id}/resolve", json={"published": True}, headers=ANNA),
        ]
        expected = {
            "reason": "post_not_found",
            "message": f"no post has id {post_id}: see `GET /posts`",
            "details": {},
        }
        assert [(answer.status_code, answer.json()) for answer in answers] == [
            (404, expected)
        ] * len(answers)
    assert report.show_post(workspace, theirs.id) == before
    assert ids(web.get("/posts", headers=ANNA)) == []
    assert ids(web.get("/posts", params={"user": "ben"}, headers=ANNA)) == []


def test_an_admin_sees_and_steers_everybodys_and_those_of_the_inbox(
    web: Web, account: Account, make_post: MakePost
) -> None:
    theirs = make_post(account, user_id="ben", caption="old")
    inbox = make_post(account)
    assert ids(web.get("/posts", headers=ROOT)) == [inbox.id, theirs.id]
    assert ids(web.get("/posts", params={"user": "ben"}, headers=ROOT)) == [theirs.id]
    answer = web.patch(f"/posts/{theirs.id}", json={"caption": "new"}, headers=ROOT)
    assert (answer.status_code, answer.json()["caption"]) == (200, "new")
    assert answer.json()["story"][-1]["actor"] == "user:root"
    assert web.get(f"/posts/{inbox.id}", headers=ROOT).status_code == 200


# Lists


def test_pages_follow_each_other_without_gap_or_repeat_while_posts_come(
    web: Web, account: Account, make_post: MakePost
) -> None:
    made = [make_post(account, user_id="anna").id for _ in range(5)]
    make_post(account, user_id="ben")
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(3):
        params = {"limit": 2, **({} if cursor is None else {"cursor": cursor})}
        answer = web.get("/posts", params=params, headers=ANNA)
        seen += ids(answer)
        cursor = answer.json()["next_cursor"]
        make_post(account, user_id="anna")
    assert seen == made[::-1]
    assert cursor is None


def test_posts_are_found_by_state_account_and_when_they_are_due(
    web: Web,
    account: Account,
    make_account: Callable[..., Account],
    make_post: MakePost,
    clock: Clock,
) -> None:
    beta = make_account("beta")
    early = make_post(account, user_id="anna", due_at=clock() - timedelta(days=1))
    held = make_post(beta, user_id="anna", state=PostState.HELD)
    late = make_post(account, user_id="anna", due_at=clock() + timedelta(days=1))

    def found(**params: Any) -> list[int]:
        return ids(web.get("/posts", params=params, headers=ANNA))

    assert found(state="HELD") == [held.id]
    assert found(state=["HELD", "READY"]) == [late.id, held.id, early.id]
    assert found(account="beta") == [held.id]
    assert found(**{"from": clock().isoformat()}) == [late.id, held.id]
    assert found(to=clock().isoformat()) == [early.id]
    assert found(state="UNKNOWN") == []


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "x"},
        {"cursor": "p0"},
        {"cursor": "p99999999999"},
        {"cursor": "1"},
        {"limit": 0},
        {"limit": 201},
        {"state": "DONE"},
        {"from": "yesterday"},
        {"from": "2026-01-01T00:00:00"},
        {"to": "0001-01-01T00:00:00+14:00"},
        {"user": "a\0b"},
        {"user": ""},
    ],
)
def test_a_query_that_means_nothing_is_refused(
    web: Web, account: Account, params: dict[str, Any]
) -> None:
    assert reason(web.get("/posts", params=params, headers=ANNA)) == (422, "invalid_request")


def test_an_account_that_there_is_not_is_no_empty_list(web: Web, account: Account) -> None:
    answer = web.get("/posts", params={"account": "acne"}, headers=ANNA)
    assert reason(answer) == (404, "account_not_found")


def test_a_post_whose_row_was_damaged_is_listed_with_what_is_wrong(
    web: Web, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    whole, damaged = make_post(account), make_post(account)
    with workspace.ledger.write() as session:
        session.execute(text("UPDATE posts SET mode = 'zz' WHERE id = :id"), {"id": damaged.id})
    answer = web.get("/posts", headers=ROOT)
    assert ids(answer) == [damaged.id, whole.id]
    post = answer.json()["posts"][0]
    assert post["reason_code"] == "ledger_damaged"
    assert "posts.mode" in post["reason"]


# One post


def test_a_post_tells_its_story_its_attempts_and_its_run(
    workspace: Workspace, account: Account, make_post: MakePost, clock: Clock
) -> None:
    post = make_post(account, user_id="anna", state=PostState.PROCESSING)
    publication = make_publication(workspace, post)
    with workspace.ledger.write() as session:
        for run_id in ("run-1", "run-2", "ahead/other"):
            batches.append(session, run_id, [post.id], now=clock.advance(timedelta(hours=1)))
    app = assemble_app(workspace, None, KnownUsers(), run_links=lambda run: f"https://air/{run}")
    web = Web(app)
    shown = web.get(f"/posts/{post.id}", headers=ANNA).json()
    assert shown["links"]["run"] == "https://air/run-2"
    assert shown["tiktok"] == {"publish_id": publication.publish_id, "post_id": None, "url": None}
    assert [(one["ordinal"], one["state"]) for one in shown["attempts"]] == [(1, "SENT")]
    assert shown["story"][0].keys() == {"at", "actor", "from", "to", "why"}
    assert "upload_id" not in json.dumps(shown), "the upload URL is a credential"
    (listed,) = web.get("/posts", headers=ANNA).json()["posts"]
    assert listed["links"] == shown["links"]
    assert listed.items() <= shown.items()


def test_a_published_post_tells_what_tiktok_counted_last(
    web: Web, workspace: Workspace, account: Account, clock: Clock
) -> None:
    tiktok = CountedTikTok()
    post, _ = make_published(workspace, account, tiktok, views=1200, user_id="anna")
    assert web.get(f"/posts/{post.id}", headers=ANNA).json()["metrics"] is None
    collect_metrics(workspace, tiktok)
    assert web.get(f"/posts/{post.id}", headers=ANNA).json()["metrics"] == {
        "day": f"{clock():%Y-%m-%d}",
        "view_count": 1200,
        "like_count": 0,
        "comment_count": 0,
        "share_count": 0,
        "collected_at": clock().isoformat(),
    }


@pytest.mark.parametrize("post_id", ["0", "-1", "x", "99999999999", "1e3"])
def test_what_cannot_be_an_id_is_refused(web: Web, post_id: str) -> None:
    assert reason(web.get(f"/posts/{post_id}", headers=ANNA)) == (422, "invalid_request")


# Changing


def test_fields_change_until_tiktok_may_have_the_post(
    web: Web, account: Account, make_post: MakePost, read_post: Callable[[int], Post]
) -> None:
    post = make_post(account, user_id="anna", caption="old")
    changes = {"caption": "new", "cover_timestamp_ms": 100}
    answer = web.patch(f"/posts/{post.id}", json=changes, headers=ANNA)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in changes} == changes
    wrong = web.patch(f"/posts/{post.id}", json={"privacy_level": "X"}, headers=ANNA)
    assert reason(wrong) == (422, "invalid_post")
    assert read_post(post.id).caption == "new"


def test_what_uploads_keeps_its_fields(
    web: Web, workspace: Workspace, account: Account, make_post: MakePost
) -> None:
    post = make_post(account, user_id="anna", caption="old")
    change_post(workspace, post.id, state=PostState.UPLOADING)
    answer = web.patch(f"/posts/{post.id}", json={"caption": "new"}, headers=ANNA)
    assert reason(answer) == (409, "illegal_transition")
    assert read_post(workspace, post.id).caption == "old"


def test_photos_have_their_own_fields(web: Web, account: Account, make_post: MakePost) -> None:
    post = make_post(account, user_id="anna", kind=PostKind.PHOTO, file_name="a.jpg")
    answer = web.patch(f"/posts/{post.id}", json={"title": "t"}, headers=ANNA)
    assert (answer.status_code, answer.json()["title"]) == (200, "t")
    answer = web.patch(f"/posts/{post.id}", json={"disable_duet": True}, headers=ANNA)
    assert reason(answer) == (422, "invalid_post")
