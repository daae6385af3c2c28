"""A post's whole way with its files in S3, by two workers that share no folder.

Each has the ledger, and the bucket by its own settings; what one stage does, the other's next stage
goes on with.
"""

from __future__ import annotations

import json
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from reelflow.domain.post import DONE, PostState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import (
    MediaRejectedError,
    MediaUnreadableError,
    PostFailedError,
    ReelflowError,
    StorageAccessError,
    StorageUnavailableError,
)
from reelflow.ledger.models import Account, Post
from reelflow.services.cleanup import clean_up_files
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.published_file import open_published
from reelflow.services.publishing.publish import Uploaded, upload_to_tiktok
from reelflow.services.settling.settle import apply_status
from reelflow.services.steering.commands import retry
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from tests import factories, media_files, sparse_video
from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY
from tests.contract.storage.stores import S3Server
from tests.factories import waiting_work
from tests.integration.publisher import CHUNK, SMALL_CHUNKS
from tests.integration.simulator_process import Simulator
from tests.photo_files import media_of
from tests.s3_bucket import Bucket, new_bucket

RUN, ACTOR = "run-1", "tests"
PREFIX = "reelflow"
MIB = 1024 * 1024
#: How often a worker's client makes a call.
ATTEMPTS = 2


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    return new_bucket(s3_server, f"{PREFIX}/")


