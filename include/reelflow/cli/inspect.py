"""``reelflow inspect``: what is known about a file, and whether it may be posted."""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from reelflow.cli.screen import screen_safe
from reelflow.exceptions import MediaRejectedError, ReelflowError

if TYPE_CHECKING:
    from reelflow.domain.media import MediaFacts, Violation

EXIT_REJECTED = 1
EXIT_UNREADABLE = 2


class Profile(enum.StrEnum):
    """Whose rules to judge by."""

    INTAKE = "intake"
    TIKTOK = "tiktok"


def inspect(
    file: Path = typer.Argument(help="The media file to look at."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    thumbnail: Path | None = typer.Option(None, help="Also write a JPEG cover to this file."),
    profile: Profile = typer.Option(
        Profile.TIKTOK, help="intake: house rules only; tiktok: all that publishing asks for."
    ),
) -> None:
    """Show a file's type and metadata, and every rule it breaks with the fix.

    Exit code 0: accepted. 1: rejected. 2: the file cannot be read, or no thumbnail can be made.
    """
    try:
        facts, broken = _examine(file, thumbnail, profile)
    except (ReelflowError, OSError) as error:
        typer.echo(screen_safe(str(error)), err=True)
        raise typer.Exit(EXIT_UNREADABLE) from None
    if as_json:
        typer.echo(json.dumps(_report(facts, broken), indent=2))
    else:
        _print_report(Console(soft_wrap=True, highlight=False), file, facts, broken, profile)
    if broken:
        raise typer.Exit(EXIT_REJECTED)


def _examine(
    file: Path, thumbnail: Path | None, profile: Profile
) -> tuple[MediaFacts, list[Violation]]:
    # Here, so that `reelflow --help` does not wait for them.
    from reelflow.domain.media import INTAKE, Violation, publishing_violations, violations
    from reelflow.media.inspection import examine
    from reelflow.media.repair_line import repair_line
    from reelflow.media.thumbnail import write_whole
    from reelflow.source import open_file

    wants_cover = thumbnail is not None
    cover, broken = None, []
    with open_file(file) as source, examine(source, with_covers=wants_cover) as examination:
        facts = examination.facts
        if wants_cover and facts.kind != "other":
            try:
                cover = examination.cover()
            except MediaRejectedError as error:
                broken = [Violation(**violation) for violation in error.violations]
    if cover is not None and thumbnail is not None:
        write_whole(thumbnail, cover.jpeg)
    if profile is Profile.INTAKE:
        return facts, violations(facts, str(file), INTAKE, repair_line) + broken
    return facts, publishing_violations(facts, str(file), repair_line) + broken


def _report(facts: MediaFacts, broken: Sequence[Violation]) -> dict[str, Any]:
    return {
        "accepted": not broken,
        "violations": [violation.as_dict() for violation in broken],
        "metadata": facts.as_dict(),
    }


def _print_report(
    console: Console,
    file: Path,
    facts: MediaFacts,
    broken: Sequence[Violation],
    profile: Profile,
) -> None:
    console.print(screen_safe(str(file)), style="bold", markup=False)
    for name, value in facts.as_dict().items():
        if value is not None:
            console.print(f"  {name:<20} {screen_safe(str(value))}", markup=False)
    if not broken:
        console.print(f"Accepted by the {profile} profile.", style="green")
        return
    rules = "1 rule" if len(broken) == 1 else f"{len(broken)} rules"
    console.print(f"Rejected by the {profile} profile: {rules} broken.", style="red")
    for violation in broken:
        measured = f"{violation.rule}: {violation.value} (allowed: {violation.limit})"
        console.print(f"  {screen_safe(measured)}", markup=False)
        console.print(f"    fix: {screen_safe(violation.fix)}", markup=False)
