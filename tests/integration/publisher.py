"""A workspace that publishes to the simulator: uploads, waits, looks at both sides."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from reelflow.domain.post import PAST_LAST_BYTE, PostState
from reelflow.exceptions import TransientError
from reelflow.ledger import audit, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.publishing.publish import Uploaded, upload_to_tiktok
from reelflow.services.settling.settle import apply_status
from reelflow.services.settling.sweep import SweepReport, expire_sessions
from reelflow.services.workspace import Workspace
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.oauth import OAuthClient
from tests import factories
from tests.data_folder import data_folder
from tests.integration.simulator_process import Simulator

CHUNK = 5_242_880
RUN, OWNER = "run-1", "run-1/upload[0]"

#: The smallest chunks that TikTok takes, so that a file of 16 MB has three of them.
SMALL_CHUNKS = TikTokLimits(
    whole_max_bytes=2 * CHUNK, chunk_bytes=CHUNK, chunk_attempts=2, first_chunk_retry_s=0.01
)


def three_chunks() -> bytes:
    """Return new content of three chunks, the last one larger."""
    return os.urandom(3 * CHUNK + 1000)


@dataclass(frozen=True)
class Publisher:
    """What a worker has: a ledger, an account, and TikTok, played by the simulator.

    :param oauth: renews the account's tokens; without it they are used as they are
    """

    workspace: Workspace
    clock: factories.Clock
    simulator: Simulator
    account: Account
    limits: TikTokLimits = SMALL_CHUNKS
    host: str | None = None
    oauth: OAuthClient | None = None

    def with_rules(self, **rules: Any) -> Publisher:
        return replace(
            self, workspace=replace(self.workspace, rules=replace(self.workspace.rules, **rules))
        )

    def make_post(self, content: bytes | None = None, **fields: Any) -> Post:
        fields.setdefault("privacy_level", "PUBLIC_TO_EVERYONE")
        return factories.make_post(self.workspace, self.account, content=content, **fields)

    def upload(self, post: Post, *, owner: str = OWNER, run_id: str = RUN) -> Uploaded:
        with self.simulator.client(self.limits, host=self.host) as client:
            return upload_to_tiktok(
                self.workspace,
                factories.account_clients(self.workspace, client, self.oauth),
                post.id,
                run_id=run_id,
                owner=owner,
                limits=self.limits,
            )

    @contextmanager
    def uploading(self, post: Post, *, owner: str = OWNER) -> Iterator[Future[Uploaded]]:
        """Upload in a thread; whatever is held goes on when the block ends."""
        with ThreadPoolExecutor(1) as executor:
            try:
                yield executor.submit(partial(self.upload, post, owner=owner))
            finally:
                self.simulator.release()

    def upload_until_sent(self, post: Post, *, tries: int = 4) -> Uploaded:
        """Upload again at each recorded time, as runs do."""
        for _ in range(tries - 1):
            try:
                return self.upload(post)
            except TransientError:
                after = self.read(post)
                assert after.state in PAST_LAST_BYTE or after.rescheduled_because
                self.clock.set(max(after.due_at, self.clock()))
        return self.upload(post)

    def read(self, post: Post) -> Post:
        return factories.read_post(self.workspace, post.id)

    def publications(self, post: Post) -> Sequence[Publication]:
        with self.workspace.ledger.read() as session:
            return publications.of_post(session, post.id)

    def current_or_none(self, post: Post) -> Publication | None:
        with self.workspace.ledger.read() as session:
            return publications.current(session, post.id)

    def current(self, post: Post) -> Publication:
        publication = self.current_or_none(post)
        assert publication is not None
        return publication

    def story(self, post: Post) -> list[str]:
        """Everything that was audited about a post, oldest first."""
        with self.workspace.ledger.read() as session:
            return [f"{row.actor}: {row.why}" for row in audit.story(session, post.id)]

    def content(self, post: Post) -> bytes:
        return data_folder(self.workspace).path(post.media.source_path).read_bytes()

    def settle(self, post: Post) -> PostState:
        """Ask TikTok as often as it takes until the status is final and has its link."""
        publish_id = self.current(post).publish_id
        assert publish_id is not None
        creators = {one["open_id"]: one for one in self.simulator.accounts}
        token = creators[self.account.open_id]["access_token"]
        with self.simulator.client(self.limits) as client:
            for _ in range(4):
                status = client.fetch_status(token, publish_id)
                state = apply_status(self.workspace, post.id, publish_id, status, actor=OWNER)
        return state

    def sweep(self, *, run_id: str | None = None) -> SweepReport:
        with self.simulator.client(self.limits, host=self.host) as client:
            return expire_sessions(
                self.workspace,
                factories.account_clients(self.workspace, client, self.oauth),
                actor="run-2/expire_sessions",
                longest_put_s=self.limits.longest_put_s,
                run_id=run_id,
            )

    def pass_time(self, step: timedelta) -> None:
        """Let time pass for the ledger and for TikTok."""
        self.clock.advance(step)
        self.simulator.advance(step.total_seconds())

    def assert_published_once(self, post: Post) -> None:
        """TikTok has this post's bytes, all of them, once, under the publish_id of the ledger."""
        published = [*self.simulator.posts(), *self.simulator.drafts()]
        publish_id = self.current(post).publish_id
        assert [one["publish_id"] for one in published] == [publish_id]
        assert publish_id is not None
        assert self.simulator.content(publish_id) == self.content(post)
