"""How one post looks on a screen: its fields, who works on it, what TikTok said, every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reelflow.cli.posts_view import count_of, is_waiting, state_text, utc_minute
from reelflow.cli.screen import console, plain
from reelflow.domain.post import UNSETTLED, Interaction, PostState


def print_post(post: Mapping[str, Any]) -> None:
    """Print one post, as :func:`reelflow.cli.pictures.with_locations` gives it."""
    screen = console()
    screen.print(
        Text.assemble(
            (f"Post {post['id']}  ", "bold"),
            state_text(post["state"]),
            (f"  since {_utc(post['state_since'])}", "dim"),
        )
    )
    screen.print(_fields(post))
    _print_obstacles(screen, post)
    _print_candidates(screen, post)
    _print_verdicts(screen, post["verdicts"])
    _print_publications(screen, post["publications"])
    _print_webhooks(screen, post)
    _print_story(screen, post["story"])


def _print_obstacles(screen: Console, post: Mapping[str, Any]) -> None:
    """Print what keeps a post from going on, and what to do: maybe a command line to copy."""
    for violation in post["violations"] or ():
        broken = "{rule}: {value} (allowed: {limit})".format_map(violation)
        screen.print(Text.assemble(("broken rule ", "red"), plain(broken)), soft_wrap=True)
        screen.print(Text.assemble("  fix: ", plain(violation["fix"])), soft_wrap=True)
    if post["fix"] and not post["violations"]:
        screen.print(Text.assemble("fix: ", plain(post["fix"])), soft_wrap=True)


def _fields(post: Mapping[str, Any]) -> Table:
    rows = {
        "why": post["reason"],
        "folder" if post["image_count"] else "file": post["file_name"] + count_of(post),
        "images": ", ".join(PurePath(one["file_name"]).name for one in post["images"]),
        **_copies(post["images"]),
        "size": f"{post['size_bytes']:,} bytes",
        "SHA-256": post["sha256"],
        "media": _media(post["metadata"] or {}),
        "thumbnail": _thumbnail(post),
        "account": post["account"],
        "made by": post["user_id"],
        "mode": post["mode"],
        "privacy": post["privacy_level"] or ("none chosen" if post["mode"] == "direct" else None),
        "title": post["title"],
        "caption": post["caption"],
        **_wishes(post),
        "wished for": _utc(post["publish_at"]),
        "due": _utc(post["due_at"]) if is_waiting(post["state"]) else None,
        **_work(post),
        "publish_id": post["publish_id"],
        "TikTok post": post["link"] or post["post_id"],
        "counts": _counts(post["metrics"]),
        "announced": _utc(post["announced_at"]),
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            grid.add_row(name, plain(value))
    return grid


def _counts(metrics: Mapping[str, Any] | None) -> str | None:
    """Return what TikTok counted, and when it was asked."""
    if metrics is None:
        return None
    names = ("view", "like", "comment", "share")
    told = [(name, metrics[f"{name}_count"]) for name in names]
    counts = ", ".join(f"{count:,} {name}s" for name, count in told if count is not None)
    return f"{counts or 'none told'} (as of {_utc(metrics['collected_at'])})"


def _copies(images: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return of which images TikTok gets copies, and why not the images themselves."""
    told = [
        f"{PurePath(one['file_name']).name} ({'; '.join(one['copy']['because'])})"
        for one in images
        if one["copy"]
    ]
    return {"sent as copies": ", ".join(told)} if told else {}


