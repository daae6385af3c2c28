"""Two users of one server: each route of the application is tried with another user's ids.

The routes are those that the application has: one that is not in the table fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from fastapi.routing import APIRoute
from sqlalchemy import select

from reelflow.api.app import API_PATH, assemble_app
from reelflow.api.key_authenticator import KeyAuthenticator
from reelflow.ledger.models import Base
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from tests import factories, media_files
from tests.chunked_uploads import video_like
from tests.integration.intake_server import IntakeServer
from tests.integration.raw_client import CHUNK, RawClient
from tests.photo_files import unique_image

POST: Final = {"account": "aurora", "caption": "Dusk", "privacy_level": "SELF_ONLY"}
NOBODY: Final = 2**31 - 1


@dataclass(frozen=True)
class Belongings:
    """What a user has on the server, by what it is asked for with.

    :param waiting: a post without media
    :param media: a file with a post
    :param post: that post
    :param upload: an upload of which one chunk has come
    :param session: an open session of the dashboard
    :param video: one of the dashboard's videos
    :param job: a form for S3, as it was signed
    """

    waiting: int
    media: str
    post: int
    upload: str
    session: str
    video: str
    job: dict[str, Any]


Attack = Callable[[RawClient, Belongings], requests.Response]


def _multipart(name: str, content: bytes) -> dict[str, Any]:
    return {"files": {name: ("clip.mp4", content)}}


def _make_post(client: RawClient, theirs: Belongings) -> requests.Response:
    return client.call("POST", "/posts", json={**POST, "media_ids": [theirs.media]})


def _begin_for_post(client: RawClient, theirs: Belongings) -> requests.Response:
    return client.init(CHUNK, post_id=theirs.waiting)


def _finalize(client: RawClient, theirs: Belongings) -> requests.Response:
    return client.call("POST", f"/media/upload/{theirs.upload}/finalize")


def _finalize_own_for_post(client: RawClient, theirs: Belongings) -> requests.Response:
    own = client.sent(video_like(100, seed=2))
    return client.call("POST", f"/media/upload/{own}/finalize", json={"post_id": theirs.waiting})


def _send_for_post(client: RawClient, theirs: Belongings) -> requests.Response:
    fields = {"post_id": str(theirs.waiting)}
    content = video_like(1000, seed=3)
    return client.call("POST", "/media/upload/simple", data=fields, **_multipart("file", content))


def _send_images_for_post(client: RawClient, theirs: Belongings) -> requests.Response:
    fields = {"post_id": str(theirs.waiting)}
    files = {"images": ("1.jpg", unique_image())}
    return client.call("POST", "/media/upload/images", data=fields, files=files)


def _use_session(client: RawClient, theirs: Belongings) -> requests.Response:
    path = f"/dashboard/upload/{theirs.session}"
    return client.call("POST", path, **_multipart("file", video_like(1000, seed=4)))


def _use_job(client: RawClient, theirs: Belongings) -> requests.Response:
    return client.call("POST", "/upload/create-job", json=_job(theirs.job, theirs.job["job_id"]))


def _use_key_of_job(client: RawClient, theirs: Belongings) -> requests.Response:
    wanted = {"filename": "a.mp4", "file_size": 1000, "content_type": "video/mp4"}
    own = client.call("POST", "/upload/presigned-url", json=wanted).json()
    return client.call("POST", "/upload/create-job", json=_job(theirs.job, own["job_id"]))


def _job(form: dict[str, Any], job_id: str) -> dict[str, Any]:
    return {"job_id": job_id, "s3_key": form["s3_key"], "file_type": "video", "post": POST}


def _at(method: str, path: str, **options: Any) -> Attack:
    """Return the attack that asks for a path, in which fields of the belongings are named."""
    return lambda client, theirs: client.call(method, path.format(**vars(theirs)), **options)


#: By route: what is tried, and the reason that it must be refused for, with 404.
ATTACKS: Final[dict[str, list[tuple[Attack, str]]]] = {
    "POST /posts": [(_make_post, "media_not_found")],
    "GET /posts/{post_id}": [(_at("GET", "/posts/{post}"), "post_not_found")],
    "GET /posts/{post_id}/page": [(_at("GET", "/posts/{post}/page"), "post_not_found")],
    "PATCH /posts/{post_id}": [
        (_at("PATCH", "/posts/{post}", json={"caption": "mine"}), "post_not_found")
    ],
    **{
        f"POST /posts/{{post_id}}/{step}": [
            (_at("POST", f"/posts/{{{post}}}/{step}", json=body), "post_not_found")
            for post in ("post", "waiting")
        ]
        for step, body in (
            ("release", {}),
            ("retry", {}),
            ("resolve", {"published": False}),
            ("cancel", None),
        )
    },
    "POST /media/upload/init": [(_begin_for_post, "post_not_found")],
    "PUT /media/upload/{upload_id}/chunks/{index}": [
        (lambda client, theirs: client.put(theirs.upload, 1, b"x" * 1000), "upload_not_found"),
        (lambda client, theirs: client.put(theirs.media, 0, b"x"), "upload_not_found"),
    ],
    "POST /media/upload/chunk": [
        (lambda client, theirs: client.put_form(theirs.upload, 1, b"x" * 1000), "upload_not_found")
    ],
    "GET /media/upload/{upload_id}/status": [
        (_at("GET", "/media/upload/{upload}/status"), "upload_not_found")
    ],
    "POST /media/upload/{upload_id}/finalize": [
        (_finalize, "upload_not_found"),
        (_finalize_own_for_post, "post_not_found"),
    ],
    "DELETE /media/upload/{upload_id}": [
        (_at("DELETE", "/media/upload/{upload}"), "upload_not_found")
    ],
    "POST /media/upload/simple": [(_send_for_post, "post_not_found")],
    "POST /media/upload/images": [(_send_images_for_post, "post_not_found")],
    "GET /media/{media_id}": [
        (_at("GET", "/media/{media}"), "media_not_found"),
        (_at("GET", "/media/{video}"), "media_not_found"),
    ],
    "GET /media/{media_id}/metadata": [(_at("GET", "/media/{media}/metadata"), "media_not_found")],
    "GET /media/{media_id}/thumbnail": [
        (_at("GET", "/media/{media}/thumbnail"), "media_not_found")
    ],
    "DELETE /media/{media_id}": [
        (_at("DELETE", "/media/{media}"), "media_not_found"),
        (_at("DELETE", "/media/{video}"), "media_not_found"),
    ],
    "POST /dashboard/upload/{session_id}": [(_use_session, "session_not_found")],
    "DELETE /dashboard/upload/{session_id}": [
        (_at("DELETE", "/dashboard/upload/{session}"), "session_not_found")
    ],
    "GET /dashboard/videos/{video_id}/results": [
        (_at("GET", "/dashboard/videos/{video}/results"), "video_not_found")
    ],
    "POST /upload/create-job": [
        (_use_job, "job_not_found"),
        (_use_key_of_job, "job_differs"),
    ],
}
#: Routes that tell of what belongs to users, but take no id of it.
LISTS: Final = {
    "GET /posts",
    "GET /dashboard/statistics",
    "GET /dashboard/upload/{session_id}/status",
}
#: Routes to which ids of users mean nothing: those of the server, and what begins something new.
WITHOUT_IDS: Final = {
    "GET /health",
    "GET /docs",
    "GET /accounts",
    "GET /media/supported-formats",
    "POST /dashboard/upload",
    "POST /upload/presigned-url",
}
#: What only an admin may ask.
ADMINS: Final = {"POST /media/cleanup/expired"}
#: What TikTok and browsers ask, who are no users: signed, or with a state of ours.
STRANGERS: Final = {
    "GET /public/media/{media_id}/{expires}/{signature}/{name}",
    "GET /approvals/pictures/{media_id}/{number}/{expires}/{signature}.jpg",
    "GET /oauth/callback",
    "POST /webhooks/tiktok",
}
#: A thumbnail's HEAD is its GET.
_NOT_APART: Final = {"HEAD", "OPTIONS"}


def routes_of(workspace: Workspace) -> set[str]:
    """Return each route of the application that `reelflow serve` has, with its method."""
    app = assemble_app(workspace, None, KeyAuthenticator(workspace))
    return {
        f"{method} {route.path.removeprefix(API_PATH)}"
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods - _NOT_APART
    }


def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        database_url=factories.migrated_sqlite(tmp_path),
        fernet_key=factories.FERNET_KEY,
    )

    found = routes_of(settings.open_workspace())

    assert found == {*ATTACKS, *LISTS, *WITHOUT_IDS, *ADMINS, *STRANGERS}


@pytest.fixture
def ben(serving: IntakeServer) -> RawClient:
    return RawClient(serving.api, serving.ben)


@pytest.fixture
def belongings(serving: IntakeServer) -> Belongings:
    """What Anna has, and Ben knows the ids of."""
    factories.make_account(serving.workspace, "aurora")
    anna = RawClient(serving.api, serving.anna)

    def made(path: str, **options: Any) -> dict[str, Any]:
        answer = anna.call("POST", path, **options)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    waiting = made("/posts", json={**POST, "kind": "video"})
    fields = {"post": '{"account": "aurora", "privacy_level": "SELF_ONLY"}'}
    video = media_files.h264_mp4().read_bytes()
    taken = made("/media/upload/simple", data=fields, **_multipart("file", video))
    upload = anna.opened(CHUNK + 1000)
    assert anna.put(upload, 0, video_like(CHUNK)).status_code == 200
    used = made("/dashboard/upload")["session_id"]
    kept = made(f"/dashboard/upload/{used}", **_multipart("file", video))
    wanted = {"filename": "a.mp4", "file_size": 1000, "content_type": "video/mp4"}
    return Belongings(
        waiting=waiting["post_id"],
        media=taken["media"]["media_id"],
        post=taken["post"]["post_id"],
        upload=upload,
        session=made("/dashboard/upload")["session_id"],
        video=kept["video_id"],
        job=made("/upload/presigned-url", json=wanted),
    )


def _rows_of(workspace: Workspace, user_id: str) -> list[str]:
    """Return all that the ledger has of a user, row by row."""
    tables = [table for table in Base.metadata.sorted_tables if "user_id" in table.columns]
    with workspace.ledger.read() as session:
        return [
            f"{table.name} {tuple(row)}"
            for table in tables
            if table.name != "api_keys"  # when they were last used is in there
            for row in session.execute(select(table).where(table.c.user_id == user_id))
        ]


def _attacks() -> Iterator[tuple[Attack, str]]:
    for attacks in ATTACKS.values():
        yield from attacks


@pytest.mark.parametrize("serving", ["s3", "plugin_s3"], indirect=True)
def test_what_belongs_to_another_user_is_as_if_it_were_not_there(
    serving: IntakeServer, belongings: Belongings, ben: RawClient
) -> None:
    before = _rows_of(serving.workspace, "anna")

    answers = [(attack(ben, belongings), reason) for attack, reason in _attacks()]

    told = [
        (answer.request.method, answer.request.path_url, _reason(answer)) for answer, _ in answers
    ]
    assert [reason for *_, reason in told] == [reason for _, reason in answers], told
    assert {answer.status_code for answer, _ in answers} <= {404, 422}
    assert _rows_of(serving.workspace, "anna") == before


@pytest.mark.parametrize("serving", ["s3", "plugin_s3"], indirect=True)
def test_lists_and_counts_tell_a_user_nothing_of_another(
    serving: IntakeServer, belongings: Belongings, ben: RawClient
) -> None:
    assert ben.call("GET", "/posts").json() == {"posts": [], "next_cursor": None}
    assert ben.call("GET", "/posts?user=anna").json().get("posts", []) == []
    told = ben.call("GET", f"/dashboard/upload/{belongings.session}/status").json()
    assert told["status"] == "invalid"
    assert told["video_id"] is None
    statistics = ben.call("GET", "/dashboard/statistics").json()
    assert (statistics["total_uploads"], statistics["total_bytes"]) == (0, 0)
    assert not any(statistics["verdicts"].values())


@pytest.mark.parametrize("serving", ["s3", "plugin_s3"], indirect=True)
def test_only_admins_see_all_and_sweep(
    serving: IntakeServer, belongings: Belongings, ben: RawClient
) -> None:
    root = RawClient(serving.api, serving.root)

    assert ben.call("POST", "/media/cleanup/expired").status_code == 403
    assert root.call("POST", "/media/cleanup/expired").status_code == 200
    assert root.call("GET", f"/posts/{belongings.post}").json()["user_id"] == "anna"
    assert root.call("GET", f"/media/{belongings.media}").status_code == 200


@pytest.mark.parametrize("serving", ["s3", "plugin_s3"], indirect=True)
def test_every_route_of_users_asks_who_they_are_and_what_they_may(serving: IntakeServer) -> None:
    carl = RawClient(serving.api, serving.carl)
    nobody = RawClient(serving.api, "rfk_000000000000_nothing")

    for route in sorted({*ATTACKS, *LISTS, *WITHOUT_IDS, *ADMINS} - {"GET /health", "GET /docs"}):
        method, _, path = route.partition(" ")
        asked = path.replace("{post_id}", str(NOBODY)).replace("{index}", "0")
        asked = asked.replace("{", "").replace("}", "")

        assert _reason(nobody.call(method, asked)) == "unauthenticated", route
        if method != "GET":
            assert carl.call(method, asked).status_code == 403, route


def _reason(answer: requests.Response) -> str:
    told = answer.json()
    return str(told.get("reason") or told.get("error_code"))
