from __future__ import annotations

from datetime import timedelta
from functools import partial
from hashlib import sha256

import pytest

from reelflow.domain.upload_session import SESSION_LIFETIME, SessionState
from reelflow.exceptions import (
    ContentMismatchError,
    PartBusyError,
    ReelflowError,
    TerminalError,
)
from reelflow.services.uploads.chunked.chunks import receive_chunk
from reelflow.services.uploads.chunked.sessions import cancel
from tests.chunked_uploads import BEN, CHUNK, Uploads, video_like
from tests.data_folder import data_folder
from tests.factories import Clock

CONTENT = video_like(2 * CHUNK + 1000)
FIRST = CONTENT[:CHUNK]
LAST = CONTENT[2 * CHUNK :]


def hashed(content: bytes) -> str:
    return sha256(content).hexdigest()


def code_of(uploads: Uploads, upload_id: str, index: int, chunk: bytes, **options: str) -> str:
    """Send a chunk that must be refused; return the slug."""
    with pytest.raises(ReelflowError) as refused:
        uploads.send(upload_id, index, chunk, **options)
    return refused.value.code


def test_chunks_come_in_any_order_and_the_answer_counts_them(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    assert uploads.send(upload_id, 2, LAST).received_chunks == 1
    received = uploads.send(upload_id, 0, FIRST, sha256=hashed(FIRST))
    assert (received.received_chunks, received.total_chunks) == (2, 3)


@pytest.mark.parametrize("index", [-1, 3, 10**18])
def test_a_chunk_out_of_range_is_refused(uploads: Uploads, index: int) -> None:
    upload_id = uploads.open(CONTENT)
    assert code_of(uploads, upload_id, index, FIRST) == "chunk_index"


@pytest.mark.parametrize(
    ("index", "size_bytes"),
    [(0, CHUNK - 1), (0, CHUNK + 1), (0, 0), (2, CHUNK), (2, 999), (2, 1001)],
)
def test_a_chunk_has_exactly_its_size_so_that_none_overlap(
    uploads: Uploads, index: int, size_bytes: int
) -> None:
    upload_id = uploads.open(CONTENT)
    chunk = bytes(size_bytes)
    assert code_of(uploads, upload_id, index, chunk) == "chunk_length"
    with pytest.raises(ContentMismatchError) as refused:
        uploads.send(upload_id, index, chunk, is_announced=False)
    assert refused.value.code == "chunk_length"
    assert refused.value.context["expected_bytes"] == (1000 if index else CHUNK)
    assert "media/" not in str(refused.value)
    assert uploads.status(upload_id).missing == [0, 1, 2]


def test_a_chunk_with_another_digest_stays_missing_and_can_be_sent_again(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    damaged = b"x" + FIRST[1:]
    assert code_of(uploads, upload_id, 0, damaged, sha256=hashed(FIRST)) == "chunk_digest"
    assert uploads.status(upload_id).missing == [0, 1, 2]
    assert uploads.send(upload_id, 0, FIRST, sha256=hashed(FIRST)).received_chunks == 1


def test_a_body_that_stops_leaves_its_chunk_missing_and_the_others_whole(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    uploads.send(upload_id, 2, LAST)

    def stop() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        uploads.send(upload_id, 0, FIRST[:1000], is_announced=False, meanwhile=stop)
    assert uploads.status(upload_id).missing == [0, 1]
    uploads.send_all(upload_id, CONTENT)
    media = uploads.finalize(upload_id).media
    assert data_folder(uploads.workspace).path(media.source_path).read_bytes() == CONTENT


def test_a_repeated_chunk_is_harmless(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    uploads.send(upload_id, 0, FIRST)
    assert uploads.send(upload_id, 0, FIRST).received_chunks == 1


def test_other_bytes_for_a_chunk_that_is_there_change_nothing(uploads: Uploads) -> None:
    upload_id = uploads.sent(CONTENT)
    assert code_of(uploads, upload_id, 0, bytes(CHUNK)) == "chunk_differs"
    media = uploads.finalize(upload_id).media
    assert data_folder(uploads.workspace).path(media.source_path).read_bytes() == CONTENT


def test_of_two_writers_to_one_chunk_the_second_is_sent_away(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    with receive_chunk(uploads.workspace, uploads.user, upload_id, 0) as first:
        first.write(FIRST)
        with pytest.raises(PartBusyError):
            uploads.send(upload_id, 0, FIRST)
        uploads.send(upload_id, 2, LAST)  # another one is no matter
        assert first.commit().received_chunks == 2


def test_somebody_else_sends_nothing(uploads: Uploads) -> None:
    upload_id = uploads.open(CONTENT)
    with (
        pytest.raises(TerminalError, match="no such upload"),
        receive_chunk(uploads.workspace, BEN, upload_id, 0),
    ):
        pytest.fail("a stranger may write")


def test_a_session_lives_an_hour_from_its_last_chunk(uploads: Uploads, clock: Clock) -> None:
    upload_id = uploads.open(CONTENT)
    clock.advance(timedelta(minutes=59))
    received = uploads.send(upload_id, 0, FIRST)
    assert received.expires_at == clock() + SESSION_LIFETIME
    clock.advance(timedelta(minutes=59))
    assert uploads.send(upload_id, 1, CONTENT[CHUNK : 2 * CHUNK]).expires_at > clock()


def test_a_chunk_that_was_on_its_way_when_its_session_expired_keeps_it_alive(
    uploads: Uploads, clock: Clock
) -> None:
    upload_id = uploads.open(CONTENT)
    uploads.send(upload_id, 0, FIRST, meanwhile=lambda: clock.advance(timedelta(minutes=61)))
    assert not uploads.status(upload_id).is_expired


def test_many_chunks_in_a_moment_do_not_each_wait_for_the_ledger(
    uploads: Uploads, clock: Clock
) -> None:
    upload_id = uploads.open(CONTENT)
    with uploads.workspace.ledger.write():  # nobody else can write now
        assert uploads.send(upload_id, 0, FIRST).received_chunks == 1
    clock.advance(timedelta(seconds=10))
    assert uploads.send(upload_id, 1, CONTENT[CHUNK : 2 * CHUNK]).expires_at == (
        clock() + SESSION_LIFETIME
    )


@pytest.mark.parametrize(
    ("late", "code"), [("cancelled", "upload_not_found"), ("finished", "upload_state")]
)
def test_a_chunk_that_ends_after_its_session_is_refused_and_leaves_nothing(
    uploads: Uploads, late: str, code: str
) -> None:
    upload_id = uploads.open(CONTENT) if late == "cancelled" else uploads.sent(CONTENT)
    ends = {
        "cancelled": partial(cancel, uploads.workspace, uploads.user, upload_id),
        "finished": partial(uploads.finalize, upload_id),
    }
    with pytest.raises(TerminalError) as refused:
        uploads.send(upload_id, 0, FIRST, meanwhile=ends[late])
    assert refused.value.code == code
    assert [name for name in uploads.stored() if name.startswith(".uploads")] == []


def test_a_finished_upload_takes_no_chunk(uploads: Uploads) -> None:
    upload_id = uploads.sent(CONTENT)
    uploads.finalize(upload_id)
    assert code_of(uploads, upload_id, 0, FIRST) == "upload_state"
    assert uploads.state(upload_id) is SessionState.FINISHED
