"""No question that a run asks reads what ended long ago: each is answered from an index."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.orm import Session

from reelflow.domain.post import PostKind, PostState
from reelflow.domain.schedule import BackfillRun, NormalRun
from reelflow.domain.user import User
from reelflow.ledger import (
    approvals,
    batches,
    claims,
    lone_media,
    photo_images,
    posts,
    publications,
    unsettled_posts,
    webhook_events,
)
from reelflow.ledger.models import Account, Media, Post
from reelflow.ledger.unprepared import unprepared
from reelflow.services import post_pages
from reelflow.services.approval import finding
from reelflow.services.intake import submit, submitted_media
from reelflow.services.post_pages import PostFilter
from reelflow.services.settling import stalled, sweep
from reelflow.services.uploads.media import finish_deletions
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, Clock, waiting_work
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

DAY = timedelta(days=1)
SHA256 = "a" * 64
#: Tables that keep what ended.
HISTORY = (
    *("posts", "publications", "media", "audit", "batches", "photo_images"),
    *("webhook_events", "upload_sessions", "approval_questions"),
)
#: Partial indexes of what did not end; reading one whole is no reading of history.
ONLY_WHAT_IS_LEFT = (
    *("uq_media_unmoved", "ix_media_unvalidated", "ix_media_unpictured"),
    *("ix_media_deleting", "ix_webhook_events_unapplied", "uq_approval_questions_open"),
)


@contextmanager
def plans(engine: Engine) -> Iterator[list[str]]:
    """Collect how the database goes about each SELECT and UPDATE, one line a step."""
    steps: list[str] = []
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"

    def ask(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.lstrip().startswith(("SELECT", "UPDATE", "WITH")):
            return
        if engine.dialect.name == "postgresql":
            # On a small table reading all of it is the cheapest plan; it shows here only where
            # there is no other.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{explain} {statement}", parameters)
        steps.extend(" ".join(map(str, row)) for row in cursor.fetchall())

    event.listen(engine, "before_cursor_execute", ask)
    try:
        yield steps
    finally:
        event.remove(engine, "before_cursor_execute", ask)


def full_scans(steps: list[str]) -> list[str]:
    """Return the steps that read a whole table, or a whole index, of those that keep history."""
    return [
        step
        for step, following in zip(steps, [*steps[1:], ""], strict=True)
        if any(f"{word} {table}" in step for word in ("on", "SCAN") for table in HISTORY)
        and not any(index in step for index in ONLY_WHAT_IS_LEFT)
        and (
            "SCAN " in step  # SQLite
            or "Seq Scan" in step
            or (re.search("Index (Only )?Scan using", step) and "Index Cond" not in following)
        )
    ]


def normal(clock: Clock) -> NormalRun:
    return NormalRun("run", clock(), DAY)


QUESTIONS: dict[str, Callable[[Session, Clock], object]] = {
    "the fair batch": lambda s, clock: posts.due(s, normal(clock), now=clock(), limit=200),
    "a backfill": lambda s, clock: posts.due(
        s, BackfillRun("b", clock() - DAY, clock()), now=clock(), limit=200
    ),
    "has due": lambda s, clock: posts.has_due(s, now=clock(), max_lateness=DAY),
    "missed": lambda s, clock: posts.missed(s, before=clock(), now=clock(), limit=200),
    "interrupted": lambda s, clock: posts.interrupted(s, now=clock(), limit=200),
    "stalled uploads": lambda s, clock: posts.stalled_uploads(s, now=clock()),
    "unsettled": lambda s, clock: unsettled_posts.unheld(s, now=clock(), run_id="run"),
    "unsettled that an upload holds": lambda s, clock: unsettled_posts.leased(s, now=clock()),
    "publications with waiting events": lambda s, _: webhook_events.overdue_publish_ids(s),
    "twins": lambda s, _: posts.with_content(s, account_id=1, sha256=SHA256, but_not=1),
    "posts without a link": lambda s, clock: unsettled_posts.with_unlinked_publication(
        s, account_id=1, begun_after=clock() - DAY
    ),
    "pulls without an answer": lambda s, clock: publications.unanswered_pulls(
        s, account_id=1, begun_after=clock() - DAY
    ),
    "latecomers": lambda s, clock: publications.latecomers(
        s, begun_after=clock() - DAY, asked_before=clock()
    ),
    "known links": lambda s, _: publications.linked_post_ids(s, ["7000000000000000001"]),
    "posts of a file": lambda s, _: photo_images.states_with(s, "f" * 32),
    "posts in the inbox": lambda s, _: photo_images.posts_in_inbox(s),
    "media to prepare": lambda s, clock: unprepared(
        s, now=clock(), tried_before=clock() - DAY, most_tries=9, limit=200
    ),
    "uploads without a post": lambda s, _: lone_media.unmeasured(s, limit=200),
    "unvalidated twins": lambda s, clock: submit._unvalidated(
        s, Post(account=s.get(Account, 1), kind=PostKind.VIDEO), Media(id="f" * 32, sha256=SHA256)
    ),
    "posts on a file that is to be shared": lambda s, _: submitted_media._states_of_posts_on(
        s, "f" * 32
    ),
    "runs that took posts": lambda s, _: batches.latest_runs(s, [1, 2]),
    "what a creator offered lately": lambda s, clock: approvals.latest_choices(
        s, account_id=1, asked_after=clock() - DAY
    ),
    "next slot": lambda s, _: posts.next_slot(s, account_id=1, sha256=SHA256),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_reads_no_history(
    workspace: Workspace, make_post: Callable[..., Post], account: Account, clock: Clock,
    question: str,
) -> None:  # fmt: skip
    for state in (PostState.READY, PostState.PUBLISHED):
        make_post(account, state=state)
    with plans(workspace.ledger.engine) as steps, workspace.ledger.write() as session:
        QUESTIONS[question](session, clock)
    assert steps
    assert full_scans(steps) == []


def test_what_runs_have_in_hand_is_found_among_claims(
    workspace: Workspace, make_post: Callable[..., Post], account: Account, clock: Clock
) -> None:
    """By state and time, all that is due would be read, every second."""
    for _ in range(40):
        make_post(account)
    make_post(account, claimed_by="run", claimed_until=clock() + DAY)
    with workspace.ledger.write() as session:
        session.execute(text("ANALYZE posts"))  # else PostgreSQL knows nothing of so few rows
    with plans(workspace.ledger.engine) as steps, workspace.ledger.read() as session:
        assert claims.in_hand(session, now=clock()) == {account.name: 1}
    by_index = [step for step in steps if "ix_posts_" in step]
    assert by_index
    assert all("ix_posts_state_claimed" in step for step in by_index)


def test_an_accounts_turn_is_found_by_account_and_time(
    workspace: Workspace, make_post: Callable[..., Post], account: Account, clock: Clock
) -> None:
    """By state and time alone, an account would be searched for among everybody's due posts."""
    make_post(account)
    make_post(account)
    with plans(workspace.ledger.engine) as steps, workspace.ledger.read() as session:
        posts.due(session, normal(clock), now=clock(), limit=200)
    # What others have in hand is asked for by another index.
    by_index = [s for s in steps if "ix_posts_" in s and "ix_posts_state_claimed" not in s]
    assert by_index
    assert all("ix_posts_state_account_due" in step for step in by_index)


