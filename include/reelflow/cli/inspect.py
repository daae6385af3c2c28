"""``reelflow inspect``: what is known about a file, and whether it may be posted."""

from __future__ import annotations

import enum
import io
import json
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from reelflow.cli.screen import console, screen_safe
from reelflow.exceptions import MediaRejectedError, ReelflowError, TerminalError

if TYPE_CHECKING:
    from rich.console import Console

    from reelflow.domain.media import MediaFacts, Violation
    from reelflow.media.inspection import Examination
    from reelflow.source import Source

EXIT_REJECTED = 1
EXIT_UNREADABLE = 2
_UNKNOWN = "-"


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
        metadata, broken = inspect_file(file, thumbnail, profile)
    except (ReelflowError, OSError) as error:
        typer.echo(screen_safe(str(error)), err=True)
        raise typer.Exit(EXIT_UNREADABLE) from None
    if as_json:
        typer.echo(json.dumps(_report(metadata, broken), indent=2))
    else:
        screen = console()
        screen.soft_wrap = True  # a line that mends the file is copied whole
        _print_report(screen, file, metadata, broken, profile)
    if broken:
        raise typer.Exit(EXIT_REJECTED)


def inspect_file(
    file: Path, thumbnail: Path | None, profile: Profile
) -> tuple[dict[str, Any], list[Violation]]:
    """Give all that is known of the file, by name, and every rule it breaks."""
    # Here, so that `reelflow --help` does not wait for them.
    from reelflow.digest import sha256_of
    from reelflow.media.inspection import examine
    from reelflow.source import open_file

    if thumbnail is not None:
        _check_target(thumbnail, file)
    with (
        open_file(file) as source,
        examine(source, with_covers=thumbnail is not None) as examination,
    ):
        facts = examination.facts
        broken = _judge(facts, str(file), profile)
        if thumbnail is not None and facts.kind != "other" and facts.probe_error is None:
            broken += _write_cover(examination, thumbnail)
        metadata = {**facts.as_dict(), "sha256": sha256_of(source)}
        if facts.kind == "image" and profile is Profile.TIKTOK and not broken:
            metadata["copy"], broken = _copy(source, facts)
        return metadata, broken


def _copy(source: Source, facts: MediaFacts) -> tuple[dict[str, Any] | None, list[Violation]]:
    """Give the copy that TikTok would get in an image's place, if any, or why there can be none."""
    from reelflow.domain.photos import copy_reasons
    from reelflow.media.prepared_photo import prepare_photo

    reasons = copy_reasons(facts)
    if not reasons:
        return None, []
    try:
        copy = prepare_photo(source, io.BytesIO())
    except MediaRejectedError as error:
        return None, _violations(error)
    measured = {name: getattr(copy, name) for name in ("container", "width", "height")}
    return {**measured, "size_bytes": copy.size_bytes, "because": reasons}, []


def _check_target(thumbnail: Path, file: Path) -> None:
    """Refuse to write over the source, by whatever name, and over what is no plain file."""
    try:
        mode = thumbnail.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise TerminalError(f"{thumbnail} is no plain file: give the thumbnail another name")
    if file.exists() and thumbnail.samefile(file):
        raise TerminalError(f"{thumbnail} is the very file to look at: give another name")


def _judge(facts: MediaFacts, file_name: str, profile: Profile) -> list[Violation]:
    from reelflow.domain.media import publishing_violations, violations
    from reelflow.domain.photos import image_violations, is_picture
    from reelflow.media.repair_line import repair_line
    from reelflow.settings import Settings

    if is_picture(facts):
        return image_violations(facts, file_name)  # what only TikTok would refuse is sent as a copy
    house = Settings.load().rules.house
    if profile is Profile.INTAKE:
        return violations(facts, file_name, house, repair_line)
    return publishing_violations(facts, file_name, repair_line, house)


def _write_cover(examination: Examination, thumbnail: Path) -> list[Violation]:
    """Write the cover; where no frame can be decoded, say so."""
    from reelflow.storage.files import write_atomically

    try:
        cover = examination.cover()
    except MediaRejectedError as error:
        return _violations(error)
    write_atomically(thumbnail, cover.jpeg)
    return []


def _violations(error: MediaRejectedError) -> list[Violation]:
    from reelflow.domain.media import Violation

    return [Violation(**violation) for violation in error.violations]


def _report(metadata: Mapping[str, Any], broken: Sequence[Violation]) -> dict[str, Any]:
    return {
        "accepted": not broken,
        "violations": [violation.as_dict() for violation in broken],
        "metadata": dict(metadata),
    }


def _print_report(
    screen: Console,
    file: Path,
    metadata: Mapping[str, Any],
    broken: Sequence[Violation],
    profile: Profile,
) -> None:
    screen.print(screen_safe(str(file)), style="bold")
    for name, value in _worth_showing(metadata).items():
        shown = _UNKNOWN if value is None else screen_safe(str(value))
        screen.print(f"  {name:<20} {shown}")
    if not broken:
        screen.print(f"Accepted by the {profile} profile.", style="green")
        _print_copy(screen, metadata.get("copy"))
        return
    rules = "1 rule" if len(broken) == 1 else f"{len(broken)} rules"
    screen.print(f"Rejected by the {profile} profile: {rules} broken.", style="red")
    for violation in broken:
        measured = f"{violation.rule}: {violation.value} (allowed: {violation.limit})"
        screen.print(f"  {screen_safe(measured)}")
        screen.print(f"    fix: {screen_safe(violation.fix)}")


def _print_copy(screen: Console, copy: Mapping[str, Any] | None) -> None:
    """Say that TikTok gets a copy, and why not the image itself."""
    if copy is None:
        return
    size = f"{copy['width']}x{copy['height']} px, {copy['size_bytes']:,} bytes"
    screen.print(f"TikTok gets a copy of it: {copy['container'].upper()}, {size}.")
    screen.print(f"  because: {screen_safe('; '.join(copy['because']))}")


def _worth_showing(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give all of a video, what is unknown of it too; of anything else, what says something."""
    from reelflow.domain.media import MediaFacts

    nothing = MediaFacts("", "", 0).as_dict()
    if metadata["kind"] == "video":
        return {name: value for name, value in metadata.items() if name != "image_extras"}
    shown = {
        name: value for name, value in metadata.items() if name not in ("image_extras", "copy")
    }
    extras = ", ".join(metadata["image_extras"] or ())
    if extras:
        shown["holds"] = extras
    return {name: value for name, value in shown.items() if value != nothing.get(name)}
