from pathlib import Path

import pytest

from reelflow.client.journal import UploadJournal
from reelflow.client.submission import LocalPost, Submission, Submitted
from reelflow.domain.post import UNKEYED
from reelflow.exceptions import ServerRefusedError, ServerUnavailableError
from tests.scripted_intake import CHUNK_BYTES, Call, Reply, ScriptedIntake
from tests.unit.reelflow.client.conftest import local_file, local_photos, local_video
from tests.unit.reelflow.client.test_uploader import CUT, first_calls


@pytest.fixture
def video(tmp_path: Path) -> LocalPost:
    return local_video(local_file(tmp_path / "clip.mp4", b"v" * (CHUNK_BYTES + 1)))


@pytest.fixture
def photos(tmp_path: Path) -> LocalPost:
    names = ("1.jpg", "2.jpg", "10.jpg")
    return local_photos(
        *(local_file(tmp_path / name, name.encode() * 99, "image") for name in names)
    )


def submit(submission: Submission, post: LocalPost) -> Submitted:
    return submission.submit(post, submission.find(post), lambda _: None)


def test_a_video_becomes_one_post(
    server: ScriptedIntake, submission: Submission, video: LocalPost
) -> None:
    told: list[int] = []
    submitted = submission.submit(video, submission.find(video), told.append)
    assert submitted.is_new
    assert server.posts[submitted.post.id]["caption"] == "Hi"
    assert told[-1] == video.size_bytes


def test_photos_become_one_post_in_their_order(
    server: ScriptedIntake, submission: Submission, photos: LocalPost
) -> None:
    told: list[int] = []
    submitted = submission.submit(photos, submission.find(photos), told.append)
    assert submitted.is_new
    hashes = [server.media[one]["sha256"] for one in submitted.post.media_ids]
    assert hashes == [file.sha256 for file in photos.files]
    assert submitted.post.sha256 == photos.sha256
    assert all("post" not in call.json for call in server.calls_to("POST", "/init"))
    assert told[-1] == photos.size_bytes


@pytest.mark.parametrize("kind", ["video", "photos"])
def test_the_same_again_sends_nothing(
    server: ScriptedIntake, submission: Submission, kind: str, request: pytest.FixtureRequest
) -> None:
    post: LocalPost = request.getfixturevalue(kind)
    first = submit(submission, post)
    server.calls.clear()
    again = submit(submission, post)
    assert (again.post.id, again.is_new) == (first.post.id, False)
    assert [call.method for call in server.calls] == ["GET"]


def test_nothing_is_remembered_of_what_is_done(
    submission: Submission, journal: UploadJournal, photos: LocalPost, tmp_path: Path
) -> None:
    submit(submission, photos)
    assert list((tmp_path / "state" / "uploads").iterdir()) == []


@pytest.mark.parametrize("pattern", ["/init", "/finalize", "/posts"])
@pytest.mark.parametrize("repost", [False, True])
def test_photos_whose_answers_are_lost_become_one_post(
    server: ScriptedIntake, submission: Submission, photos: LocalPost, pattern: str, repost: bool
) -> None:
    server.lost = first_calls(1, CUT, "POST", pattern)
    submit(submission, _with(photos, repost=repost))
    assert len(server.posts) == 1


@pytest.mark.parametrize("kind", ["video", "photos"])
@pytest.mark.parametrize("journal_is_lost", [False, True])
def test_a_repost_whose_answer_was_lost_for_good_is_found_again(
    server: ScriptedIntake,
    submission: Submission,
    kind: str,
    journal_is_lost: bool,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    post: LocalPost = request.getfixturevalue(kind)
    submit(submission, post)
    once_more = _with(post, repost=True)
    pattern = "/finalize" if kind == "video" else "/posts"

    def lose(call: Call) -> Reply | None:
        return CUT if server.calls_to("POST", f"{pattern}$") else None

    server.calls.clear()
    server.lost = lose
    with pytest.raises(ServerUnavailableError):
        submit(submission, once_more)
    assert len(server.posts) == 2
    if journal_is_lost:
        for path in (tmp_path / "state" / "uploads").iterdir():
            path.unlink()
    server.lost = lambda _: None
    assert submit(submission, once_more).post.id == 2
    assert len(server.posts) == 2


def test_a_repost_with_other_fields_is_another_post(
    server: ScriptedIntake, submission: Submission, video: LocalPost
) -> None:
    submit(submission, video)
    submit(submission, _with(video, repost=True))
    submit(submission, _with(video, repost=True, caption="Again"))
    submit(submission, _with(video, repost=True, publish_at="2026-12-01T18:00:00+01:00"))
    assert len(server.posts) == 4
    submit(submission, _with(video, repost=True, publish_at="2026-12-01T17:00:00Z"))
    assert len(server.posts) == 4


def test_a_held_post_takes_over_what_is_wished_now(
    server: ScriptedIntake, submission: Submission, video: LocalPost
) -> None:
    post = submit(submission, video).post
    server.posts[post.id]["state"] = "HELD"
    again = submit(submission, _with(video, caption="Mended"))
    assert (again.post.id, again.post.state, again.is_new) == (post.id, "READY", False)
    assert server.posts[post.id]["caption"] == "Mended"


@pytest.mark.parametrize("state", sorted(UNKEYED))
def test_what_ended_is_not_sent_again_without_being_asked(
    server: ScriptedIntake, submission: Submission, video: LocalPost, state: str
) -> None:
    post = submit(submission, video).post
    server.posts[post.id]["state"] = state
    again = submit(submission, video)
    assert (again.post.state, again.is_new) == (state, False)
    assert len(server.uploads) == 1


def test_what_goes_on_is_found_rather_than_what_ended(
    server: ScriptedIntake, submission: Submission, video: LocalPost
) -> None:
    server.add_post(sha256=video.sha256, state="PUBLISHED")
    server.add_post(sha256=video.sha256, state="FAILED")
    found = submission.find(video)
    assert found is not None
    assert found.state == "PUBLISHED"


def test_the_first_is_found_rather_than_its_repost(
    server: ScriptedIntake, submission: Submission, video: LocalPost
) -> None:
    server.add_post(sha256=video.sha256)
    server.add_post(sha256=video.sha256, repost=True)
    found = submission.find(video)
    assert found is not None
    assert found.id == 1


def test_a_server_that_makes_no_post_of_a_video_is_told(
    server: ScriptedIntake, submission: Submission, video: LocalPost
) -> None:
    record = {"media": {"media_id": "m1", "posts": []}, "post": None}
    server.fault = first_calls(1, Reply(201, record), "POST", "/finalize")
    with pytest.raises(ServerRefusedError, match="no post of it"):
        submit(submission, video)


def _with(post: LocalPost, **fields: object) -> LocalPost:
    return LocalPost(
        post.name, post.place, post.account, post.kind, post.files, post.sha256,
        {**post.fields, **fields},
    )  # fmt: skip
