"""What is set up wrongly, at the tasks of the DAGs themselves: who is stopped, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, BaseOperator
from cryptography.fernet import Fernet
from sqlalchemy import text

from reelflow.domain.post import DONE, PostState
from reelflow.exceptions import ConfigurationError, LedgerNotMigratedError
from reelflow.ledger import accounts
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.models import Account, Post
from reelflow.services.workspace import Workspace
from reelflow_provider.operators.posts import FindNewUploadsOperator, SummarizeOperator
from reelflow_provider.operators.tiktok import TikTokUploadOperator
from tests import factories
from tests.integration.simulator_process import Simulator
from tests.unit.reelflow_provider.airflow_task import Ended, run_task
from tests.unit.reelflow_provider.conftest import Connect

DAGS = Path(__file__).parents[3] / "dags"
#: One only wakes another, and is no DAG without its setting.
DAG_IDS = sorted(path.stem for path in DAGS.glob("*.py") if not path.stem.startswith("wake_"))


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(dag_folder=str(DAGS), safe_mode=False)


@pytest.fixture(params=DAG_IDS)
def first_tasks(
    bag: DagBag, request: pytest.FixtureRequest, connect: Connect
) -> list[BaseOperator]:
    """The tasks of a DAG that wait for no other: what they refuse, no other begins."""
    connect("127.0.0.1:9", password="the client secret")
    dag = bag.dags[request.param]
    assert isinstance(dag, DAG)
    return [task for task in dag.roots if isinstance(task, BaseOperator)]


@pytest.fixture
def post(worker: Workspace, account: Account) -> Post:
    """A post that is due, for which every DAG has something to do or to tell."""
    return factories.make_post(worker, account)


def untouched(worker: Workspace, post: Post) -> bool:
    """Whether nothing of a post was changed, nor of its story."""
    now = factories.read_post(worker, post.id)
    columns = [column.key for column in Post.__table__.columns]
    return all(getattr(now, name) == getattr(post, name) for name in columns)


# Conf.


def test_a_run_with_an_unknown_conf_ends_before_any_post_and_names_it(
    first_tasks: list[BaseOperator], worker: Workspace, post: Post
) -> None:
    for task in first_tasks:
        ended = run_task(task, conf={"acount": "aurora", "dry_run": False})
        assert ended.state == "failed"  # the conf stays, so trying again helps nobody
        assert isinstance(ended.error, ConfigurationError)
        message = str(ended.error)
        assert f"acount='aurora', which {task.dag_id} does not take (it takes: dry_run)" in message
        assert "dry_run=" not in message
    assert untouched(worker, post)


# The ledger.


@pytest.mark.parametrize("revision", ["none", "0001"])
def test_a_ledger_behind_its_migration_stops_every_dag_before_any_post(
    first_tasks: list[BaseOperator], worker: Workspace, post: Post, revision: str
) -> None:
    with worker.ledger.engine.begin() as connection:
        if revision == "none":
            connection.execute(text("DELETE FROM alembic_version"))
        else:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    for task in first_tasks:
        ended = run_task(task)
        assert ended.state == "failed"  # not tried again: somebody must run the command
        assert isinstance(ended.error, LedgerNotMigratedError)
        assert f"is at revision {revision}" in str(ended.error)
        assert "reelflow db upgrade" in str(ended.error)
    assert untouched(worker, post)


# The key.


@pytest.mark.parametrize("key", ["", "short", factories.FERNET_KEY[:-4]])
def test_a_malformed_key_stops_every_dag_before_any_post(
    first_tasks: list[BaseOperator],
    worker: Workspace,
    post: Post,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REELFLOW_FERNET_KEY", key)
    for task in first_tasks:
        ended = run_task(task)
        assert ended.state == "failed"
        assert isinstance(ended.error, ConfigurationError)
        assert "REELFLOW_FERNET_KEY" in str(ended.error)
        assert key == "" or key not in str(ended.error)
    assert untouched(worker, post)


# One account of many.


@pytest.fixture
def others_post(worker: Workspace, tiktok: Simulator) -> Post:
    """A post of an account that is as it should be."""
    known = tiktok.accounts[1]
    other = factories.make_account(
        worker, "north", open_id=known["open_id"], access_token=known["access_token"]
    )
    return factories.make_post(worker, other)


def revoke(worker: Workspace, tiktok: Simulator, account: Account) -> None:
    tiktok.steer(f"/accounts/{tiktok.accounts[0]['username']}", remove_authorization=1)


def use_another_key(worker: Workspace, tiktok: Simulator, account: Account) -> None:
    """Store its tokens with another key, as a ledger that was put together from two."""
    with worker.ledger.write() as session:
        stored = session.get_one(Account, account.id)
        tokens = accounts.TokenSet("act.of-another-key")
        other = Cipher(Fernet.generate_key().decode())
        accounts.store_tokens(stored, other, tokens, now=worker.ledger.now())


FAULTS = [
    (revoke, "skipped", PostState.HELD, "reelflow accounts connect aurora"),
    (use_another_key, "failed", PostState.READY, "REELFLOW_FERNET_KEY"),
]


def upload(post: Post) -> Ended:
    return run_task(TikTokUploadOperator, post_id=post.id)


@pytest.mark.parametrize(("fault", "ends", "state", "fix"), FAULTS)
def test_one_accounts_access_stops_that_account_only_and_says_what_to_do(
    fault: Callable[[Workspace, Simulator, Account], None],
    ends: str,
    state: PostState,
    fix: str,
    worker: Workspace,
    tiktok: Simulator,
    creator: Account,
    others_post: Post,
) -> None:
    post = factories.make_post(worker, creator)
    run_task(FindNewUploadsOperator)
    fault(worker, tiktok, creator)
    assert upload(post).state == ends
    assert upload(others_post).state == "success"
    stopped, sent = (factories.read_post(worker, one.id) for one in (post, others_post))
    assert stopped.state is state
    assert fix in f"{stopped.reason} {stopped.fix}"
    assert sent.state in DONE | {PostState.PROCESSING}
    assert [one["open_id"] for one in tiktok.uploads()] == [tiktok.accounts[1]["open_id"]]
    # It waits for its time, and does not come again with every run until then.
    assert stopped.state is PostState.HELD or stopped.due_at > worker.ledger.now()


# The connection.


def test_without_the_connection_nothing_is_sent_and_every_post_is_kept_with_the_fix(
    worker: Workspace,
    tiktok: Simulator,
    creator: Account,
    others_post: Post,
    monkeypatch: pytest.MonkeyPatch,
    connect: Connect,
) -> None:
    both = [factories.make_post(worker, creator), others_post]
    batch = run_task(FindNewUploadsOperator).result
    assert sorted(batch) == sorted(one.id for one in both)
    monkeypatch.delenv("AIRFLOW_CONN_TIKTOK_APP")
    for post in both:
        ended = upload(post)
        assert ended.state == "failed"
        assert "add one of type 'tiktok'" in str(ended.error)
        kept = factories.read_post(worker, post.id)
        assert kept.state is PostState.READY
        assert "AIRFLOW_CONN_TIKTOK_APP" in kept.reason
        assert kept.due_at > worker.ledger.now()
    assert tiktok.uploads() == []
    red = run_task(SummarizeOperator, batch=batch)
    assert red.state == "failed"
    assert str(red.error).count("the connection 'tiktok_app' does not exist") == 2

    connect(tiktok.api, password="the client secret")
    for post in both:
        assert upload(post).state == "success"
    assert len(tiktok.uploads()) == 2


@pytest.mark.parametrize(
    ("dag_id", "task_id"),
    [
        ("publish_to_tiktok", "expire_sessions"),
        ("reconcile_publications", "settle_publications"),
        ("refresh_tiktok_tokens", "refresh_tokens"),
    ],
)
def test_what_asks_tiktok_says_that_the_connection_is_missing(
    bag: DagBag, dag_id: str, task_id: str, worker: Workspace
) -> None:
    ended = run_task(bag.dags[dag_id].get_task(task_id))
    assert ended.state == "failed"
    assert "the connection 'tiktok_app' does not exist: add one of type 'tiktok'" in str(
        ended.error
    )


def test_preparing_ahead_needs_no_connection(bag: DagBag, worker: Workspace, post: Post) -> None:
    for name in ("find_unprepared_media", "measure_uploads"):
        assert run_task(bag.dags["prepare_media"].get_task(name)).state == "success"
