"""The DAG under real Airflow processes with inbox and files in S3, on two workers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY
from tests.contract.storage.stores import S3Server
from tests.dags_folder import dags_folder
from tests.e2e.intake_flows import Sender, servers_of
from tests.e2e.scene import Scene, unique_video
from tests.e2e.two_workers import WORKERS, TwoWorkers
from tests.postgresql import TEMPLATE, PostgresqlServer
from tests.s3_bucket import Bucket, new_bucket

ACCOUNTS = ("aurora.kitchen", "north.trail", "paper.moon", "city.loops")
PREFIX = "reelflow"
#: Whatever runs besides, two schedulers and the rest of Airflow come up in this time.
HEALTHY_S = 300
DONE_S = 400


@pytest.fixture(scope="module")
def bucket(s3_process: S3Server) -> Bucket:
    return new_bucket(s3_process, f"{PREFIX}/")


@pytest.fixture(scope="module")
def stack(
    bucket: Bucket,
    s3_process: S3Server,
    postgresql_server: PostgresqlServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TwoWorkers]:
    connection = {
        "conn_type": "aws",
        "login": ACCESS_KEY,
        "password": SECRET_KEY,
        "extra": {
            "region_name": REGION,
            "endpoint_url": s3_process.url,
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        },
    }
    metadata, ledger = (
        postgresql_server.create_database(template=template) for template in ("template0", TEMPLATE)
    )
    folder = tmp_path_factory.mktemp("two-workers")
    dags = dags_folder(folder / "dags", "publish_to_tiktok", "prepare_media")
    stack = TwoWorkers(
        folder,
        metadata_url=postgresql_server.url(metadata),
        extra_environment={
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "REELFLOW_DATABASE_URL": postgresql_server.url(ledger),
            "REELFLOW_STORAGE_URL": f"s3://{bucket.name}/{PREFIX}",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "REELFLOW_INBOX_QUIET_S": "2",
            "REELFLOW_WATCH_INTERVAL_S": "2",
        },
        simulator_arguments=("--link-polls", "0"),
    )
    try:
        with stack:
            stack.start(ACCOUNTS)
            stack.wait_healthy(HEALTHY_S)
            yield stack
            stack.check_alive()
    finally:
        for database in (metadata, ledger):
            postgresql_server.drop_database(database)


def test_posts_go_their_way_through_the_bucket_on_workers_that_share_no_folder(
    stack: TwoWorkers, bucket: Bucket, tmp_path: Path
) -> None:
    scene = Scene(stack, tmp_path)
    videos = {}
    for account in ACCOUNTS:
        name = f"{uuid.uuid4().hex[:6]}-clip.mp4"
        videos[name] = unique_video(tmp_path / name).read_bytes()
        bucket.put(f"inbox/{account}/{name}.json", json.dumps({"caption": name}).encode())
        bucket.put(f"inbox/{account}/{name}", videos[name])
    bad = f"{uuid.uuid4().hex[:6]}-notes.mp4"
    bucket.put(f"inbox/{ACCOUNTS[0]}/{bad}", b"not a video at all")
    scene.wait_for([*videos, bad], deadline_s=DONE_S)
    scene.wait_for_runs_to_end(deadline_s=DONE_S)

    posts = {name: scene.post(name) for name in videos}
    assert {post["state"] for post in posts.values()} == {"PUBLISHED"}
    for name, video in videos.items():
        assert scene.received(posts[name]["publish_id"]) == video
    assert scene.simulator("GET", "/posts")["duplicates"] == 0
    rejected = scene.post(bad)
    assert (rejected["state"], rejected["reason_code"]) == ("REJECTED", "type")
    aside = f"quarantine/{ACCOUNTS[0]}/{rejected['id']}"
    thumbnails = [post["thumbnail_path"] for post in posts.values()]
    assert bucket.list() == sorted([f"{aside}.mp4", f"{aside}.reason.json", *thumbnails])
    assert all(bucket.get(key).startswith(b"\xff\xd8") for key in thumbnails)

    tasks = [task for run in scene.runs() for task in scene.task_instances(run["dag_run_id"])]
    hosts = {(task["rendered_map_index"], task["hostname"]) for task in tasks if task["hostname"]}
    ours = [str(stack.workers[name]) for name in WORKERS]
    assert {host for _, host in hosts} == set(ours)
    assert any({(name, host) for host in ours} <= hosts for name in videos), "no post changed hosts"
    for name in WORKERS:
        assert list(stack.home(name).rglob("*")) == []


def test_what_was_sent_straight_to_s3_or_in_chunks_is_published_byte_for_byte(
    stack: TwoWorkers, bucket: Bucket, tmp_path: Path
) -> None:
    scene = Scene(stack, tmp_path)
    sent = [
        flow(Sender(client, tmp_path, account))
        for account, client in zip(ACCOUNTS[2:], servers_of(stack), strict=True)
        for flow in (Sender.direct, Sender.chunked)
    ]
    scene.wait_for_posts([one.post_id for one in sent], deadline_s=DONE_S)
    scene.wait_for_runs_to_end(deadline_s=DONE_S)

    posts = {post["id"]: post for post in stack.posts()}
    for one in sent:
        assert posts[one.post_id]["state"] == "PUBLISHED"
        assert scene.received(posts[one.post_id]["publish_id"]) == one.video
    assert scene.simulator("GET", "/posts")["duplicates"] == 0
    left = [key for key in bucket.list() if key.partition("/")[0] in ("media", "direct-uploads")]
    assert left == []
