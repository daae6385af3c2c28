"""What ``reelflow submit`` says at the end: what became of each post, or why none was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from reelflow.cli.posts_view import state_text
from reelflow.cli.screen import console, plain, screen_safe, table
from reelflow.cli.submit_wishes import Problem
from reelflow.client.records import PostRecord
from reelflow.client.submission import LocalPost, Submitted
from reelflow.domain.post import DONE, UNKEYED, PostState
from reelflow.domain.sentence import as_sentence


@dataclass(frozen=True)
class Outcome:
    """What became of a post: the server has it, or refused it."""

    local: LocalPost
    submitted: Submitted | None = None
    refusal: str = ""


def print_problems(screen: Console, problems: Sequence[Problem], asked: int) -> None:
    """Print what is wrong with each post that was asked for, and how to mend it."""
    posts = "1 post" if asked == 1 else f"{asked} posts"
    screen.print(
        f"{len(problems)} of {posts} cannot go, so nothing was sent:", style="bold", soft_wrap=True
    )
    for problem in problems:
        head = f"{problem.place}: {problem.told}" if problem.told else problem.place
        screen.print(screen_safe(head), style="red", soft_wrap=True)
        for one in problem.violations:
            measured = f"  {one.rule}: {one.value} (allowed: {one.limit})"
            screen.print(screen_safe(measured), soft_wrap=True)
            screen.print(screen_safe(f"    fix: {one.fix}"), soft_wrap=True)


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print what became of the posts: one in sentences, several as a table."""
    screen = console()
    if len(outcomes) == 1:
        _print_one(screen, outcomes[0])
    elif outcomes:
        _print_table(screen, outcomes)


def print_post(screen: Console, post: PostRecord, name: str) -> None:
    """Print where a post stands, and what a person has to do about it."""
    head = Text.assemble(plain(f"Post {post.id} ({name}) is "), state_text(post.state))
    if post.url:
        head.append(f": {screen_safe(post.url)}")
    elif post.state == PostState.READY and post.due_at is not None:
        head.append(f", due {post.due_at:%Y-%m-%d %H:%M} UTC")
    screen.print(head, soft_wrap=True)
    if post.state not in DONE and post.state != PostState.READY and post.reason:
        screen.print(plain(f"  why: {as_sentence(post.reason)}"), soft_wrap=True)
    if post.fix:
        screen.print(plain(f"  fix: {post.fix}"), soft_wrap=True)


def _print_one(screen: Console, outcome: Outcome) -> None:
    name = outcome.local.name
    if outcome.submitted is None:
        screen.print(plain(f"{name} was refused: {as_sentence(outcome.refusal)}"), soft_wrap=True)
        return
    print_post(screen, outcome.submitted.post, name)
    if not outcome.submitted.is_new:
        screen.print(plain(f"  {_there_already(outcome)}"), soft_wrap=True)


def _print_table(screen: Console, outcomes: Sequence[Outcome]) -> None:
    told = table()
    told.add_column("post", justify="right", no_wrap=True)
    told.add_column("file", overflow="fold", ratio=3)
    told.add_column("account", overflow="fold", ratio=2)
    told.add_column("state", no_wrap=True)
    told.add_column("", overflow="fold", ratio=5)
    for outcome in outcomes:
        submitted = outcome.submitted
        told.add_row(
            plain(submitted.post.id if submitted else ""),
            plain(outcome.local.name),
            plain(outcome.local.account),
            state_text(submitted.post.state) if submitted else plain("refused", style="red"),
            plain(_remark(outcome)),
        )
    screen.print(told)
    new = sum(1 for one in outcomes if one.submitted is not None and one.submitted.is_new)
    there = sum(1 for one in outcomes if one.submitted is not None) - new
    refused = len(outcomes) - new - there
    counts = [f"{new} submitted", f"{there} there already", f"{refused} refused"]
    shown = [count for count in counts if not count.startswith("0 ")]
    screen.print(plain(f"{', '.join(shown)}."), soft_wrap=True)


def _remark(outcome: Outcome) -> str:
    submitted = outcome.submitted
    if submitted is None:
        return outcome.refusal
    parts = [] if submitted.is_new else ["there already"]
    post = submitted.post
    if post.url:
        parts.append(post.url)
    elif post.state == PostState.READY and post.due_at is not None:
        parts.append(f"due {post.due_at:%Y-%m-%d %H:%M} UTC")
    elif post.state not in DONE:
        parts += [text for text in (post.reason, post.fix) if text]
    return "; ".join(parts)


def _there_already(outcome: Outcome) -> str:
    submitted = outcome.submitted
    assert submitted is not None
    again = "to post the same content once more, add --repost"
    if submitted.post.repost:
        again = "to post the same content once more, give it another caption or time"
    elif submitted.post.state in UNKEYED:
        again = f"to try it again: reelflow posts retry {submitted.post.id}"
    return f"It was there already, and nothing was sent; {again}."
