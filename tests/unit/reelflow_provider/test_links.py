"""The links on the tasks of a post: each leads there as soon as there is something to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstancekey import TaskInstanceKey
from sqlalchemy.exc import OperationalError

from reelflow.domain.post import PostKind
from reelflow.ledger import batches, photo_images
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.settling.settle import apply_status
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import PublishStatus
from reelflow_provider.links import (
    POST_LINKS,
    PostStoryLink,
    SimulatorLink,
    ThumbnailLink,
    TikTokPostLink,
)
from reelflow_provider.operators.media import ValidateMediaOperator
from reelflow_provider.operators.tiktok import TikTokUploadOperator
from reelflow_provider.sensors.tiktok import TikTokPublishStatusSensor
from tests import factories
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow_provider.airflow_run import airflow_run
from tests.unit.reelflow_provider.airflow_task import publish_id_of
from tests.unit.reelflow_provider.conftest import Connect

BASE_URL = "https://airflow.example/team"
Rendered = dict[str, Any]


@pytest.fixture(autouse=True)
def rendered(monkeypatch: pytest.MonkeyPatch) -> Rendered:
    """What Airflow's database has of the task instance's fields."""
    fields: Rendered = {}

    def find(ti_key: TaskInstanceKey, *, session: object) -> Rendered | None:
        return fields or None

    monkeypatch.setattr(RenderedTaskInstanceFields, "get_templated_fields", find)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE_URL)
    return fields


def link_of(kind: type[Any]) -> str:
    key = TaskInstanceKey("their_own", "validate", "run-7", 1, -1)
    link: str = kind().get_link(None, ti_key=key)
    return link


def test_the_operators_of_a_post_have_them_all() -> None:
    for link in POST_LINKS:
        wanted = {ValidateMediaOperator, TikTokUploadOperator, TikTokPublishStatusSensor}
        assert wanted <= set(link.operators)


# Which post it is


def test_the_post_is_what_the_task_was_given(
    worker: Workspace, account: Account, rendered: Rendered
) -> None:
    rendered["post_id"] = factories.make_post(worker, account).id
    assert link_of(PostStoryLink).endswith(f"/posts/{rendered['post_id']}/page")


def test_of_runs_that_airflow_keeps_no_fields_of_it_is_what_the_tasks_were_mapped_over(
    worker: Workspace, account: Account
) -> None:
    names = ("last.mp4", "first.mp4")
    last, first = (factories.make_post(worker, account, file_name=one).id for one in names)
    with worker.ledger.write() as session:
        batches.append(session, "run-7", sorted((last, first)), now=worker.ledger.now())
    with airflow_run("publish_to_tiktok", "find_new_uploads") as run:
        run.find(first, last)
        key = run.work("publish_post.validate", 0, label="first.mp4")
        assert PostStoryLink().get_link(None, ti_key=key).endswith(f"/posts/{first}/page")
        run.find(last, first)  # cleared alone: the name tells
        assert PostStoryLink().get_link(None, ti_key=key).endswith(f"/posts/{first}/page")


@pytest.mark.parametrize("post_id", [4711, "{{ a template }}", None])
@pytest.mark.parametrize("kind", [type(link) for link in POST_LINKS])
def test_an_unknown_post_has_none(
    kind: type[Any], post_id: object, worker: Workspace, rendered: Rendered
) -> None:
    rendered["post_id"] = post_id
    assert link_of(kind) == ""


def test_a_ledger_out_of_reach_is_no_reason_to_show_nothing_else_of_the_task(
    worker: Workspace, account: Account, rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered["post_id"] = factories.make_post(worker, account).id
    monkeypatch.setenv("REELFLOW_FERNET_KEY", "not a key")
    assert link_of(PostStoryLink) == ""


def test_nor_is_a_database_of_airflow_that_is(
    worker: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, *, session: object) -> None:
        raise OperationalError("select", {}, Exception("locked"))

    monkeypatch.setattr(RenderedTaskInstanceFields, "get_templated_fields", fail)
    assert link_of(PostStoryLink) == ""


# The post on TikTok


def test_a_public_post_is_linked_by_its_creators_handle_and_its_id(
    worker: Workspace, sent_post: Callable[..., Post], rendered: Rendered
) -> None:
    post = sent_post()
    rendered["post_id"] = post.id
    factories.change_account(worker, post.account_id, username="aurora.kitchen")
    assert link_of(TikTokPostLink) == ""
    status = PublishStatus("PUBLISH_COMPLETE", post_ids=("7300000000000000001",))
    apply_status(worker, post.id, publish_id_of(worker, post), status, actor="tests")
    address = "https://www.tiktok.com/@aurora.kitchen/video/7300000000000000001"
    assert link_of(TikTokPostLink) == address


# The thumbnail


def test_a_thumbnail_is_linked_once_it_is_made(
    worker: Workspace, account: Account, rendered: Rendered
) -> None:
    post = factories.make_post(worker, account)
    rendered["post_id"] = post.id
    assert link_of(ThumbnailLink) == ""
    with worker.ledger.write() as session:
        session.get_one(Media, post.media_id).thumbnail_path = "thumbnails/one.jpg"
    expected = f"{BASE_URL}/reelflow/api/v1/media/{post.media_id}/thumbnail"
    assert link_of(ThumbnailLink) == expected


def test_of_photos_it_is_the_cover_s(
    worker: Workspace, account: Account, rendered: Rendered
) -> None:
    first, second = (factories.make_post(worker, account) for _ in range(2))
    rendered["post_id"] = first.id
    with worker.ledger.write() as session:
        photo_images.add(session, first.id, [first.media_id, second.media_id])
        session.get_one(Media, second.media_id).thumbnail_path = "thumbnails/two.jpg"
    factories.change_post(worker, first.id, kind=PostKind.PHOTO, photo_cover_index=1)
    assert link_of(ThumbnailLink).endswith(f"/media/{second.media_id}/thumbnail")


# The simulator


def test_the_simulators_page_is_linked_where_it_gets_the_posts(
    worker: Workspace, account: Account, tiktok: Simulator, rendered: Rendered
) -> None:
    rendered["post_id"] = factories.make_post(worker, account).id
    assert link_of(SimulatorLink) == f"{tiktok.api}/_sim/"


@pytest.mark.parametrize(
    ("upload_hosts", "host"),
    [("", "http://127.0.0.1:4001"), ("127.0.0.1:4002", "open.tiktokapis.com")],
)
def test_where_tiktok_gets_the_posts_there_is_no_simulator(
    upload_hosts: str,
    host: str,
    worker: Workspace,
    account: Account,
    connect: Connect,
    rendered: Rendered,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rendered["post_id"] = factories.make_post(worker, account).id
    monkeypatch.setenv("REELFLOW_SIMULATOR_UPLOAD_HOSTS", upload_hosts)
    connect(host)
    assert link_of(SimulatorLink) == ""