@pytest.fixture
def workers(
    bucket: Bucket, s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Workspace]:
    """Two workers, each with a home of its own."""
    connection = {
        "conn_type": "aws",
        "login": ACCESS_KEY,
        "password": SECRET_KEY,
        "extra": {
            "region_name": REGION,
            "endpoint_url": s3_server.url,
            "config_kwargs": {
                "s3": {"addressing_style": "path"},
                "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
            },
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    (tmp_path / "shared").mkdir()
    database_url = factories.migrated_sqlite(tmp_path / "shared")
    return [
        Settings(
            home=tmp_path / name,
            storage_url=f"s3://{bucket.name}/{PREFIX}",
            database_url=database_url,
            fernet_key=factories.FERNET_KEY,
            inbox_quiet_s=0,
        ).open_workspace()
        for name in ("one", "two")
    ]


@pytest.fixture
def account(workers: list[Workspace], simulator: Simulator) -> Account:
    creator = simulator.accounts[0]
    return factories.make_account(
        workers[0], "aurora", open_id=creator["open_id"], access_token=creator["access_token"]
    )


def long_video() -> bytes:
    """A small video of three chunks: what it lacks is a box that nobody reads."""
    video = media_files.h264_mp4().read_bytes()
    padding = 3 * CHUNK
    return video + struct.pack(">I4s", 8 + padding, b"free") + bytes(padding)


def find(worker: Workspace) -> list[Post]:
    run = NormalRun(RUN, worker.ledger.now(), worker.rules.max_lateness)
    batch = find_new_uploads(worker, run, actor=ACTOR)
    return [factories.read_post(worker, entry.post_id) for entry in batch]


def upload(worker: Workspace, simulator: Simulator, post: Post) -> Uploaded:
    with simulator.client(SMALL_CHUNKS) as client:
        return upload_to_tiktok(
            worker,
            factories.account_clients(worker, client),
            post.id,
            run_id=RUN,
            owner="run-1/upload[0]",
            limits=SMALL_CHUNKS,
        )


def _bounds(value: str) -> tuple[int, int]:
    """Read ``bytes=0-9``."""
    first, _, last = value.removeprefix("bytes=").partition("-")
    return int(first), int(last)


def settle(worker: Workspace, simulator: Simulator, uploaded: Uploaded) -> PostState:
    token = simulator.accounts[0]["access_token"]
    with simulator.client(SMALL_CHUNKS) as client:
        for _ in range(4):
            status = client.fetch_status(token, uploaded.publish_id)
            state = apply_status(worker, uploaded.post_id, uploaded.publish_id, status, actor=ACTOR)
    return state


def test_a_video_goes_its_way_from_bucket_to_tiktok(
    workers: list[Workspace], account: Account, bucket: Bucket, simulator: Simulator, tmp_path: Path
) -> None:
    one, two = workers
    video = long_video()
    bucket.put("inbox/aurora/My clip.mp4", video)
    sidecar = {"privacy_level": "PUBLIC_TO_EVERYONE", "caption": "From S3"}
    bucket.put("inbox/aurora/My clip.mp4.json", json.dumps(sidecar).encode())
    assert len(waiting_work(two)) == 1
    one.folders.check()

    (post,) = find(one)
    assert (post.caption, post.media.file_name) == ("From S3", "My clip.mp4")
    source = post.media.source_path
    assert bucket.list() == [source, f"{source}.json"]
    assert waiting_work(two) == frozenset()

    validate(two, post.id, run_id=RUN, actor=ACTOR)
    assert extract_metadata(one, post.id, run_id=RUN)["video_codec"] == "h264"
    thumbnail = generate_thumbnail(two, post.id, run_id=RUN, actor=ACTOR)
    assert bucket.get(thumbnail).startswith(b"\xff\xd8")
    assert generate_thumbnail(one, post.id, run_id=RUN, actor=ACTOR) == thumbnail

    uploaded = upload(one, simulator, post)
    assert simulator.content(uploaded.publish_id) == video
    assert settle(two, simulator, uploaded) is PostState.PUBLISHED
    assert clean_up_files(two, post.id)
    assert bucket.list() == [thumbnail]
    homes = [path for name in ("one", "two") for path in (tmp_path / name).rglob("*")]
    assert homes == []


def test_the_stages_read_a_large_video_once_and_a_little_more(
    workers: list[Workspace],
    account: Account,
    bucket: Bucket,
    s3_server: S3Server,
    tmp_path: Path,
) -> None:
    """Once is for the hash, and the rest what 1 GiB may cost in ``test_media_ranges``."""
    one, two = workers
    large = tmp_path / "large.mp4"
    sparse_video.make_sparse(large, size_bytes=128 * MIB, faststart=True)
    bucket.put("inbox/aurora/large.mp4", b"")
    s3_server.give_content(bucket.name, f"{PREFIX}/inbox/aurora/large.mp4", large)
    (post,) = find(one)
    s3_server.reset()

    validate(two, post.id, run_id=RUN, actor=ACTOR)
    extract_metadata(one, post.id, run_id=RUN)
    generate_thumbnail(two, post.id, run_id=RUN, actor=ACTOR)

    asked = [_bounds(call["range"]) for call in s3_server.calls() if call["method"] == "GET"]
    passed_bytes = sum(last - first + 1 for first, last in asked)
    assert 0 <= passed_bytes - large.stat().st_size <= 32 * MIB


def test_a_refused_video_lies_in_the_quarantine_and_comes_back(
    workers: list[Workspace], account: Account, bucket: Bucket
) -> None:
    one, two = workers
    bucket.put("inbox/aurora/bad.mp4", b"not a video")
    (post,) = find(one)
    with pytest.raises(MediaRejectedError):
        validate(two, post.id, run_id=RUN, actor=ACTOR)
    aside = f"quarantine/aurora/{post.id}"
    assert bucket.list() == [f"{aside}.mp4", f"{aside}.reason.json"]
    assert json.loads(bucket.get(f"{aside}.reason.json"))["post_id"] == post.id
    retry(one, post.id, actor=ACTOR)
    assert bucket.list() == [post.media.source_path]
    with pytest.raises(MediaRejectedError, match=r"bad\.mp4 is rejected"):
        validate(two, post.id, run_id=RUN, actor=ACTOR)


def test_a_source_that_is_replaced_between_two_stages_is_not_posted(
    workers: list[Workspace], account: Account, bucket: Bucket, simulator: Simulator
) -> None:
    one, two = workers
    bucket.put("inbox/aurora/clip.mp4", media_files.h264_mp4().read_bytes())
    (post,) = find(one)
    validate(two, post.id, run_id=RUN, actor=ACTOR)
    bucket.put(post.media.source_path, long_video())
    with pytest.raises(PostFailedError, match=r"clip\.mp4 changed after it was taken"):
        upload(one, simulator, post)
    assert simulator.uploads() == []
    assert bucket.list() == [post.media.source_path]


def test_a_source_that_is_replaced_between_two_chunks_is_not_published(
    workers: list[Workspace], account: Account, bucket: Bucket, simulator: Simulator
) -> None:
    one, two = workers
    bucket.put("inbox/aurora/clip.mp4", long_video())
    (post,) = find(one)
    validate(two, post.id, run_id=RUN, actor=ACTOR)
    simulator.hold(0, "after")
    with ThreadPoolExecutor(1) as executor:
        try:
            uploading = executor.submit(upload, one, simulator, post)
            simulator.wait_until_held()
            bucket.put(post.media.source_path, long_video() + b"more")
        finally:
            simulator.release()
        assert isinstance(uploading.exception(), PostFailedError)
    assert simulator.posts() == []
    after = factories.read_post(two, post.id)
    assert (after.state, after.reason_code) == (PostState.FAILED, "source_changed")


@pytest.fixture
def long_post(
    workers: list[Workspace], account: Account, bucket: Bucket, s3_server: S3Server
) -> Post:
    """A post of a video of several chunks; what validating it asked of S3 is forgotten."""
    bucket.put("inbox/aurora/clip.mp4", long_video())
    (post,) = find(workers[0])
    validate(workers[1], post.id, run_id=RUN, actor=ACTOR)
    s3_server.reset()
    return post


def test_each_chunk_is_one_stream_from_the_bucket(
    workers: list[Workspace], long_post: Post, simulator: Simulator, s3_server: S3Server
) -> None:
    uploaded = upload(workers[0], simulator, long_post)
    assert simulator.content(uploaded.publish_id) == long_video()
    asked = [_bounds(call["range"]) for call in s3_server.calls() if call["method"] == "GET"]
    starts = [0, CHUNK, 2 * CHUNK]
    # Before each chunk a byte, to see that all is as it was.
    assert [first for first, _ in asked] == [start for start in starts for _ in range(2)]
    assert sum(last - first + 1 for first, last in asked) == len(long_video()) + len(starts)


def test_a_stream_that_breaks_off_goes_on_in_the_same_chunk(
    workers: list[Workspace], long_post: Post, simulator: Simulator, s3_server: S3Server
) -> None:
    s3_server.fault("GET", long_post.media.id, kind="cut", range=f"-{CHUNK - 1}", times=3)
    uploaded = upload(workers[0], simulator, long_post)
    assert simulator.content(uploaded.publish_id) == long_video()
    assert len(simulator.uploads()) == 1
    asked = [_bounds(call["range"]) for call in s3_server.calls() if call["method"] == "GET"]
    starts = [first for first, last in asked if last == CHUNK - 1]
    assert starts == [0, CHUNK // 2, CHUNK * 3 // 4, CHUNK * 7 // 8]


@pytest.mark.parametrize(
    ("status", "code", "kind", "fix"),
    [
        (403, "AccessDenied", StorageAccessError, "allow these credentials s3:GetObject"),
        (503, "SlowDown", StorageUnavailableError, "try again later"),
        (500, "InternalError", StorageUnavailableError, "try again later"),
    ],
)
def test_a_bucket_that_refuses_any_stage_costs_a_try_and_nothing_else(
    workers: list[Workspace],
    account: Account,
    bucket: Bucket,
    simulator: Simulator,
    s3_server: S3Server,
    status: int,
    code: str,
    kind: type[ReelflowError],
    fix: str,
) -> None:
    """Each stage is refused once, and tried again when the bucket lets it."""
    one, two = workers
    bucket.put("inbox/aurora/clip.mp4", media_files.h264_mp4().read_bytes())
    (post,) = find(one)
    source = post.media.source_path
    uploaded: list[Uploaded] = []
    stages = {
        "validate": lambda: validate(two, post.id, run_id=RUN, actor=ACTOR),
        "thumbnail": lambda: generate_thumbnail(one, post.id, run_id=RUN, actor=ACTOR),
        "upload": lambda: uploaded.append(upload(two, simulator, post)),
    }
    for name, stage in stages.items():
        before = bucket.list()
        s3_server.fault("*", post.media.id, status=status, code=code, times=20)
        with pytest.raises(kind, match=f"{PREFIX}/{source}.*{fix}"):
            stage()
        s3_server.reset()
        kept = factories.read_post(one, post.id)
        assert (name, kept.state in (PostState.READY, PostState.UPLOADING)) == (name, True)
        assert bucket.list() == before
        s3_server.fault("*", post.media.id, status=503, code="SlowDown", times=ATTEMPTS - 1)
        stage()

    assert settle(one, simulator, uploaded[0]) in DONE
    before = bucket.list()
    s3_server.fault("DELETE", status=status, code=code, times=20)
    with pytest.raises(kind, match=f"{PREFIX}/{source}.*{fix}"):
        clean_up_files(two, post.id)
    s3_server.reset()
    assert bucket.list() == before
    assert clean_up_files(one, post.id)
    assert bucket.list() == [key for key in before if key != source]


def test_a_bucket_that_refuses_the_inbox_keeps_what_lies_in_it(
    workers: list[Workspace], account: Account, bucket: Bucket, s3_server: S3Server
) -> None:
    one, two = workers
    bucket.put("inbox/aurora/clip.mp4", media_files.h264_mp4().read_bytes())
    s3_server.fault("GET", "list-type=2", status=403, code="AccessDenied", times=20)
    with pytest.raises(StorageAccessError, match=f"{bucket.name}/{PREFIX}/inbox.*s3:ListBucket"):
        find(one)
    s3_server.reset()
    s3_server.fault("PUT", "media", status=403, code="AccessDenied", times=20)
    (post,) = find(one)
    assert "inbox/aurora/clip.mp4 may not be used (AccessDenied)" in str(post.rescheduled_because)
    assert bucket.list() == ["inbox/aurora/clip.mp4"]
    s3_server.reset()
    find(two)
    assert bucket.list() == [post.media.source_path]


@pytest.mark.parametrize("stage", ["validate", "thumbnail", "upload"])
@pytest.mark.parametrize("damage", ["missing", "replaced"])
def test_a_source_that_is_not_there_any_more_is_named_with_key_and_fix(
    workers: list[Workspace],
    account: Account,
    bucket: Bucket,
    simulator: Simulator,
    stage: str,
    damage: str,
) -> None:
    one, two = workers
    bucket.put("inbox/aurora/clip.mp4", media_files.h264_mp4().read_bytes())
    (post,) = find(one)
    source = post.media.source_path
    if stage != "validate":
        validate(two, post.id, run_id=RUN, actor=ACTOR)
    replaced = long_video()
    if damage == "missing":
        bucket.delete(source)
    else:
        bucket.put(source, replaced)
    said = rf" {source}(?s:.*)put the file into the inbox again"
    if stage == "upload":
        with pytest.raises(PostFailedError, match=said) as told:
            upload(one, simulator, post)
    else:
        work = validate if stage == "validate" else generate_thumbnail
        with pytest.raises(MediaRejectedError, match=said) as told:
            work(one, post.id, run_id=RUN, actor=ACTOR)
        assert factories.read_post(one, post.id).state is PostState.REJECTED
    assert str(told.value).count("into the inbox again") == 1
    assert simulator.uploads() == []
    left = bucket.list()
    kept = [bucket.get(key) for key in left if key.endswith(".mp4")]
    assert kept == ([replaced] if damage == "replaced" else [])


def test_a_folder_of_images_becomes_one_post(
    workers: list[Workspace], account: Account, bucket: Bucket, tmp_path: Path
) -> None:
    one, two = workers
    for number in (1, 2):
        path = tmp_path / f"{number}.jpg"
        Image.new("RGB", (640, 480), (number * 90, 80, 40)).save(path)
        bucket.put(f"inbox/aurora/trip/{number}.jpg", path.read_bytes())
    bucket.put("inbox/aurora/trip/.DS_Store", b"litter")
    (post,) = find(one)
    assert post.kind == "photo"
    validate(two, post.id, run_id=RUN, actor=ACTOR)
    thumbnail = generate_thumbnail(one, post.id, run_id=RUN, actor=ACTOR)
    kept = bucket.list()
    assert len(kept) == 3
    assert thumbnail in kept


def test_the_copy_of_a_photo_is_made_by_one_worker_and_found_by_the_other(
    workers: list[Workspace], account: Account, bucket: Bucket, tmp_path: Path
) -> None:
    one, two = workers
    path = tmp_path / "1.png"
    Image.new("RGB", (640, 480), "red").save(path)
    bucket.put("inbox/aurora/trip/1.png", path.read_bytes())
    (post,) = find(one)
    validate(two, post.id, run_id=RUN, actor=ACTOR)
    (media,) = media_of(one, post)
    copy = f"prepared/{media.id}.jpg"
    assert media.prepared_path == copy
    with open_published(one, media, post_id=post.id) as source:
        assert source.read_at(0, source.size_bytes) == bucket.get(copy)
    bucket.put(copy, b"another")
    with (
        pytest.raises(MediaUnreadableError, match="was deleted or changed"),
        open_published(one, media, post_id=post.id),
    ):
        pass
    validate(one, post.id, run_id=RUN, actor=ACTOR)  # finds it lost
    assert bucket.get(copy).startswith(b"\xff\xd8\xff")
    factories.change_post(one, post.id, state=PostState.PUBLISHED)
    assert clean_up_files(two, post.id)
    assert bucket.list() == []
