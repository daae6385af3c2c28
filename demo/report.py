"""Compares what became of each file with what was expected, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.cases import PUBLISHED, Case, Original

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PostReport:
    """What became of one file.

    :param bytes: size of the file in bytes
    :param chunks: chunks it went out in; ``None`` if it did not
    :param sha256_ok: whether the simulator holds exactly the file's bytes; ``None`` if it was not
        to be published
    :param thumbnail: path of its thumbnail below the data root; ``None`` if there is no such file
    """

    file: str
    account: str
    state: str | None
    reason: str | None
    publish_id: str | None
    post_id: str | None
    bytes: int
    chunks: int | None
    sha256_ok: bool | None
    thumbnail: str | None


@dataclass(frozen=True)
class SimulatorReport:
    """What the simulator published.

    :param duplicates: posts beyond the first of the same bytes on the same account
    """

    posts: int
    duplicates: int


@dataclass(frozen=True)
class Report:
    """The outcome of a demo; its fields are those of ``report.json``."""

    ok: bool
    seconds: float
    posts: tuple[PostReport, ...]
    simulator: SimulatorReport

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def build_report(
    originals: Sequence[Original],
    *,
    posts: Sequence[Row],
    received: Sequence[Row],
    home: Path,
    seconds: float,
) -> tuple[Report, list[str]]:
    """Judge the outcome.

    :param posts: the ledger's posts, as ``reelflow posts list --json`` tells them
    :param received: the simulator's posts, as ``GET {control}/posts`` tells them
    :param home: the data root, which thumbnail paths are relative to
    :return: the report, and one sentence for each thing that is not as expected
    """
    reports, problems = [], []
    for original in originals:
        mine = [post for post in posts if _is_post_of(post, original.case)]
        report = _post_report(original, mine[0] if mine else {}, received, home)
        reports.append(report)
        if len(mine) != 1:
            problems.append(f"{report.file}: the ledger has {len(mine)} posts of it, not 1")
        problems += [f"{report.file}: {problem}" for problem in _problems(original.case, report)]
    simulator = SimulatorReport(posts=len(received), duplicates=count_duplicates(received))
    expected = sum(original.case.state == PUBLISHED for original in originals)
    if simulator.posts != expected:
        problems.append(f"the simulator has {simulator.posts} posts, not {expected}")
    if simulator.duplicates:
        problems.append(f"the simulator has {simulator.duplicates} posts twice")
    return Report(not problems, round(seconds, 1), tuple(reports), simulator), problems


def count_duplicates(received: Sequence[Row]) -> int:
    """Count the posts beyond the first of the same bytes on the same account."""
    return len(received) - len({(post["open_id"], post["sha256"]) for post in received})


def print_report(report: Report, console: Console) -> None:
    """Print what became of each file as a table."""
    table = Table(title="What became of each file")
    for column in ("file", "account", "state", "bytes", "chunks", "bytes equal", "thumbnail"):
        table.add_column(column, justify="right" if column in {"bytes", "chunks"} else "left")
    table.add_column("TikTok post, or why not", overflow="fold")
    for post in report.posts:
        table.add_row(
            post.file,
            post.account,
            post.state or "not found",
            f"{post.bytes:,}",
            str(post.chunks or "-"),
            {True: "yes", False: "NO", None: "-"}[post.sha256_ok],
            "yes" if post.thumbnail else "-",
            Text(post.post_id or post.reason or "-"),  # never read as markup
            style="green" if post.state == PUBLISHED else "yellow",
        )
    console.print(table)
    simulator = report.simulator
    console.print(
        f"The simulator published {simulator.posts} posts, {simulator.duplicates} of them twice. "
        f"{report.seconds:.0f} s in all."
    )


def _is_post_of(post: Row, case: Case) -> bool:
    return (post["file_name"], post["account"]) == (case.file, case.account)


def _post_report(original: Original, post: Row, received: Sequence[Row], home: Path) -> PostReport:
    case = original.case
    thumbnail = post.get("thumbnail_path")
    publish_id = post.get("publish_id")
    at_simulator = [one["sha256"] for one in received if one["publish_id"] == publish_id]
    return PostReport(
        file=case.file,
        account=case.account,
        state=post.get("state"),
        reason=post.get("reason") or None,
        publish_id=publish_id,
        post_id=post.get("post_id"),
        bytes=original.size_bytes,
        chunks=post.get("chunks"),
        sha256_ok=at_simulator == [original.sha256] if case.state == PUBLISHED else None,
        thumbnail=thumbnail if thumbnail and (home / thumbnail).is_file() else None,
    )


def _problems(case: Case, report: PostReport) -> list[str]:
    """Say what is not as expected of one file."""
    problems = []
    if report.state != case.state:
        problems.append(f"is {report.state}, not {case.state} ({report.reason})")
    if case.rule is not None and not (report.reason or "").startswith(f"{case.rule}:"):
        problems.append(f"must be rejected by the rule {case.rule!r}, not: {report.reason}")
    if case.rule is not None and report.publish_id is not None:
        problems.append(f"reached init as {report.publish_id} although it is rejected")
    if case.state == PUBLISHED:
        if not report.sha256_ok:
            problems.append("the simulator does not hold exactly its bytes")
        if not report.thumbnail:
            problems.append("has no thumbnail")
        if not report.post_id:
            problems.append("has no post id")
    if case.several_chunks and (report.chunks or 0) < 2:
        problems.append(f"must go out in several chunks, not {report.chunks}")
    return problems
