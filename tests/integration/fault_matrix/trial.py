"""One case: a post goes its way through the trouble, and both sides are looked at in the end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import takewhile
from typing import Any, Final

from reelflow.domain.post import DONE, PAST_LAST_BYTE, PostMode, PostState
from reelflow.domain.publication import MediaSource
from reelflow.exceptions import ReelflowError
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.revocation import RECONNECT_SETTLES
from reelflow.services.steering.cancelling import ask_to_cancel
from reelflow.services.steering.commands import release, retry
from reelflow.services.steering.resolving import resolve_not_published, resolve_published
from tests import factories
from tests.integration.fault_matrix.calls import MadeCall
from tests.integration.fault_matrix.catalogue import (
    CANCEL,
    DIRECT,
    PULLED,
    STATUS_WHILE_SENDING,
    TOKEN,
    USER_INFO,
    VIDEO_LIST,
    Case,
    Mode,
    has_case,
)
from tests.integration.publisher import RUN, Publisher, three_chunks
from tests.integration.runs import STOPPED, let_runs_pass, reconnect
from tests.integration.simulator_process import wait_until
from tests.photo_files import image, make_photo_post, media_of

CAPTION: Final = "A caption like no other, משפט 🌱"
OLD_USERNAME: Final = "a.name.of.yesterday"
MOST_PUBLICATIONS: Final = 5


@dataclass
class Outcome:
    """What became of a case.

    :ivar way: the states in which it stopped, and what a person did there
    :ivar problems: what must not be; empty for a case that passed
    :ivar delivered: how many posts TikTok has of it in the end
    :ivar was_unknown: a person had to look whether it is on TikTok
    """

    way: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    delivered: int = 0
    was_unknown: bool = False


@cache
def _content(size_chunks: int) -> bytes:
    return three_chunks() if size_chunks == 3 else os.urandom(1000)


class Trial:
    """One post on its way.

    :param made: gets every call to TikTok, as it is made
    """

    def __init__(self, case: Case, publisher: Publisher, made: Sequence[MadeCall]) -> None:
        self._case = case
        self._made = made
        self._made_before = 0
        self._publisher = publisher
        self._simulator = publisher.simulator
        self._post = self._make_post()
        self.outcome = Outcome()
        files = media_of(publisher.workspace, self._post)
        self._sha256s = [one.sha256 for one in files]
        self._size_bytes = sum(one.size_bytes for one in files)

    def play(self) -> None:
        if self._case.place == CANCEL:
            self._begin()
        self._arm()
        self._made_before = len(self._made)
        if self._case.place == CANCEL:
            self._cancel()
        self._drive()
        self._judge()
        if self._state() in STOPPED:
            self._mend()
            self._drive()
            self._note(self._state())
            if self._state() not in DONE:
                self._wrong(f"what the fix says leads to {self._state()}: {self._read().reason}")
            self._count()
        self._check_calls()
        if self._case.place == USER_INFO and self._state() in DONE:
            self._check_username()

    def _make_post(self) -> Post:
        workspace, mode = self._publisher.workspace, self._case.mode
        fields: dict[str, Any] = {"caption": CAPTION, "privacy_level": "PUBLIC_TO_EVERYONE"}
        if mode not in DIRECT:
            fields |= {"mode": PostMode.DRAFT, "privacy_level": None}
        self._change_account(username=self._simulator.accounts[0]["username"])
        if mode in (Mode.PHOTOS, Mode.PHOTO_DRAFT):
            images = [image(shade=shade) for shade in (1, 2)]
            return make_photo_post(workspace, self._publisher.account, images=images, **fields)
        if mode in PULLED:
            self._change_account(video_source=MediaSource.PULL_FROM_URL)
        in_chunks = self._case.place.chunk is not None or self._case.place == STATUS_WHILE_SENDING
        return self._publisher.make_post(_content(3 if in_chunks else 1), **fields)

    def _arm(self) -> None:
        case, trouble = self._case, self._case.trouble
        self._simulator.switch(cancel_processing="done", **trouble.switches)
        if trouble.fail_reason is not None:
            self._simulator.fail_next(trouble.fail_reason)
            return
        assert case.place.call is not None
        chunk: dict[str, Any] = {} if case.place.chunk is None else {"chunk": case.place.chunk}
        self._simulator.fault(case.place.call, **chunk, **trouble.fault)
        if trouble.status_is_down:
            self._simulator.fault("status", status=503, times=2)
        if case.place == STATUS_WHILE_SENDING:
            self._simulator.fault("put", status=503, chunk=1)
        if case.place == VIDEO_LIST:
            self._simulator.switch(link_polls=1000)  # only the list tells the link
        if case.place == TOKEN:
            self._change_account(access_token_expires_at=self._publisher.clock())
        if case.place == USER_INFO:
            self._change_account(username=OLD_USERNAME)

    def _change_account(self, **values: Any) -> None:
        factories.change_account(self._publisher.workspace, self._publisher.account.id, **values)

    def _begin(self) -> None:
        self._publisher.upload(self._post)
        assert self._state() in PAST_LAST_BYTE

    def _cancel(self) -> None:
        """Ask TikTok to stop the post; a person who gets an error asks once more."""
        for _ in range(2):
            try:
                with self._simulator.client(self._publisher.limits) as client:
                    clients = factories.account_clients(
                        self._publisher.workspace, client, self._publisher.oauth
                    )
                    ask_to_cancel(
                        self._publisher.workspace, clients, self._post.id, actor="a person"
                    )
                return
            except ReelflowError as exc:
                self._note(f"cancel: {exc.code}")

    def _drive(self) -> None:
        """Let runs pass until the post is settled, and whatever TikTok says later."""
        codes = let_runs_pass(
            self._publisher,
            self._post,
            is_settled=self._is_settled,
            before_sweep=self._let_tiktok_fetch,
        )
        self.outcome.way += codes
        wait_until(lambda: self._simulator.slow_calls() == 0, "no slow call is under way")
        self._let_tiktok_fetch()
        if self._state() in DONE:
            self._publisher.pass_time(timedelta(hours=2))
            self._publisher.sweep(run_id=RUN)

    def _is_settled(self, post: Post) -> bool:
        if self._case.place == VIDEO_LIST:
            return post.state is PostState.PUBLISHED
        return post.state in DONE | STOPPED

    def _let_tiktok_fetch(self) -> None:
        if self._case.mode in PULLED:
            wait_until(self._is_pulled, "TikTok has fetched what it was asked for")

    def _is_pulled(self) -> bool:
        return not any(
            one["state"] == "PROCESSING_DOWNLOAD" and one["received_bytes"] < self._size_bytes
            for one in self._simulator.uploads()
        )

    def _judge(self) -> None:
        post, case = self._read(), self._case
        self._note(post.state)
        self.outcome.was_unknown = post.state is PostState.UNKNOWN
        self._count()
        if not self._was_played():
            self._wrong("the trouble never came: the call was not made, or TikTok failed nothing")
        if post.state in DONE:
            if case.place == VIDEO_LIST and post.state is not PostState.PUBLISHED:
                self._wrong("its link was never found")
            return
        if post.state not in STOPPED:
            self._wrong(f"it is still {post.state}: {post.reason}")
        elif post.state is PostState.UNKNOWN:
            if not case.may_be_unknown:
                self._wrong(f"it is UNKNOWN: {post.reason}")
        elif case.must_pass and not self._is_cancelled(post):
            self._wrong(f"it needs a person ({post.reason_code}), who is not needed: {post.reason}")
        if not post.reason or self._command(post) not in str(post.fix):
            self._wrong(f"its fix does not name `{self._command(post)}`: {post.fix}")

    def _was_played(self) -> bool:
        """Whether the post's way came by the trouble at all."""
        place, reason = self._case.place, self._case.trouble.fail_reason
        if reason is not None:
            return any(one["fail_reason"] == reason for one in self._simulator.uploads())
        made = self._made[self._made_before :]
        if place == STATUS_WHILE_SENDING:
            made = list(takewhile(lambda one: not one.is_last_chunk, made))
        return any(place.is_of(one) for one in made)

    def _check_calls(self) -> None:
        """Look whether the matrix knows every call that was made."""
        mode = self._case.mode
        for name in sorted({one.name for one in self._made if not has_case(mode, one)}):
            self._wrong(f"{mode}: no fault is played at {name}, which it called")

    def _check_username(self) -> None:
        """Look whether a creator's new name is known, so that nobody asks once more."""
        with self._publisher.workspace.ledger.read() as session:
            username = session.get_one(Account, self._publisher.account.id).username
        if username != self._simulator.accounts[0]["username"]:
            self._wrong(f"its creator is still known as @{username}")

    def _is_cancelled(self, post: Post) -> bool:
        return self._case.place == CANCEL and post.reason_code == "publish_cancelled"

    def _count(self) -> None:
        """Look at what TikTok has: one post when it is done, else none, and of these bytes."""
        post = self._read()
        delivered = [*self._simulator.posts(), *self._simulator.drafts()]
        self.outcome.delivered = len(delivered)
        wanted = {1} if post.state in DONE else {0, 1} if post.state is PostState.UNKNOWN else {0}
        if len(delivered) not in wanted:
            self._wrong(f"it is {post.state} and TikTok has {len(delivered)} posts of it")
        for one in delivered:
            if (one["images"] or [one["sha256"]]) != self._sha256s:
                self._wrong("TikTok has other bytes")
        known = {one.publish_id for one in self._publisher.publications(post)} - {None}
        if post.state in DONE and known and delivered and delivered[0]["publish_id"] not in known:
            self._wrong("TikTok published under a publish_id that the ledger does not know")
        begun = len(self._publisher.publications(post)) - post.publications_forgiven
        if begun > MOST_PUBLICATIONS:
            self._wrong(f"{begun} publications were begun")

    def _command(self, post: Post) -> str:
        """Return the command that a stopped post's fix must name."""
        if post.state is PostState.HELD and post.reason_code in RECONNECT_SETTLES:
            return f"reelflow accounts connect {self._publisher.account.name}"
        verbs = {PostState.HELD: "release", PostState.FAILED: "retry"}
        return f"reelflow posts {verbs.get(post.state, 'resolve')} {post.id}"

    def _mend(self) -> None:
        """Do what the post's fix says."""
        post, workspace = self._read(), self._publisher.workspace
        self._note(self._command(post).removeprefix("reelflow "))
        if post.state is PostState.UNKNOWN:
            if self.outcome.delivered:
                resolve_published(workspace, post.id, actor="a person")
                return
            # Earlier TikTok may still fetch it, and the command says so.
            self._publisher.pass_time(workspace.rules.public_url_lifetime)
            post = resolve_not_published(workspace, post.id, actor="a person")
        if post.state is PostState.FAILED:
            retry(workspace, post.id, actor="a person")
        elif post.reason_code in RECONNECT_SETTLES:
            reconnect(self._publisher)
        else:
            release(workspace, post.id, actor="a person")

    def _state(self) -> PostState:
        return self._read().state

    def _read(self) -> Post:
        return self._publisher.read(self._post)

    def _note(self, step: str) -> None:
        self.outcome.way.append(str(step))

    def _wrong(self, problem: str) -> None:
        self.outcome.problems.append(problem)
