"""Sending chunks to a server that answers what it is told: resumes, resyncs, giving up."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.exceptions import (
    SourceChangedError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.ledger import publications
from reelflow.ledger.models import Account, Post
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.publishing.lease import UploadLease
from reelflow.services.publishing.sending import ChunkSender, UploadEndedError, UploadUrlDeadError
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.limits import TikTokLimits
from tests.factories import Clock, account_clients, read_post
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

CONTENT = b"aaaabbbbccccdd"  # chunks of 4, the last one of 6
OWNER = "run-1/upload[0]"
LIMITS = TikTokLimits(chunk_attempts=2, first_chunk_retry_s=0.001)
STORED, COMPLETE = http(206), http(201)


def held(count: int) -> bytes:
    return ok({"status": "PROCESSING_UPLOAD", "uploaded_bytes": count})


SILENT = ok({"status": "PROCESSING_UPLOAD"})


def mismatch(number: int) -> bytes:
    return http(416, Content_Range=f"bytes 0-{number}/{len(CONTENT)}")


class Upload:
    """A sender in the middle of an upload, and the server that answers it."""

    def __init__(self, workspace: Workspace, post: Post, server: ScriptedServer) -> None:
        self.workspace = workspace
        self.post = post
        self.server = server
        self.publication = make_publication(
            workspace, post, size_bytes=len(CONTENT), chunk_size_bytes=4, total_chunks=3
        )
        self.check_source: Callable[[], None] = lambda: None

    def send_from(self, offset: int) -> None:
        self._with_sender(lambda sender: sender.send_from(offset))

    def held_bytes(self) -> int | None:
        held: int | None = self._with_sender(lambda sender: sender.held_bytes())
        return held

    def _with_sender(self, call: Callable[[ChunkSender], Any]) -> Any:
        address = self.server.address
        source = self.workspace.folders.path(self.post.media.source_path)
        source_fd = os.open(source, os.O_RDONLY)
        try:
            with (
                TikTokClient(
                    host=f"http://{address}", extra_upload_hosts=frozenset({address})
                ) as client,
                UploadLease(self.workspace, self.post.id, owner=OWNER) as lease,
            ):
                journal = UploadJournal(
                    self.workspace, self.post.id, actor=OWNER, fencing_token=lease.fencing_token
                )
                sender = ChunkSender(
                    account_clients(self.workspace, client).of(self.post.account_id),
                    journal,
                    lease,
                    self.publication,
                    upload_url=f"http://{address}/upload?upload_id=1&upload_token=secret",
                    content_type="video/mp4",
                    limits=LIMITS,
                    source_fd=source_fd,
                    check_source=lambda: self.check_source(),
                )
                return call(sender)
        finally:
            os.close(source_fd)

    @property
    def state(self) -> PostState:
        return read_post(self.workspace, self.post.id).state

    @property
    def acknowledged_bytes(self) -> int:
        with self.workspace.ledger.read() as session:
            current = publications.current(session, self.post.id)
        assert current is not None
        return current.acknowledged_bytes

    @property
    def sent(self) -> list[bytes]:
        """The bodies of the PUTs, in order."""
        return [one.body for one in self.server.received if one.line.startswith("PUT")]


@pytest.fixture
def upload(
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    server: ScriptedServer,
) -> Upload:
    post = make_post(account, state=PostState.UPLOADING, content=CONTENT)
    return Upload(workspace, post, server)


def test_every_chunk_is_sent_once_in_order(upload: Upload) -> None:
    upload.server.answers = [STORED, STORED, COMPLETE]
    upload.send_from(0)
    assert upload.sent == [b"aaaa", b"bbbb", b"ccccdd"]
    assert (upload.state, upload.acknowledged_bytes) == (PostState.PROCESSING, len(CONTENT))


@pytest.mark.parametrize(
    ("offset", "bodies"),
    [(4, [b"bbbb", b"ccccdd"]), (8, [b"ccccdd"]), (9, [b"cccdd"]), (14, [])],
)
def test_an_upload_goes_on_where_tiktok_stands(
    upload: Upload, offset: int, bodies: list[bytes]
) -> None:
    upload.server.answers = [*[STORED] * (len(bodies) - 1), COMPLETE]
    upload.send_from(offset)
    assert upload.sent == bodies
    assert upload.state is PostState.PROCESSING


@pytest.mark.parametrize("known", [held(4), held(0), SILENT, http(503), http(429)])
def test_a_failed_chunk_is_sent_again_unless_tiktok_says_that_it_holds_it(
    upload: Upload, known: bytes
) -> None:
    again = [] if known == held(4) else [STORED]
    upload.server.answers = [http(503), known, *again, STORED, COMPLETE]
    upload.send_from(0)
    assert upload.sent == [b"aaaa", *([b"aaaa"] if again else []), b"bbbb", b"ccccdd"]


def test_a_chunk_that_fails_as_often_as_it_is_tried_raises_and_keeps_what_was_acknowledged(
    upload: Upload,
) -> None:
    upload.server.answers = [STORED, http(503), held(4), http(500)]
    with pytest.raises(TikTokUnavailableError, match="HTTP 500"):
        upload.send_from(0)
    assert (upload.state, upload.acknowledged_bytes) == (PostState.UPLOADING, 4)


@pytest.mark.parametrize("number", [8, 7], ids=["count", "last index"])
def test_both_readings_of_the_progress_header_of_a_416_are_understood(
    upload: Upload, number: int
) -> None:
    upload.server.answers = [mismatch(number), SILENT, COMPLETE]
    upload.send_from(4)
    assert upload.sent == [b"bbbb", b"ccccdd"]


@pytest.mark.parametrize("number", [13, 14], ids=["last index", "count"])
def test_a_416_that_tells_of_every_byte_ends_the_upload(upload: Upload, number: int) -> None:
    upload.server.answers = [mismatch(number), SILENT]
    upload.send_from(8)
    assert upload.state is PostState.PROCESSING


def test_the_status_outweighs_the_progress_header(upload: Upload) -> None:
    upload.server.answers = [mismatch(8), held(4), STORED, COMPLETE]
    upload.send_from(0)
    assert upload.sent == [b"aaaa", b"bbbb", b"ccccdd"]


def test_a_416_without_any_progress_ends_in_an_error_and_no_loop(upload: Upload) -> None:
    upload.server.answers = [http(416), SILENT, SILENT, http(416), SILENT]
    with pytest.raises(TikTokUnavailableError, match="does not say where to go on"):
        upload.send_from(4)
    assert upload.sent == [b"bbbb", b"bbbb"]


def test_progress_that_falls_back_again_and_again_ends_in_an_error_and_no_loop(
    upload: Upload,
) -> None:
    upload.server.answers = [STORED, mismatch(0), held(0)] * 3
    with pytest.raises(TikTokUnavailableError, match="does not move on"):
        upload.send_from(0)
    assert upload.sent == [b"aaaa", b"bbbb", b"aaaa", b"bbbb"]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(("offset", "state"), [(0, "UPLOADING"), (8, "COMMITTING")])
def test_a_dead_upload_url_ends_the_upload(
    upload: Upload, status: int, offset: int, state: str
) -> None:
    upload.server.answers = [http(status)]
    with pytest.raises(UploadUrlDeadError, match=f"HTTP {status}"):
        upload.send_from(offset)
    assert upload.state == state


@pytest.mark.parametrize("offset", [0, 4, 8])
def test_nothing_is_sent_to_an_upload_url_whose_hour_is_over(
    upload: Upload, clock: Clock, offset: int
) -> None:
    clock.advance(timedelta(hours=1))
    with pytest.raises(UploadUrlDeadError, match=f"hour passed at byte {offset}"):
        upload.send_from(offset)
    assert upload.sent == []
    assert upload.state is PostState.UPLOADING


def test_a_source_that_changed_stops_the_upload_before_committing(upload: Upload) -> None:
    def refuse() -> None:
        raise SourceChangedError("another file")

    upload.check_source = refuse
    with pytest.raises(SourceChangedError):
        upload.send_from(8)
    assert (upload.sent, upload.state) == ([], PostState.UPLOADING)


@pytest.mark.parametrize(
    ("answer", "error"),
    [(http(429), TikTokRateLimitedError), (http(400), TikTokRejectedError)],
)
def test_a_chunk_is_not_repeated_when_tiktok_forbids_it(
    upload: Upload, answer: bytes, error: type[Exception]
) -> None:
    upload.server.answers = [answer]
    with pytest.raises(error):
        upload.send_from(0)
    assert upload.sent == [b"aaaa"]


@pytest.mark.parametrize(
    ("answer", "count"),
    [(held(0), 0), (held(4), 4), (held(99), len(CONTENT)), (SILENT, None), (http(500), None)],
)
def test_what_tiktok_holds_is_what_it_says_and_never_more_than_the_file(
    upload: Upload, answer: bytes, count: int | None
) -> None:
    upload.server.answers = [answer]
    assert upload.held_bytes() == count


@pytest.mark.parametrize("status", ["PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"])
def test_a_final_status_ends_the_upload(upload: Upload, status: str) -> None:
    upload.server.answers = [ok({"status": status})]
    with pytest.raises(UploadEndedError) as ended:
        upload.held_bytes()
    assert ended.value.status.status == status


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("invalid_publish_id", UploadUrlDeadError),
        ("access_token_invalid", TikTokAuthError),
        ("token_not_authorized_for_specified_publish_id", TikTokRejectedError),
    ],
)
def test_a_refused_status_is_told_apart(upload: Upload, code: str, error: type[Exception]) -> None:
    upload.server.answers = [http(400, b'{"error": {"code": "%s"}}' % code.encode())]
    with pytest.raises(error):
        upload.held_bytes()


def test_no_log_line_of_an_upload_has_the_token_or_the_url(
    upload: Upload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    upload.server.answers = [http(503), http(503), STORED, http(416), SILENT, SILENT, STORED]
    upload.server.answers += [http(403)]
    with pytest.raises(UploadUrlDeadError):
        upload.send_from(0)
    assert "failed" in caplog.text
    assert "secret" not in caplog.text
