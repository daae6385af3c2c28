import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from reelflow.cli.submit_view import Outcome, print_outcomes, print_post, print_problems
from reelflow.cli.submit_wishes import Problem
from reelflow.client.records import PostRecord
from reelflow.client.submission import LocalPost, Submitted
from reelflow.domain.post import PostKind
from reelflow.domain.violation import Violation

DUE = datetime(2026, 12, 1, 17, 0, tzinfo=UTC)
POST = PostRecord(
    12, "acme", "READY", "made by mia", "", "Hi", None, DUE, ("m1",), "ab", repost=False, url=""
)
LOCAL = LocalPost("clip.mp4", "clip.mp4", "acme", PostKind.VIDEO, (), "ab", {})


def shown(post: PostRecord) -> str:
    stream = io.StringIO()
    print_post(Console(file=stream, width=200, highlight=False), post, "clip.mp4")
    return stream.getvalue()


def outcome(post: PostRecord | None, *, is_new: bool = True, refusal: str = "") -> Outcome:
    return Outcome(LOCAL, None if post is None else Submitted(post, is_new), refusal)


@pytest.mark.parametrize(
    ("post", "told"),
    [
        (POST, "Post 12 (clip.mp4) is READY, due 2026-12-01 17:00 UTC\n"),
        (replace(POST, due_at=None), "Post 12 (clip.mp4) is READY\n"),
        (
            replace(POST, state="PUBLISHED", url="https://t.example/1"),
            "Post 12 (clip.mp4) is PUBLISHED: https://t.example/1\n",
        ),
        (
            replace(POST, state="HELD", reason="the creator is away", fix="ask them"),
            "Post 12 (clip.mp4) is HELD\n  why: the creator is away.\n  fix: ask them\n",
        ),
        (
            replace(POST, state="TRANSCODING", reason="\x1b[2J[b]"),
            "Post 12 (clip.mp4) is TRANSCODING\n  why: \N{REPLACEMENT CHARACTER}[2J[b].\n",
        ),
    ],
)
def test_a_post_is_told_with_what_a_person_wants_to_know(post: PostRecord, told: str) -> None:
    assert shown(post) == told


@pytest.mark.parametrize(
    ("post", "advice"),
    [
        (POST, "add --repost"),
        (replace(POST, repost=True), "give it another caption or time"),
        (replace(POST, state="FAILED"), "reelflow posts retry 12"),
    ],
)
def test_what_was_there_already_is_told_with_what_to_do(
    post: PostRecord, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_outcomes([outcome(post, is_new=False)])
    assert advice in capsys.readouterr().out


def test_a_refusal_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_outcomes([outcome(None, refusal="the quota is spent")])
    assert capsys.readouterr().out == "clip.mp4 was refused: the quota is spent.\n"


def test_several_are_a_table_with_a_sum(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    held = replace(POST, id=13, state="HELD", reason="no privacy", fix="choose one")
    print_outcomes([outcome(POST), outcome(held, is_new=False), outcome(None, refusal="no room")])
    printed = capsys.readouterr().out
    assert "due 2026-12-01 17:00 UTC" in printed
    assert "there already; no privacy; choose one" in printed
    assert "no room" in printed
    assert printed.endswith("1 submitted, 1 there already, 1 refused.\n")


def test_nothing_at_all_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_outcomes([])
    assert capsys.readouterr().out == ""


def test_problems_are_told_with_their_places_and_fixes(tmp_path: Path) -> None:
    stream = io.StringIO()
    broken = Violation("type", "text content", ".mp4", "give a \x1b[2J[b]real video")
    problems = [Problem("row 3", "file is empty: fill it in"), Problem("row 4, a", "", (broken,))]
    print_problems(Console(file=stream, width=60, highlight=False, markup=False), problems, 5)
    assert stream.getvalue() == (
        "2 of 5 posts cannot go, so nothing was sent:\n"
        "row 3: file is empty: fill it in\n"
        "row 4, a\n"
        "  type: text content (allowed: .mp4)\n"
        "    fix: give a \N{REPLACEMENT CHARACTER}[2J[b]real video\n"
    )
