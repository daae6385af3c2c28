import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.client.journal import UploadJournal
from reelflow.client.uploader import Uploader, upload_key
from reelflow.exceptions import (
    ServerRefusedError,
    ServerUnavailableError,
    SourceChangedError,
)
from tests.scripted_intake import CHUNK_BYTES, Call, Reply, ScriptedIntake, refusal
from tests.unit.reelflow.client.conftest import Pauses, local_file

WISH = {"account": "acme", "caption": "Hi", "privacy_level": "SELF_ONLY"}
CONTENT = os.urandom(4 * CHUNK_BYTES + 1234)
Fault = Callable[[Call], Reply | None]


def first_calls(times: int, reply: Reply, method: str, pattern: str) -> Fault:
    """Answer the first calls of a kind otherwise."""
    left, lock = [times], threading.Lock()

    def fault(call: Call) -> Reply | None:
        with lock:
            if left[0] and call.method == method and pattern in call.path:
                left[0] -= 1
                return reply
        return None

    return fault


CUT = Reply(cut=True)


def upload(uploader: Uploader, path: Path, content: bytes = CONTENT) -> list[int]:
    """Upload a file, and return how far it was told to be."""
    told: list[int] = []
    file = local_file(path, content)
    ended = uploader.upload(file, key="k", post=WISH, on_progress=told.append)
    assert ended.post is not None
    assert ended.post.sha256 == file.sha256
    return told


def chunks_sent(server: ScriptedIntake) -> list[int]:
    return sorted(int(call.path.rsplit("/", 1)[1]) for call in server.calls_to("PUT", "chunks"))


def test_every_chunk_is_sent_once(
    server: ScriptedIntake, uploader: Uploader, tmp_path: Path
) -> None:
    told = upload(uploader, tmp_path / "clip.mp4")
    assert server.uploads["up1"].content == CONTENT
    assert chunks_sent(server) == [0, 1, 2, 3, 4]
    assert told[0] == 0
    assert max(told) == told[-1] == len(CONTENT)


def test_chunks_are_sent_in_parallel(
    server: ScriptedIntake, uploader: Uploader, tmp_path: Path
) -> None:
    together = threading.Barrier(4, timeout=10)

    def meet(call: Call) -> None:
        if "/chunks/4" not in call.path and call.method == "PUT":
            together.wait()

    server.fault = meet
    upload(uploader, tmp_path / "clip.mp4")


@pytest.mark.parametrize("reply", [CUT, Reply(503), refusal(409, "chunk_busy", "busy")])
@pytest.mark.parametrize(
    ("method", "pattern"),
    [("POST", "/init"), ("PUT", "/chunks/2"), ("GET", "/status"), ("POST", "/finalize")],
)
def test_a_call_that_fails_is_made_again(
    server: ScriptedIntake,
    uploader: Uploader,
    pauses: Pauses,
    tmp_path: Path,
    reply: Reply,
    method: str,
    pattern: str,
) -> None:
    server.fault = first_calls(2, reply, method, pattern)
    upload(uploader, tmp_path / "clip.mp4")
    assert server.uploads["up1"].content == CONTENT
    assert 1 <= len(pauses) <= 2


@pytest.mark.parametrize("pattern", ["/chunks/", "/finalize"])
def test_an_answer_that_is_lost_costs_no_byte_and_makes_nothing_twice(
    server: ScriptedIntake, uploader: Uploader, tmp_path: Path, pattern: str
) -> None:
    method = "PUT" if "chunks" in pattern else "POST"
    server.lost = first_calls(1, CUT, method, pattern)
    upload(uploader, tmp_path / "clip.mp4")
    assert chunks_sent(server) == [0, 1, 2, 3, 4]
    assert len(server.posts) == 1


def test_after_a_loss_only_what_the_server_misses_is_sent(
    server: ScriptedIntake, uploader: Uploader, journal: UploadJournal, tmp_path: Path
) -> None:
    server.fault = first_calls(99, CUT, "PUT", "/chunks/3")
    with pytest.raises(ServerUnavailableError):
        upload(uploader, tmp_path / "clip.mp4")
    assert journal.find("k") == "up1"
    server.fault = lambda _: None
    server.calls.clear()
    told = upload(uploader, tmp_path / "clip.mp4")
    assert chunks_sent(server) == [3] or chunks_sent(server) == [3, 4]
    assert told[0] >= 3 * CHUNK_BYTES
    assert len(server.uploads) == 1


def test_a_server_that_stays_away_is_left_after_some_pauses(
    server: ScriptedIntake, uploader: Uploader, pauses: Pauses, tmp_path: Path
) -> None:
    server.fault = lambda _: CUT
    with pytest.raises(ServerUnavailableError):
        upload(uploader, tmp_path / "clip.mp4")
    assert pauses == [1, 2, 4, 8]


def test_a_long_upload_over_a_bad_connection_gets_there(
    server: ScriptedIntake, uploader: Uploader, pauses: Pauses, tmp_path: Path
) -> None:
    """One chunk a try gets through: more tries than patience has, but each after progress."""
    passed, lock = [0], threading.Lock()

    def fault(call: Call) -> Reply | None:
        with lock:
            if call.method == "GET":
                passed[0] = 0
            if call.method == "PUT":
                passed[0] += 1
            return CUT if passed[0] > 1 else None

    server.fault = fault
    content = os.urandom(9 * CHUNK_BYTES)
    upload(uploader, tmp_path / "clip.mp4", content)
    assert server.uploads["up1"].content == content
    assert pauses == [1] * 8


