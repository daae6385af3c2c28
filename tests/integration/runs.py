"""Runs that pass over a post as Airflow's do, and an account that a person connected before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from reelflow.domain.post import DONE, PostState
from reelflow.exceptions import ReelflowError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.connect import DEFAULT_SCOPES, begin_connect, finish_connect
from reelflow.services.workspace import Workspace
from tests import factories
from tests.consent import decide, query_of
from tests.integration.publisher import RUN, Publisher
from tests.integration.simulator_process import Simulator

STOPPED: Final = frozenset({PostState.HELD, PostState.FAILED, PostState.UNKNOWN})

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
#: How long is waited between two runs: past an upload URL's hour, then past 72 hours.
_RUNS_APART: Final = (*[_MINUTE] * 8, *[_HOUR / 2] * 6, *[12 * _HOUR] * 8)
_REDIRECT_URI: Final = "http://localhost:3456/callback/"


def let_runs_pass(
    publisher: Publisher,
    post: Post,
    *,
    is_settled: Callable[[Post], bool] = lambda post: post.state in DONE | STOPPED,
    before_sweep: Callable[[], None] = lambda: None,
) -> list[str]:
    """Upload and sweep, run after run, as long as there is something for them to do.

    :param before_sweep: waits for what TikTok does by itself
    :return: the codes of the errors with which uploads ended
    """
    codes = []
    for pause in _RUNS_APART:
        if is_settled(publisher.read(post)):
            break
        try:
            if publisher.read(post).state not in DONE:
                publisher.upload(post)
        except ReelflowError as exc:
            codes.append(exc.code)
        before_sweep()
        publisher.sweep(run_id=RUN)
        after = publisher.read(post)
        if after.state is PostState.READY:
            pause = max(after.due_at - publisher.clock(), timedelta(0))
        publisher.pass_time(pause)
    return codes


def add_connected_account(workspace: Workspace, simulator: Simulator) -> Account:
    """Add the first creator's account as a consent does, with tokens that can be renewed."""
    creator, now = simulator.accounts[0], workspace.ledger.now()
    account = factories.make_account(workspace, "aurora", open_id=creator["open_id"])
    tokens = accounts.TokenSet(
        creator["access_token"],
        access_token_expires_at=now + timedelta(hours=24),
        refresh_token=creator["refresh_token"],
        refresh_token_expires_at=now + timedelta(days=365),
        scopes=frozenset(DEFAULT_SCOPES),
    )
    with workspace.ledger.write() as session:
        stored = accounts.get(session, account.id)
        accounts.store_tokens(stored, workspace.ledger.cipher, tokens, now=now)
    return stored


def reconnect(publisher: Publisher) -> None:
    """Do as a person does with ``reelflow accounts connect`` and a browser."""
    workspace, oauth, name = publisher.workspace, publisher.oauth, publisher.account.name
    assert oauth is not None
    asked = begin_connect(workspace, oauth, name=name, redirect_uri=_REDIRECT_URI)
    answer = decide(asked.url, publisher.simulator.accounts[0]["username"])
    finish_connect(workspace, oauth, None, query_of(answer), actor="a person")


def assert_delivered_once(publisher: Publisher, post: Post) -> None:
    """TikTok has this video once, under a publish_id of the ledger; its source may be gone."""
    (delivered,) = [*publisher.simulator.posts(), *publisher.simulator.drafts()]
    assert delivered["publish_id"] == publisher.current(post).publish_id
    assert delivered["sha256"] == post.sha256
