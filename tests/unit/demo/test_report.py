"""Judging what became of the demo's files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from demo.cases import CASES, PUBLISHED, Original
from demo.report import Report, build_report, count_duplicates, print_report

Rows = list[dict[str, Any]]


@pytest.fixture
def originals() -> list[Original]:
    return [
        Original(case, Path(case.file), 1000 + number, f"sha-{number}")
        for number, case in enumerate(CASES)
    ]


@pytest.fixture
def home(tmp_path: Path, originals: list[Original]) -> Path:
    (tmp_path / "thumbnails").mkdir()
    for original in originals:
        (tmp_path / "thumbnails" / original.case.file).touch()
    return tmp_path


@pytest.fixture
def posts(originals: list[Original]) -> Rows:
    """The ledger's posts when all went well."""
    rows = []
    for number, original in enumerate(originals):
        case = original.case
        published = case.state == PUBLISHED
        rows.append(
            {
                "id": number,
                "file_name": case.file,
                "account": case.account,
                "state": case.state,
                "reason": "" if published else f"{case.rule}: 0 (allowed: 1). To fix: more",
                "publish_id": f"p{number}" if published else None,
                "post_id": f"70{number}" if published else None,
                "chunks": 2 if published else None,
                "thumbnail_path": f"thumbnails/{case.file}" if published else None,
            }
        )
    return rows


@pytest.fixture
def received(originals: list[Original]) -> Rows:
    """The simulator's posts when all went well."""
    return [
        {
            "publish_id": f"p{number}",
            "open_id": original.case.account,
            "sha256": original.sha256,
        }
        for number, original in enumerate(originals)
        if original.case.state == PUBLISHED
    ]


def judge(
    originals: list[Original], posts: Rows, received: Rows, home: Path
) -> tuple[Report, list[str]]:
    return build_report(originals, posts=posts, received=received, home=home, seconds=93.14)


def test_four_posts_and_three_rejections_are_the_expected_outcome(
    originals: list[Original], posts: Rows, received: Rows, home: Path
) -> None:
    report, problems = judge(originals, posts, received, home)

    assert problems == []
    assert report.ok
    assert [post.state for post in report.posts].count("PUBLISHED") == 4
    assert [post.state for post in report.posts].count("REJECTED") == 3
    assert report.simulator.posts == 4
    assert report.simulator.duplicates == 0


def test_the_file_has_exactly_the_promised_fields(
    originals: list[Original], posts: Rows, received: Rows, home: Path
) -> None:
    report, _ = judge(originals, posts, received, home)
    report.write(home / "report.json")
    told = json.loads((home / "report.json").read_text())

    assert set(told) == {"ok", "seconds", "posts", "simulator"}
    assert told["ok"] is True
    assert told["seconds"] == 93.1
    assert told["simulator"] == {"posts": 4, "duplicates": 0}
    assert set(told["posts"][0]) == {
        *("file", "account", "state", "reason", "publish_id", "post_id", "bytes", "chunks"),
        *("sha256_ok", "thumbnail"),
    }


def break_nothing_published(posts: Rows, received: Rows, home: Path) -> None:
    posts[0]["state"] = "FAILED"


def break_bytes(posts: Rows, received: Rows, home: Path) -> None:
    received[0]["sha256"] = "other"


def break_thumbnail(posts: Rows, received: Rows, home: Path) -> None:
    (home / posts[0]["thumbnail_path"]).unlink()


def break_post_id(posts: Rows, received: Rows, home: Path) -> None:
    posts[0]["post_id"] = None


def break_rule(posts: Rows, received: Rows, home: Path) -> None:
    posts[4]["reason"] = "type: text content"


def break_init_of_rejected(posts: Rows, received: Rows, home: Path) -> None:
    posts[4]["publish_id"] = "p4"


def break_chunks(posts: Rows, received: Rows, home: Path) -> None:
    posts[1]["chunks"] = 1


def break_second_post(posts: Rows, received: Rows, home: Path) -> None:
    posts.append({**posts[0], "id": 99})


def break_missing_post(posts: Rows, received: Rows, home: Path) -> None:
    del posts[6]


def break_once(posts: Rows, received: Rows, home: Path) -> None:
    received.append({**received[0], "publish_id": "again"})


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (break_nothing_published, "landscape.mp4: is FAILED, not PUBLISHED"),
        (break_bytes, "landscape.mp4: the simulator does not hold exactly its bytes"),
        (break_thumbnail, "landscape.mp4: has no thumbnail"),
        (break_post_id, "landscape.mp4: has no post id"),
        (break_rule, "truncated.mp4: must be rejected by the rule 'truncated'"),
        (break_init_of_rejected, "truncated.mp4: reached init as p4"),
        (break_chunks, "large.mp4: must go out in several chunks, not 1"),
        (break_second_post, "landscape.mp4: the ledger has 2 posts of it"),
        (break_missing_post, "blink.mp4: the ledger has 0 posts of it"),
        (break_once, "the simulator has 1 posts twice"),
    ],
)
def test_each_unexpected_outcome_is_a_problem_of_its_own(
    originals: list[Original],
    posts: Rows,
    received: Rows,
    home: Path,
    damage: Any,
    sentence: str,
) -> None:
    damage(posts, received, home)
    report, problems = judge(originals, posts, received, home)

    assert not report.ok
    assert any(sentence in problem for problem in problems), problems


def test_the_same_bytes_on_two_accounts_are_no_duplicate() -> None:
    posts = [{"open_id": "a", "sha256": "x"}, {"open_id": "b", "sha256": "x"}]

    assert count_duplicates(posts) == 0
    assert count_duplicates([*posts, posts[0]]) == 1


def test_the_table_tells_reasons_literally_and_shows_a_post_that_is_not_there(
    originals: list[Original], posts: Rows, received: Rows, home: Path
) -> None:
    posts[4]["reason"] = "truncated: [bold]data[/bold] [/oops]"
    report, _ = judge(originals, posts[:-1], received, home)
    console = Console(width=200, record=True, quiet=False, file=(home / "out").open("w"))

    print_report(replace(report, seconds=5.0), console)

    text = console.export_text()
    assert "[bold]data[/bold] [/oops]" in text
    assert "not found" in text