@pytest.mark.parametrize("code", ["upload_not_found", "upload_expired", "chunk_differs"])
def test_an_upload_that_the_server_gave_up_is_begun_anew(
    server: ScriptedIntake, uploader: Uploader, tmp_path: Path, code: str
) -> None:
    server.fault = first_calls(1, refusal(409, code, "gone"), "PUT", "/chunks/1")
    upload(uploader, tmp_path / "clip.mp4")
    assert server.uploads["up2"].content == CONTENT


def test_an_upload_that_never_lives_long_enough_is_not_begun_without_end(
    server: ScriptedIntake, uploader: Uploader, tmp_path: Path
) -> None:
    server.fault = first_calls(99, refusal(409, "upload_expired", "too old"), "PUT", "/chunks/")
    with pytest.raises(ServerRefusedError, match="too old"):
        upload(uploader, tmp_path / "clip.mp4")
    assert len(server.uploads) == 3


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_an_upload_that_ended_meanwhile_is_begun_anew(
    server: ScriptedIntake, uploader: Uploader, journal: UploadJournal, tmp_path: Path, state: str
) -> None:
    journal.keep("k", "up0")
    told = {"chunk_size": CHUNK_BYTES, "total_chunks": 5, "state": state, "missing": []}
    server.fault = first_calls(1, Reply(200, told), "GET", "up0")
    upload(uploader, tmp_path / "clip.mp4")
    assert server.uploads["up1"].content == CONTENT


@pytest.mark.parametrize("code", ["upload_state", "chunks_missing"])
def test_an_upload_that_is_not_as_it_was_is_looked_at_anew(
    server: ScriptedIntake, uploader: Uploader, tmp_path: Path, code: str
) -> None:
    server.fault = first_calls(1, refusal(409, code, "otherwise"), "POST", "/finalize")
    upload(uploader, tmp_path / "clip.mp4")
    assert list(server.uploads) == ["up1"]


def test_a_journal_that_names_an_upload_of_another_file_costs_nothing(
    server: ScriptedIntake, uploader: Uploader, journal: UploadJournal, tmp_path: Path
) -> None:
    journal.keep("k", "none")
    upload(uploader, tmp_path / "clip.mp4")
    assert server.uploads["up1"].content == CONTENT


def test_a_refusal_is_told_at_once(
    server: ScriptedIntake, uploader: Uploader, pauses: Pauses, tmp_path: Path
) -> None:
    server.fault = first_calls(9, refusal(507, "storage_full", "no room"), "POST", "/init")
    with pytest.raises(ServerRefusedError, match="no room"):
        upload(uploader, tmp_path / "clip.mp4")
    assert pauses == []


def test_a_file_that_changed_since_it_was_checked_is_not_sent(
    server: ScriptedIntake, uploader: Uploader, tmp_path: Path
) -> None:
    file = local_file(tmp_path / "clip.mp4", b"first")
    file.path.write_bytes(b"other bytes")
    with pytest.raises(SourceChangedError, match="since it was checked"):
        uploader.upload(file, key="k", post=WISH, on_progress=lambda _: None)
    assert server.calls == []


@pytest.mark.parametrize(
    "is_then",
    [lambda call: "/chunks/1" in call.path, lambda call: call.method == "GET"],
    ids=["while it is sent", "before its upload ends"],
)
def test_a_file_that_changes_meanwhile_is_no_post(
    server: ScriptedIntake,
    uploader: Uploader,
    tmp_path: Path,
    is_then: Callable[[Call], bool],
) -> None:
    file = local_file(tmp_path / "clip.mp4", CONTENT)

    def write(call: Call) -> None:
        if is_then(call):
            file.path.write_bytes(CONTENT[::-1])

    server.fault = write
    with pytest.raises(SourceChangedError):
        uploader.upload(file, key="k", post=WISH, on_progress=lambda _: None)
    assert server.posts == {}


def test_a_file_that_is_renamed_while_it_is_sent_goes_on(
    server: ScriptedIntake, uploader: Uploader, tmp_path: Path
) -> None:
    file = local_file(tmp_path / "clip.mp4", CONTENT)

    def rename(call: Call) -> None:
        if "/chunks/1" in call.path:
            file.path.rename(tmp_path / "other.mp4")

    server.fault = rename
    uploader.upload(file, key="k", post=WISH, on_progress=lambda _: None)
    assert server.uploads["up1"].content == CONTENT


def key_of(url: str = "u", account: str = "a", place: int = 0, **wish: object) -> str:
    return upload_key(url, account, "s", place=place, wish=wish)


def test_an_upload_is_remembered_by_server_account_content_and_place() -> None:
    others = [key_of(url="v"), key_of(account="b"), key_of(place=1), key_of(repost=True)]
    assert len({key_of(), *others}) == 5
    assert key_of(caption="mended") == key_of()
    assert key_of(repost=True, caption="x") != key_of(repost=True, caption="y")
