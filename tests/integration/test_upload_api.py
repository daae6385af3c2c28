"""Uploads in chunks over real connections, by a client that is not ours, into both stores."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from reelflow.domain.upload_session import SWEPT_AFTER
from reelflow.ledger.intake_models import QuotaUse, UploadSession
from reelflow.ledger.models import Media, PhotoImage
from reelflow.services.uploads.sweep.expiry import expire_uploads
from reelflow.services.workspace import Workspace
from tests.chunked_uploads import WISH, Uploads, video_like
from tests.contract.storage.stores import S3Server
from tests.factories import forget_posts, make_account, migrated_sqlite
from tests.integration.intake_server import (
    IntakeServer,
    local_settings,
    s3_settings,
    serving_intake,
)
from tests.integration.raw_client import CHUNK, RawClient, RawPut, content_digest, cut, said
from tests.integration.simulator_process import wait_until
from tests.media_files import h264_mp4

CONTENT = video_like(2 * CHUNK + 100_000)
CHUNKS = cut(CONTENT)


LOCAL = pytest.mark.parametrize("standing", ["local"], indirect=True)
ON_S3 = pytest.mark.parametrize("standing", ["s3"], indirect=True)


@pytest.fixture(scope="module", params=["local", "s3"])
def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[IntakeServer]:
    """A server for all tests of this module, with its files in a folder, and one in S3."""
    home, bucket = tmp_path_factory.mktemp("intake"), None
    settings = local_settings(home, migrated_sqlite(home))
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("intake_s3")
        bucket = server.new_bucket()
        settings = s3_settings(home, settings["REELFLOW_DATABASE_URL"], server, bucket)
    with serving_intake(settings, bucket=bucket) as server_of_intake:
        make_account(server_of_intake.workspace, "acme")
        yield server_of_intake


@pytest.fixture
def serving(standing: IntakeServer) -> Iterator[IntakeServer]:
    """The same, having forgotten what came before."""
    try:
        yield standing
    finally:
        forget_uploads(standing.workspace)


def forget_uploads(workspace: Workspace) -> None:
    """Delete all uploads, and what became of them."""
    with workspace.ledger.write() as session:
        for table in (UploadSession, QuotaUse, PhotoImage):
            session.execute(delete(table))
    forget_posts(workspace)
    store = workspace.folders.store
    for upload in list(store.begun()):
        store.abort(upload)
    for info in list(store.list("media")):
        store.delete(info.key)


@pytest.fixture
def anna(serving: IntakeServer) -> RawClient:
    return RawClient(serving.api, serving.anna)


@pytest.fixture
def ben(serving: IntakeServer) -> RawClient:
    return RawClient(serving.api, serving.ben)


def stored(serving: IntakeServer) -> list[str]:
    """Return what lies in the store: files that are whole, and uploads that were begun."""
    store = serving.workspace.folders.store
    whole = [info.key for info in store.list("media")]
    return whole + [f"begun {upload.key}" for upload in store.begun()]


def content_of(serving: IntakeServer, media_id: str) -> bytes:
    with serving.workspace.ledger.read() as session:
        media = session.get_one(Media, media_id)
    with serving.workspace.folders.open(media.source_path, identity=media.source_identity) as file:
        return file.read_at(0, media.size_bytes)


def missing(client: RawClient, upload_id: str) -> list[list[int]]:
    answer = client.status(upload_id)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["missing"])


def let_time_pass(serving: IntakeServer, upload_id: str, passed: timedelta) -> None:
    """Move the times of a session back; the server's clock is the machine's."""
    with serving.workspace.ledger.write() as session:
        row = session.get_one(UploadSession, upload_id)
        row.last_chunk_at -= passed
        row.expires_at -= passed
        row.state_since -= passed


def assert_nothing_is_left(serving: IntakeServer) -> None:
    assert stored(serving) == []
    with serving.workspace.ledger.read() as session:
        assert session.scalars(select(UploadSession)).all() == []
        reserved = session.scalar(select(func.sum(QuotaUse.reserved_bytes)))
    assert not reserved


def assert_it_can_be_finished(serving: IntakeServer, client: RawClient, upload_id: str) -> None:
    client.put_all(upload_id, CHUNKS)
    done = client.finalize(upload_id)
    assert done.status_code == 201, done.text
    assert content_of(serving, done.json()["media"]["media_id"]) == CONTENT


def test_chunks_in_any_order_at_once_and_in_both_ways_become_the_very_file(
    serving: IntakeServer, anna: RawClient
) -> None:
    upload_id = anna.opened(CONTENT, post=WISH)

    def send(index: int) -> int:
        client = RawClient(serving.api, serving.anna)
        send = client.put_form if index == 1 else client.put
        return send(upload_id, index, CHUNKS[index]).status_code

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(send, [2, 1, 0])) == [200] * 3
    told = anna.status(upload_id).json()
    assert (told["progress"], told["missing"], told["received"]) == (1, [], [[0, 2]])
    done = anna.finalize(upload_id)
    assert done.status_code == 201
    media, post = done.json()["media"], done.json()["post"]
    assert content_of(serving, media["media_id"]) == CONTENT
    assert (post["media_ids"], post["user_id"]) == ([media["media_id"]], "anna")
    again = anna.finalize(upload_id)
    assert (again.status_code, again.json()) == (200, done.json())
    assert len(stored(serving)) == 1


@LOCAL
def test_a_real_video_is_taken_and_its_record_found(anna: RawClient) -> None:
    content = h264_mp4().read_bytes()
    upload_id = anna.sent(content, sha256=hashlib.sha256(content).hexdigest())
    media = anna.finalize(upload_id).json()["media"]
    record = anna.call("GET", f"/media/{media['media_id']}")
    assert (record.status_code, record.json()) == (200, media)


def test_a_body_that_stops_leaves_an_upload_that_goes_on(
    serving: IntakeServer, anna: RawClient
) -> None:
    upload_id = anna.opened(CONTENT)
    anna.put(upload_id, 2, CHUNKS[2])
    cut_off = RawPut(anna, upload_id, 0, length=CHUNK)
    cut_off.wait_for_go()
    cut_off.send(CHUNKS[0][: CHUNK // 2])
    cut_off.hang_up()
    assert missing(anna, upload_id) == [[0, 1]]
    wait_until(
        lambda: anna.put(upload_id, 0, CHUNKS[0]).status_code == 200,
        "the writer that was cut off lets go",
    )
    assert_it_can_be_finished(serving, anna, upload_id)


def test_of_two_writers_to_one_chunk_one_is_sent_away_and_the_other_writes(
    serving: IntakeServer, anna: RawClient
) -> None:
    upload_id = anna.opened(CONTENT)
    first = RawPut(anna, upload_id, 0, length=CHUNK)
    first.wait_for_go()
    first.send(CHUNKS[0][: 3 * 1024 * 1024])
    assert said(anna.put(upload_id, 0, bytes(CHUNK))) == (409, "chunk_busy")
    first.send(CHUNKS[0][3 * 1024 * 1024 :])
    assert first.answer()[0] == 200
    first.hang_up()
    assert said(anna.put(upload_id, 0, bytes(CHUNK))) == (409, "chunk_differs")
    assert anna.put(upload_id, 0, CHUNKS[0], digest=True).status_code == 200
    assert_it_can_be_finished(serving, anna, upload_id)


BAD_CHUNKS: list[tuple[int, bytes, dict[str, str], tuple[int, str]]] = [
    (0, CHUNKS[0][:-1], {}, (422, "chunk_length")),
    (0, CHUNKS[0] + b"x", {}, (422, "chunk_length")),
    (1, CHUNKS[2], {}, (422, "chunk_length")),
    (2, CHUNKS[0], {}, (422, "chunk_length")),
    (3, CHUNKS[2], {}, (422, "chunk_index")),
    (-1, CHUNKS[2], {}, (422, "chunk_index")),
    (2, CHUNKS[2], {"Content-Digest": content_digest(b"other")}, (422, "chunk_digest")),
    (2, CHUNKS[2], {"Repr-Digest": "sha-256=:AAAA:"}, (422, "digest_malformed")),
    (2, CHUNKS[2], {"Content-Encoding": "br"}, (415, "unsupported_media_type")),
    (0, bytes(65 * 1024 * 1024), {}, (413, "body_too_large")),
]


def test_no_bad_chunk_harms_the_upload_or_the_connection(
    serving: IntakeServer, anna: RawClient
) -> None:
    upload_id = anna.opened(CONTENT)
    for index, chunk, headers, answer in BAD_CHUNKS:
        try:
            refused = anna.put(upload_id, index, chunk, **headers)
        except OSError:  # it may hang up on a body that is far too large
            assert answer[0] == 413
            continue
        assert said(refused) == answer
        assert missing(anna, upload_id) == [[0, 2]]
    assert_it_can_be_finished(serving, anna, upload_id)


@LOCAL
def test_a_client_that_waits_for_100_sends_nothing_that_is_refused(anna: RawClient) -> None:
    upload_id = anna.opened(CONTENT)
    refused = RawPut(anna, upload_id, 7, length=CHUNK)
    status, body = refused.answer()
    assert (status, json.loads(body)["reason"]) == (422, "chunk_index")
    refused.hang_up()


@LOCAL
def test_a_chunk_without_a_length_is_refused(anna: RawClient) -> None:
    upload_id = anna.opened(CONTENT)
    pieces = iter([CHUNKS[2][:1000], CHUNKS[2][1000:]])
    path = f"/media/upload/{upload_id}/chunks/2"
    assert said(anna.call("PUT", path, data=pieces)) == (411, "length_required")
    assert missing(anna, upload_id) == [[0, 2]]


def test_nobody_reaches_an_upload_of_somebody_else(
    serving: IntakeServer, anna: RawClient, ben: RawClient
) -> None:
    upload_id = anna.opened(CONTENT)
    attacks: list[Callable[[], Any]] = [
        lambda: ben.status(upload_id),
        lambda: ben.put(upload_id, 0, CHUNKS[0]),
        lambda: ben.put_form(upload_id, 0, CHUNKS[0]),
        lambda: ben.finalize(upload_id),
        lambda: ben.give_up(upload_id),
    ]
    for attack in attacks:
        assert said(attack()) == (404, "upload_not_found")
    assert missing(anna, upload_id) == [[0, 2]]
    assert RawClient(serving.api, serving.root).status(upload_id).status_code == 200


@LOCAL
@pytest.mark.parametrize(
    "upload_id", ["0" * 32, "..", "%2e%2e%2f%2e%2e", "a" * 33, "x" * 3000, "%00", "%ff%fe"]
)
def test_an_id_that_was_made_up_is_unknown(anna: RawClient, upload_id: str) -> None:
    assert anna.status(upload_id).status_code == 404
    assert anna.put(upload_id, 0, b"x").status_code == 404


@LOCAL
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/cron.d/x.mp4", "x.mp4"),
        ("..\\..\\windows\\x.mp4", "x.mp4"),
        ("a\x00b\r\nSet-Cookie: c=d\u202e.mp4", "abSet-Cookie: c=d.mp4"),
        ("-rf ~;$(reboot).mp4", "-rf ~;$(reboot).mp4"),
        ("\u0000", "upload.mp4"),
        ("ä" * 500 + ".mp4", "ä" * 125 + ".mp4"),
    ],
)
def test_a_name_is_kept_as_data_and_lies_nowhere(
    serving: IntakeServer, anna: RawClient, name: str, kept: str
) -> None:
    before = set(serving.home.rglob("*"))
    media = anna.finalize(anna.sent(video_like(1000), file_name=name)).json()["media"]
    assert media["file_name"] == kept
    key = serving.home / "media" / f"{media['media_id']}.mp4"
    new = {path for path in serving.home.rglob("*") if path.is_file()} - before
    assert {path for path in new if "reelflow.db" not in path.name} == {key}


def test_an_expired_upload_is_told_of_until_it_is_swept_and_leaves_nothing(
    serving: IntakeServer, anna: RawClient
) -> None:
    upload_id = anna.opened(CONTENT)
    # Sent here, because the server remembers for a second which sessions take chunks.
    Uploads(serving.workspace).send(upload_id, 0, CHUNKS[0])
    let_time_pass(serving, upload_id, timedelta(hours=1))
    assert anna.status(upload_id).json()["state"] == "expired"
    assert said(anna.put(upload_id, 1, CHUNKS[1])) == (409, "upload_expired")
    assert said(anna.finalize(upload_id)) == (409, "upload_expired")
    assert expire_uploads(serving.workspace, actor="tests") == []
    let_time_pass(serving, upload_id, SWEPT_AFTER)
    assert expire_uploads(serving.workspace, actor="tests") == [upload_id]
    assert said(anna.status(upload_id)) == (404, "upload_not_found")
    assert said(anna.put(upload_id, 1, CHUNKS[1])) == (404, "upload_not_found")
    assert_nothing_is_left(serving)


def test_an_upload_that_is_given_up_leaves_nothing(serving: IntakeServer, anna: RawClient) -> None:
    upload_id = anna.sent(CONTENT)
    assert anna.give_up(upload_id).status_code == 204
    assert_nothing_is_left(serving)


def test_a_lying_content_type_is_found_out_and_leaves_no_file(
    serving: IntakeServer, anna: RawClient
) -> None:
    page = b"<html><script>alert(1)</script>" + bytes(1000)
    upload_id = anna.sent(page)
    refused = anna.finalize(upload_id)
    assert said(refused) == (422, "not_this_media")
    assert stored(serving) == []
    assert said(anna.finalize(upload_id)) == (422, "not_this_media")
    let_time_pass(serving, upload_id, SWEPT_AFTER)
    expire_uploads(serving.workspace, actor="tests")
    assert_nothing_is_left(serving)


@LOCAL
def test_a_full_disk_is_507_before_the_first_byte_and_leaves_nothing(
    serving: IntakeServer, anna: RawClient
) -> None:
    """The system refuses the server larger files, as a full disk would."""
    pid = serving.process.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (CHUNK, limits[1]))
    refused = anna.init(CONTENT)
    assert said(refused) == (507, "storage_full")
    assert str(serving.home) not in refused.text
    assert_nothing_is_left(serving)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    assert_it_can_be_finished(serving, anna, anna.opened(CONTENT))


@pytest.fixture
def s3(intake_s3: S3Server) -> S3Server:
    intake_s3.reset()
    return intake_s3


REFUSALS = [(503, "SlowDown"), (500, "InternalError"), (403, "AccessDenied")]


@ON_S3
def test_s3_that_refuses_to_begin_leaves_nothing(
    serving: IntakeServer, anna: RawClient, s3: S3Server
) -> None:
    for status, code in REFUSALS:
        s3.fault("POST", "uploads", times=2, status=status, code=code)
        refused = anna.init(CONTENT)
        assert refused.status_code == 503
        assert serving.bucket is not None
        assert serving.bucket not in refused.text
        assert_nothing_is_left(serving)
        s3.reset()
    assert anna.init(CONTENT).status_code == 201


@ON_S3
def test_s3_that_refuses_a_chunk_leaves_it_missing(
    serving: IntakeServer, anna: RawClient, s3: S3Server
) -> None:
    upload_id = anna.opened(CONTENT)
    for status, code in REFUSALS:
        s3.fault("PUT", "partNumber", times=2, status=status, code=code)
        assert anna.put(upload_id, 0, CHUNKS[0]).status_code == 503
        s3.reset()
        assert missing(anna, upload_id) == [[0, 2]]
    assert_it_can_be_finished(serving, anna, upload_id)


@ON_S3
def test_s3_that_refuses_to_put_the_file_together_is_asked_again(
    serving: IntakeServer, anna: RawClient, s3: S3Server
) -> None:
    refusals: list[dict[str, Any]] = [{"status": status, "code": code} for status, code in REFUSALS]
    for fault in [*refusals, {"kind": "lost"}]:
        upload_id = anna.sent(CONTENT)
        s3.fault("POST", "uploadId", times=2, **fault)
        first = anna.finalize(upload_id)
        s3.reset()
        assert first.status_code in (201, 503)
        done = anna.finalize(upload_id)
        assert done.status_code in (200, 201)
        assert content_of(serving, done.json()["media"]["media_id"]) == CONTENT


@LOCAL
def test_another_server_goes_on_with_an_upload(serving: IntakeServer, anna: RawClient) -> None:
    upload_id = anna.opened(CONTENT)
    anna.put(upload_id, 1, CHUNKS[1])
    with serving_intake(serving.settings) as another:
        client = RawClient(another.api, another.anna)
        assert missing(client, upload_id) == [[0, 0], [2, 2]]
        assert_it_can_be_finished(another, client, upload_id)
