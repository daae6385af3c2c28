"""Anything that clients, crashes, time and the sweep may do to uploads, in any order."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)
from sqlalchemy import select

from reelflow.domain.upload_session import SESSION_LIFETIME, SWEPT_AFTER, SessionState
from reelflow.exceptions import ReelflowError
from reelflow.ledger.intake_models import UploadSession
from reelflow.services.uploads.expiry import expire_uploads
from reelflow.services.uploads.sessions import cancel, missing_chunks
from tests.chunked_uploads import CHUNK, Uploads, video_like
from tests.data_folder import data_folder
from tests.factories import Clock, open_workspace
from tests.frail_store import Died, with_frail_store

VIDEO: Final = video_like(CHUNK + 1000)
PAGE: Final = b"<html>" + bytes(100)
UNDER_WAY: Final = (SessionState.OPEN, SessionState.FINISHING)
NEVER: Final = "never"
DEATHS: Final = st.sampled_from(
    [NEVER] * 4 + ["before complete", "after complete", "before abort", "before delete"]
)


def other_than(chunk: bytes) -> bytes:
    """Return as many bytes that are not the same."""
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


@dataclass
class Known:
    """What a client knows of an upload, and what must be true of it.

    :ivar state: of its session; None when nothing is left of it
    """

    upload_id: str
    content: bytes = field(repr=False)
    last_chunk_at: datetime
    state: SessionState | None = SessionState.OPEN
    state_since: datetime | None = None
    received: set[int] = field(default_factory=set)

    @property
    def chunks(self) -> list[bytes]:
        return [self.content[at : at + CHUNK] for at in range(0, len(self.content), CHUNK)]

    @property
    def is_whole(self) -> bool:
        return len(self.received) == len(self.chunks)


class UploadMachine(RuleBasedStateMachine):
    """Compares what the services do with what they say they do."""

    uploads = Bundle("uploads")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="upload-machine-")
        self.clock = Clock()
        workspace = open_workspace(Path(self.folder.name), self.clock)
        workspace, self.store = with_frail_store(workspace)
        self.anna = Uploads(workspace)
        self.known: list[Known] = []
        #: Somebody died since the last sweep, so that more may be stored than is needed.
        self.is_dirty = False

    def attempt(self, death: str, work: Any, *arguments: Any) -> str:
        """Do something whose process may die; return the slug of its error, or how it went."""
        self.store.fail(death)
        try:
            work(*arguments)
        except ReelflowError as error:
            return error.code
        except Died:
            self.is_dirty = True
            return "died"
        finally:
            self.store.fail(NEVER)
        return "done"

    def is_expired(self, upload: Known) -> bool:
        over = upload.last_chunk_at + SESSION_LIFETIME <= self.clock()
        return upload.state is SessionState.OPEN and over

    @rule(target=uploads, is_video=st.booleans())
    def open(self, is_video: bool) -> Known:
        content = VIDEO if is_video else PAGE
        upload = Known(self.anna.open(content), content, self.clock())
        self.known.append(upload)
        return upload

    @rule(upload=uploads, index=st.integers(0, 2), is_right=st.booleans())
    def send(self, upload: Known, index: int, is_right: bool) -> None:
        is_there = index < len(upload.chunks)
        chunk = upload.chunks[index] if is_there else b"x"
        sent = chunk if is_right else other_than(chunk)
        said = self.attempt(NEVER, self.anna.send, upload.upload_id, index, sent)
        assert said == self.expected_of_chunk(upload, index, is_there, is_right)
        if said == "done":
            upload.received.add(index)
            upload.last_chunk_at = self.clock()

    @rule(upload=uploads)
    def send_the_rest(self, upload: Known) -> None:
        for index in set(range(len(upload.chunks))) - upload.received:
            self.send(upload, index, is_right=True)

    def expected_of_chunk(self, upload: Known, index: int, is_there: bool, is_right: bool) -> str:
        if upload.state is None:
            return "upload_not_found"
        if upload.state is not SessionState.OPEN:
            return "upload_state"
        if self.is_expired(upload):
            return "upload_expired"
        if not is_there:
            return "chunk_index"
        if not is_right:
            if index in upload.received:
                return "chunk_differs"
            upload.content = self.with_chunk(upload, index)  # nobody said what it must be
        return "done"

    @staticmethod
    def with_chunk(upload: Known, index: int) -> bytes:
        chunks = upload.chunks
        chunks[index] = other_than(chunks[index])
        return b"".join(chunks)

    @rule(upload=uploads, death=DEATHS)
    def finalize(self, upload: Known, death: str) -> None:
        state = upload.state
        said = self.attempt(death, self.anna.finalize, upload.upload_id)
        if state is None:
            assert said == "upload_not_found"
        elif state is SessionState.FINISHED:
            assert said == "done"
        elif state is SessionState.CANCELLED:
            assert said == "not_this_media"
        elif self.is_expired(upload):
            assert said == "upload_expired"
        elif not upload.is_whole:
            assert said == "chunks_missing"
        else:
            self.expect_finished(upload, said, death)

    def expect_finished(self, upload: Known, said: str, death: str) -> None:
        """Say where a whole upload stands after a process finished it, or died of it."""
        is_video = upload.content[4:8] == b"ftyp"
        upload.state_since = self.clock()
        if said == "died" and death.endswith("complete"):
            upload.state = SessionState.FINISHING
        elif is_video:
            assert said == "done"
            upload.state = SessionState.FINISHED
        else:
            assert said in ("not_this_media", "died")
            upload.state = SessionState.CANCELLED

    @rule(upload=consumes(uploads), death=DEATHS)
    def cancel(self, upload: Known, death: str) -> None:
        said = self.attempt(death, cancel, self.anna.workspace, self.anna.user, upload.upload_id)
        if upload.state is None:
            assert said == "upload_not_found"
        elif upload.state is SessionState.FINISHED:
            assert said == "upload_state"
        else:
            assert said in ("done", "died")
            upload.state = None

    @rule(minutes=st.sampled_from([1, 20, 59, 61, 121]))
    def let_time_pass(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @rule(death=DEATHS)
    def sweep(self, death: str) -> None:
        overdue = [one for one in self.known if self.is_overdue(one)]
        said = self.attempt(death, lambda: expire_uploads(self.anna.workspace, actor="tests"))
        if said == "died":
            self.sweep(NEVER)
            return
        assert said == "done"
        self.is_dirty = False
        for upload in overdue:
            is_video = upload.content[4:8] == b"ftyp"
            finishing = upload.state is SessionState.FINISHING
            upload.state = SessionState.FINISHED if finishing and is_video else None
            if finishing and not is_video:
                upload.state, upload.state_since = SessionState.CANCELLED, self.clock()

    def is_overdue(self, upload: Known) -> bool:
        now = self.clock()
        if upload.state in UNDER_WAY:
            return upload.last_chunk_at + SWEPT_AFTER <= now
        if upload.state is SessionState.CANCELLED:
            assert upload.state_since is not None
            return upload.state_since + SWEPT_AFTER <= now
        return False

    def of_state(self, *states: SessionState) -> list[Known]:
        return [one for one in self.known if one.state in states]

    @invariant()
    def every_session_stands_where_it_must(self) -> None:
        if not hasattr(self, "known"):
            return
        with self.anna.workspace.ledger.read() as session:
            rows = {row.id: row for row in session.scalars(select(UploadSession))}
        for upload in self.known:
            row = rows.get(upload.upload_id)
            if upload.state is None:  # whatever waits for the sweep is not to be seen
                ended = (SessionState.CANCELLED, SessionState.EXPIRED)
                assert row is None or (row.state in ended and row.error is None)
                continue
            assert row is not None
            assert row.state is upload.state
            if upload.state in UNDER_WAY:
                missing = set(range(len(upload.chunks))) - upload.received
                assert set(missing_chunks(self.anna.workspace, row)) == missing

    @invariant()
    def finished_files_are_whole_and_nothing_is_stored_in_vain(self) -> None:
        if not hasattr(self, "known"):
            return
        finished, begun = self.of_state(SessionState.FINISHED), self.of_state(*UNDER_WAY)
        for upload in finished:
            file = data_folder(self.anna.workspace).path(f"media/{upload.upload_id}.mp4")
            assert file.read_bytes() == upload.content
        if not self.is_dirty:
            files = self.anna.stored()
            parts = [name for name in files if name.startswith(".uploads")]
            assert len(parts) <= 3 * len(begun)
            assert len(files) - len(parts) <= len(finished) + len(begun)
        sizes = [sum(len(one.content) for one in some) for some in (finished, begun)]
        assert self.anna.use() == (len(finished), sizes[0], len(begun), sizes[1])

    def teardown(self) -> None:
        if not hasattr(self, "anna"):
            return
        self.clock.advance(2 * SWEPT_AFTER)
        self.sweep(NEVER)
        self.clock.advance(2 * SWEPT_AFTER)  # what was refused by the sweep is told of for a while
        self.sweep(NEVER)
        finished = [one for one in self.known if one.state is SessionState.FINISHED]
        assert self.anna.stored() == sorted(f"media/{one.upload_id}.mp4" for one in finished)
        assert all(one.state in (SessionState.FINISHED, None) for one in self.known)
        self.anna.workspace.ledger.engine.dispose()
        self.folder.cleanup()


TestUploadMachine = UploadMachine.TestCase
TestUploadMachine.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