def test_what_is_scheduled_and_prepared_is_not_read_to_find_what_is_not(
    workspace: Workspace, make_post: Callable[..., Post], account: Account, clock: Clock
) -> None:
    """The watcher asks every few seconds, and next month's posts may be a hundred thousand."""
    for _ in range(2):
        make_post(account, due_at=clock() + DAY)
    with plans(workspace.ledger.engine) as steps, workspace.ledger.read() as session:
        unprepared(session, now=clock(), tried_before=clock(), most_tries=9, limit=200)
    for index in ("ix_media_unvalidated", "ix_media_unpictured"):
        assert any(index in step for step in steps)
    assert not [step for step in steps if "ix_posts_state" in step]


CHORES: dict[str, Callable[[Workspace], object]] = {
    "returning stalled uploads": lambda w: stalled.return_stalled_uploads(w, actor=ACTOR),
    "giving up expired publications": lambda w: stalled.supersede_expired(w, actor=ACTOR),
    "finishing what a dead run left": lambda w: sweep._finish(w, sweep.SweepReport(), run_id="run"),
    "sweeping uploads": lambda w: sweep._sweep_uploads(w, sweep.SweepReport(), actor=ACTOR),
    "seeing whether there is work": waiting_work,
    "finishing deletions that were cut short": finish_deletions,
    "seeing whether a person is to be asked": finding.waiting_approvals,
    "seeing whom nobody can answer any more": finding.asked_questions,
    "finding posts to approve": lambda w: finding.find_posts_to_approve(w, run_id="run"),
    "a page of a user's posts": lambda w: post_pages.list_page(
        w, User("ann", "Ann", frozenset()), PostFilter(), after_id=9, limit=9
    ),
}


@pytest.mark.parametrize("chore", CHORES)
def test_a_chore_of_every_run_reads_no_history(workspace: Workspace, chore: str) -> None:
    with plans(workspace.ledger.engine) as steps:
        CHORES[chore](workspace)
    assert steps
    assert full_scans(steps) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM posts WHERE caption = 'x'",
        "SELECT id FROM posts WHERE caption = 'x' ORDER BY id LIMIT 1",
    ],
)
def test_a_scan_is_noticed(workspace: Workspace, account: Account, query: str) -> None:
    with plans(workspace.ledger.engine) as steps, workspace.ledger.read() as session:
        session.execute(text(query))
    assert full_scans(steps)
