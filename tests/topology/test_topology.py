"""Production's services as processes of this machine, and posts on their way through them."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from demo.airflow_api import AirflowApi
from demo.environment import API_PATH
from demo.exceptions import StackError
from deploy.environment_file import GENERATED, names_in
from tests.e2e.intake_flows import Sender
from tests.e2e.scene import RUNS, unique_video
from tests.integration.raw_client import RawClient
from tests.integration.simulator_process import Simulator
from tests.s3_bucket import Bucket
from tests.topology.running import Topology

POSTS = int(os.environ.get("TOPOLOGY_POSTS", "3"))
IS_FULL_FORM = "TOPOLOGY_IMAGE" in os.environ
PUBLISHED_S = 60 + 30 * POSTS
PRIVACY = "PUBLIC_TO_EVERYONE"
DAG = "/api/v2/dags/publish_to_tiktok"
MEDIA_TASKS = {"validate", "extract_metadata", "generate_thumbnail"}
WORKERS = {"default": "worker", "media": "media-worker"}
DATABASES = ["redis", "postgres"]
#: Their health checks load Airflow, which takes seconds.
ASKED_IN_FULL_FORM = {"dag-processor", "triggerer", "worker", "media-worker"}
USER = "mia"


@pytest.fixture(scope="module")
def password(topology: Topology) -> str:
    """The password of the first user, who is made as docs/operations.md says."""
    password = secrets.token_urlsafe(16)
    topology.run(
        *("cli", "airflow", "users", "create", "--username", USER, "--role", "Admin"),
        *("--firstname", "Mia", "--lastname", "Moreau", "--email", "mia@example.com"),
        told=f"{password}\n{password}\n",
    )
    return password


@pytest.fixture(scope="module")
def airflow(topology: Topology, password: str) -> AirflowApi:
    airflow = AirflowApi(topology.native.url("api-server", 8080), user=USER, password=password)
    topology.wait(lambda: "publish_to_tiktok" in airflow.dag_ids(), "the DAG to be parsed")
    assert airflow.import_errors() == []
    return airflow


@dataclass(frozen=True)
class Published:
    """Posts that went out: what was sent, by the ids of the posts that were made of it."""

    posts: dict[int, dict[str, Any]]
    videos: list[bytes]


@pytest.fixture(scope="module")
def accounts(topology: Topology, simulator_process: Simulator) -> list[str]:
    names = []
    for account in simulator_process.accounts[:POSTS]:
        topology.run(
            *("cli", "reelflow", "accounts", "add", account["username"]),
            *("--open-id", account["open_id"], "--inbox-privacy", PRIVACY),
            told=account["access_token"],
        )
        names.append(account["username"])
    return names


@pytest.fixture(scope="module")
def published(
    topology: Topology,
    airflow: AirflowApi,
    bucket: Bucket,
    accounts: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Published:
    """Posts from the inbox in the bucket, two of them from clients of `reelflow serve`."""
    folder = tmp_path_factory.mktemp("videos")
    key = topology.run("cli", "reelflow", "keys", "create", USER, "--scope", "write").strip()
    client = RawClient(f"{topology.native.url('serve', 8000)}{API_PATH}", key)
    client.session.trust_env = False
    sent = [
        flow(Sender(client, folder, account))
        for flow, account in zip((Sender.direct, Sender.chunked), accounts, strict=False)
    ]
    videos = [one.video for one in sent]
    for number in range(POSTS - len(sent)):
        name = f"{uuid.uuid4().hex}.mp4"
        video = unique_video(folder / name).read_bytes()
        bucket.put(f"reelflow/inbox/{accounts[-1 - number % len(accounts)]}/{name}", video)
        videos.append(video)
    airflow.call("PATCH", DAG, {"is_paused": False})

    topology.wait(
        lambda: states(topology) == ["PUBLISHED"] * POSTS,
        f"{POSTS} posts to be published",
        deadline_s=PUBLISHED_S,
    )
    topology.wait(
        lambda: all(run["state"] == "success" for run in airflow.dag_runs("publish_to_tiktok")),
        "all runs to succeed",
    )
    posts = json.loads(topology.run("cli", "reelflow", "posts", "list", "--json"))
    return Published({post["id"]: post for post in posts}, videos)


def states(topology: Topology) -> list[str]:
    """Return the states of all posts, straight from the ledger."""
    cli = topology.native.services["cli"]
    url = topology.native.environment(cli)["REELFLOW_DATABASE_URL"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        return [state for (state,) in connection.execute("SELECT state FROM posts")]


def task_instances(airflow: AirflowApi) -> list[dict[str, Any]]:
    """Return what ran for the posts."""
    found: list[dict[str, Any]] = []
    while True:
        page = airflow.call("GET", f"{RUNS}/~/taskInstances", limit=100, offset=len(found))
        found += page["task_instances"]
        if len(found) >= page["total_entries"]:
            return found


def test_every_service_is_well(topology: Topology) -> None:
    checked = [one for one in topology.native.services.values() if one.runs_on]
    assert {one.name for one in checked} == {
        name for name, component in topology.running.items() if component.popen.poll() is None
    }


def test_nobody_has_a_password_that_was_not_chosen(
    topology: Topology, airflow: AirflowApi, password: str
) -> None:
    assert airflow.call("GET", DAG)["is_paused"]
    for user, guess in (("admin", "admin"), ("airflow", "airflow"), (USER, USER), (USER, "")):
        guest = AirflowApi(airflow.base_url, user=user, password=guess)
        with pytest.raises(StackError, match="refused to log"):
            guest.call("GET", DAG)


def test_no_database_lets_in_another_user(topology: Topology) -> None:
    cli = topology.native.environment(topology.native.services["cli"])
    urls = {
        "reelflow": cli["REELFLOW_DATABASE_URL"],
        "airflow": cli["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        "celery": cli["AIRFLOW__CELERY__RESULT_BACKEND"].removeprefix("db+"),
    }
    for user, url in urls.items():
        server = url.replace("+psycopg", "").rpartition("/")[0]
        for database in {*urls, "postgres"} - {user}:
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(f"{server}/{database}")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"{server}/{user}", password=user)


def test_posts_go_out_through_two_workers_that_share_no_disk(
    topology: Topology, published: Published, simulator_process: Simulator, bucket: Bucket
) -> None:
    assert len(published.posts) == POSTS
    received = [simulator_process.content(one["publish_id"]) for one in published.posts.values()]
    assert sorted(received) == sorted(published.videos)
    assert len(simulator_process.posts()) == POSTS
    left = [key for key in bucket.list() if key.startswith(("reelflow/media/", "reelflow/inbox/"))]
    assert left == []
    names = [one["thumbnail_path"] for one in published.posts.values()]
    assert {f"reelflow/{name}" for name in names} <= set(bucket.list())


def test_media_are_looked_at_by_the_worker_of_their_queue(
    topology: Topology, airflow: AirflowApi, published: Published
) -> None:
    tasks = task_instances(airflow)
    mapped = [one for one in tasks if one["map_index"] >= 0]
    for one in mapped:
        group, _, task_id = one["task_id"].partition(".")
        assert group == "publish_post"
        assert one["queue"] == ("media" if task_id in MEDIA_TASKS else "default")
    assert {one["queue"] for one in tasks} == set(WORKERS)
    for queue, worker in WORKERS.items():
        ran = [one for one in tasks if one["queue"] == queue]
        said = topology.log(worker)
        assert all(one["id"] in said for one in ran)


def test_what_a_task_said_is_in_the_bucket(
    topology: Topology, airflow: AirflowApi, bucket: Bucket, published: Published
) -> None:
    run_id = next(
        run["dag_run_id"]
        for run in airflow.dag_runs("publish_to_tiktok")
        if run["run_type"] == "asset_triggered"
    )
    kept = [key for key in bucket.list() if key.startswith("airflow-logs/")]
    assert any("task_id=publish_post.validate" in key for key in kept)
    log = airflow.call("GET", f"{RUNS}/{run_id}/taskInstances/summarize/logs/1")
    assert any("s3://" in str(line) for line in log["content"])


def test_the_cli_asks_airflow_what_a_backfill_would_post(
    topology: Topology, airflow: AirflowApi, password: str, published: Published
) -> None:
    with requests.Session() as session:
        session.trust_env = False
        who = {"username": USER, "password": password}
        answer = session.post(f"{airflow.base_url}/auth/token", json=who, timeout=30)
    answer.raise_for_status()
    today = datetime.now(UTC).date()
    said = topology.run(
        *("cli", "reelflow", "plan", "--json"),
        *("--from", str(today - timedelta(days=1)), "--to", str(today)),
        shell={"REELFLOW_AIRFLOW_TOKEN": answer.json()["access_token"]},
    )
    plan = json.loads(said)
    assert len(plan["days"]) == 2
    assert plan["would_post"] == []


def test_a_service_writes_nothing_outside_its_own_folders(
    topology: Topology, published: Published
) -> None:
    assert list((topology.native.root / "home").iterdir()) == []
    for worker in WORKERS.values():
        folder = topology.native.root / worker
        kept = {path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert not kept & set(published.videos)


def test_the_code_that_ran_is_the_images(topology: Topology, root: Path) -> None:
    told = topology.run(
        *("cli", "python", "-c"),
        "import reelflow, reelflow_provider as p; print(reelflow.__file__, p.__file__)",
    )
    assert all(Path(path).is_relative_to(root) for path in told.split())


def test_no_service_says_a_secret(
    topology: Topology, project: Path, password: str, published: Published
) -> None:
    values = names_in((project / ".env").read_text())
    hidden = [password, *(values[name] for name in GENERATED)]
    leaks = [
        (name, secret[:4])
        for name in topology.running
        for secret in hidden
        if secret in topology.log(name)
    ]
    assert leaks == []


def test_a_health_check_fails_once_its_service_is_gone(
    topology: Topology, published: Published
) -> None:
    """Last, because it ends them all; the databases after those who need them."""
    names = [name for name in topology.running if topology.native.services[name].runs_on]
    for group in ([name for name in names if name not in DATABASES], DATABASES):
        topology.stop(*group)
        asked = [name for name in group if name not in ASKED_IN_FULL_FORM or IS_FULL_FORM]
        assert [name for name in asked if topology.is_well(name)] == []