def _wishes(post: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what was wished for a post that is not as for most."""
    marks = {
        "is_aigc": "AI-generated",
        "brand_content_toggle": "branded content",
        "brand_organic_toggle": "the creator's own brand",
    }
    cover_ms, cover_index = post["cover_timestamp_ms"], post["cover_index"]
    cover = None if cover_ms is None else f"the picture at {cover_ms} ms"
    if cover_index:
        cover = f"image {cover_index + 1}"
    return {
        "viewers may not": ", ".join(one for one in Interaction if post[f"disable_{one}"]),
        "insists on": ", ".join(post["wanted_interactions"]),
        "marked as": ", ".join(mark for name, mark in marks.items() if post[name]),
        "cover": cover,
        "music": "TikTok may add some" if post["auto_add_music"] else None,
        "repost": "asked for: the same bytes once more" if post["repost"] else None,
        "approval": _approval(post),
    }


def _approval(post: Mapping[str, Any]) -> str | None:
    if post["approved_at"] is not None:
        return f"given at {_utc(post['approved_at'])}"
    return "asked for: a person is to approve it" if post["wants_approval"] else None


def _work(post: Mapping[str, Any]) -> dict[str, str | None]:
    """Return who works on a post now, and what stops it."""
    outage = post["breaker"]
    return {
        "claimed by": _until(post["claimed_by"], post["claimed_until"]),
        "uploaded by": _until(post["uploaded_by"], post["lease_until"]),
        "cancelling": _cancelling(post),
        "revoked": post["account_revoked"],
        "stopped": outage
        and f"nothing new is begun until {_utc(outage['probe_at'])}: {outage['why']}",
    }


def _cancelling(post: Mapping[str, Any]) -> str | None:
    """Return that a person wants a post stopped, while it may matter what TikTok does with it."""
    asked_at = _utc(post["cancel_requested_at"])
    if asked_at is None or post["state"] not in UNSETTLED:
        return None
    return f"TikTok was asked to at {asked_at}; if it fails it, it is not posted again by itself"


def _until(who: str | None, until: str | None) -> str | None:
    return who and f"{who}, until {_utc(until)} unless renewed"


def _media(facts: Mapping[str, Any]) -> str:
    shown = [facts.get("container"), facts.get("video_codec"), facts.get("audio_codec")]
    if facts.get("display_width"):
        shown.append(f"{facts['display_width']}x{facts['display_height']}")
    if facts.get("duration_s"):
        shown.append(f"{facts['duration_s']:.1f} s")
    return ", ".join(str(one) for one in shown if one)


def _thumbnail(post: Mapping[str, Any]) -> str | None:
    """Return where the cover lies; of a video that had one, who makes another."""
    location: str | None = post["thumbnail_location"]
    is_made_ahead = post["state"] in (PostState.READY, PostState.HELD) and not post["violations"]
    if location is None and post["candidates"] and is_made_ahead:
        return "it is made before the post goes out"
    return location


def _print_candidates(screen: Console, post: Mapping[str, Any]) -> None:
    """Print the pictures to choose a cover from, and how: while there is a choice."""
    if post["candidates"]:
        screen.print("\nPictures for a cover", style="bold")
    for one in post["candidates"]:
        screen.print(plain(f"{one['at_ms']} ms  {one['location']}"), soft_wrap=True)
    if post["candidates"] and is_waiting(post["state"]) and post["mode"] == "direct":
        choose = f"to choose: reelflow posts cover {post['id']} --at-ms MS"
        screen.print(plain(choose, style="dim"), soft_wrap=True)


def _print_verdicts(screen: Console, verdicts: Sequence[Mapping[str, Any]]) -> None:
    if verdicts:
        screen.print("\nAnalysis", style="bold")
    for one in verdicts:
        screen.print(plain(one["told"]), soft_wrap=True)
        if one["approved_by"]:
            approved = f"   approved by {one['approved_by']}, {_utc(one['approved_at'])}"
            screen.print(plain(approved), soft_wrap=True)


def _print_publications(screen: Console, publications: Sequence[Mapping[str, Any]]) -> None:
    """Print what was begun at TikTok. Not wrapped by us: ids and links are to be copied."""
    if publications:
        screen.print("\nPublications", style="bold")
    for one in publications:
        style = "" if one["current"] else "dim"
        known_as = one["publish_id"] or "its publish_id is not known"
        head = f"{one['ordinal']}  {one['state']}  {known_as}"
        screen.print(plain(head, style=style), soft_wrap=True)
        for line in (_how(one), _said(one), one["link"] or one["post_id"]):
            if line:
                screen.print(plain(f"   {line}", style=style), soft_wrap=True)


def _how(publication: Mapping[str, Any]) -> str:
    """Return how TikTok gets the bytes, how many, and since when."""
    begun, total = _utc(publication["created_at"]), f"{publication['size_bytes']:,} bytes"
    if publication["source"] == "PULL_FROM_URL":
        return f"pull of {total}, begun {begun}"
    return f"upload, {publication['acknowledged_bytes']:,} of {total} sent, begun {begun}"


def _said(publication: Mapping[str, Any]) -> str | None:
    """Return TikTok's last word, and when it was told or asked for in vain."""
    said = " ".join(filter(None, (publication["tiktok_status"], publication["fail_reason"])))
    at = _utc(publication["tiktok_status_at"])
    if not (said or at):
        return None
    return f"TikTok said {said or 'nothing'}" + (f", {at}" if at else "")


def _print_webhooks(screen: Console, post: Mapping[str, Any]) -> None:
    ordinals = {one["publish_id"]: one["ordinal"] for one in post["publications"]}
    if post["webhooks"]:
        screen.print("\nWebhooks", style="bold")
    for one in post["webhooks"]:
        event = " ".join(filter(None, (one["event"], one["reason"])))
        head = f"{utc_minute(one['received_at'])}  {event}  publication "
        did = f"{ordinals[one['publish_id']]}: {one['outcome'] or 'not applied yet'}"
        screen.print(plain(head + did), soft_wrap=True)


def _print_story(screen: Console, story: Sequence[Mapping[str, Any]]) -> None:
    screen.print("\nStory (UTC)", style="bold")
    for entry in story:
        steps = [state_text(state) for state in (entry["from"], entry["to"]) if state]
        who = plain(entry["actor"], style="dim")
        head = [plain(utc_minute(entry["at"])), *([Text(" > ").join(steps)] if steps else []), who]
        screen.print(Text("  ").join(head), soft_wrap=True)
        screen.print(Padding(plain(entry["why"]), (0, 0, 0, 3)))


def _utc(text: str | None) -> str | None:
    return text and f"{utc_minute(text)} UTC"
