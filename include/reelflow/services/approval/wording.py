"""What an approver reads of a post, as Markdown; nothing that a stranger wrote can act in it."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reelflow.domain.approval import TimeoutAction
from reelflow.domain.post import Interaction, PostKind, PostMode
from reelflow.domain.printable import printable
from reelflow.domain.sidecar import PHOTO_CAPTION_MAX_UTF16_UNITS
from reelflow.ledger.models import Media, Post, Verdict
from reelflow.services.approval.creator import NOTHING_OFFERED
from reelflow.services.intake.verdict_policy import sentence

_CAPTION_CHARS: Final = PHOTO_CAPTION_MAX_UTF16_UNITS
_LINE_CHARS: Final = 500
_NAME_CHARS: Final = 120
_MIB: Final = 1024 * 1024
_ESCAPED: Final = str.maketrans({char: f"\\{char}" for char in string.punctuation})
#: What Airflow's pages take for an address and make a link of, escaped or not; with an invisible
#: character inside they do not.
_ADDRESS: Final = re.compile(r"://|www|@", re.IGNORECASE)
_BREAK: Final = "\u2060"
#: Pictures beside each other, as wide as Airflow's pages show them.
_COLUMNS: Final = 3


@dataclass(frozen=True)
class Shown:
    """What is told of a post beside its own row.

    :param cover: address of its picture, if it has one
    :param candidates: addresses of the pictures to choose a cover from, by what they are chosen by
    :param images: of a photo post
    :param without: what the post asks to allow and its creator switched off
    :param trouble: why TikTok did not say what the creator offers
    :param is_approvable: whether there is a privacy level to go out with
    :param complaint: what was wrong with the last answer
    :param until: until when an answer is waited for
    """

    name: str
    cover: str | None
    candidates: Mapping[str, str]
    images: Sequence[Media]
    verdicts: Sequence[Verdict]
    username: str
    without: Sequence[Interaction]
    trouble: str | None
    is_approvable: bool
    complaint: str | None
    until: datetime


def subject_of(post: Post, name: str) -> str:
    """Return the headline."""
    return f"Publish {printable(name, _NAME_CHARS)} to {post.account.name}?"


def body_of(post: Post, shown: Shown) -> str:
    """Return what the approver reads below it."""
    parts = [
        f"⚠ **Your answer was not used:** {escaped(shown.complaint)}" if shown.complaint else "",
        f"**Why it waits:** {escaped(post.reason)}",
        _pictures(shown),
        _caption(post),
        _facts(post, shown),
        _checks(post, shown),
        _consequences(post, shown),
    ]
    return "\n\n".join(part for part in parts if part)


def escaped(text: str, max_chars: int = _LINE_CHARS) -> str:
    """Return one line in which no character means anything to Markdown."""
    line = printable(text, max_chars)
    broken = _ADDRESS.sub(lambda found: found[0][0] + _BREAK + found[0][1:], line)
    return broken.translate(_ESCAPED)


def _pictures(shown: Shown) -> str:
    if shown.cover is None:
        return "*It has no picture.*"
    pictures = {"cover now": shown.cover, **shown.candidates}
    if len(pictures) == 1:
        return f"![cover]({shown.cover})"
    labels = [escaped(label) for label in pictures]
    images = [f"![{label}]({path})" for label, path in zip(labels, pictures.values(), strict=True)]
    rows = [
        _row(cells[first : first + _COLUMNS])
        for first in range(0, len(images), _COLUMNS)
        for cells in (labels, images)
    ]
    return "\n".join([rows[0], _row(["---"] * _COLUMNS), *rows[1:]])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join([*cells, *[' '] * (_COLUMNS - len(cells))])} |"


def _caption(post: Post) -> str:
    title = f"**{escaped(post.title)}**\n\n" if post.title else ""
    # All of it: nobody approves what they were not shown.
    lines = [escaped(line, _CAPTION_CHARS) for line in post.caption.splitlines()]
    if not any(lines):
        return f"{title}*It has no caption.*"
    return title + "\n".join(f"> {line}  " if line else ">" for line in lines)


def _facts(post: Post, shown: Shown) -> str:
    creator = f" (@{escaped(shown.username)})" if shown.username else ""
    what = f"{len(shown.images)} photos" if shown.images else _video(post.media)
    wished = post.privacy_level or "none chosen yet"
    told = {
        "Account": f"{escaped(post.account.name)}{creator}",
        "File": f"{escaped(shown.name)}: {escaped(what)}",
        "Due": f"{post.due_at:%Y-%m-%d %H:%M} UTC",
        "Privacy wished": escaped(wished if post.mode is not PostMode.DRAFT else "it is a draft"),
        "Viewers may not": escaped(_disabled(post)),
        "Labels": escaped(_labels(post)),
    }
    return "\n".join(f"- **{name}:** {value}" for name, value in told.items() if value)


def _video(media: Media) -> str:
    parts = [
        f"{media.display_width}x{media.display_height}" if media.display_width else "",
        f"{media.duration_s:.1f} s" if media.duration_s else "",
        media.video_codec or "",
        f"{media.size_bytes / _MIB:.1f} MiB",
    ]
    return ", ".join(part for part in parts if part)


def _disabled(post: Post) -> str:
    kinds = [Interaction.COMMENT] if post.kind is PostKind.PHOTO else list(Interaction)
    return ", ".join(one for one in kinds if getattr(post, f"disable_{one}"))


def _labels(post: Post) -> str:
    labels = {
        "AI-generated": post.is_aigc,
        "paid partnership": post.brand_content_toggle,
        "own brand": post.brand_organic_toggle,
    }
    return ", ".join(name for name, is_set in labels.items() if is_set)


def _checks(post: Post, shown: Shown) -> str:
    checks = [_verdict_line(verdict) for verdict in shown.verdicts]
    violations: Sequence[Mapping[str, Any]] = post.media.violations or ()
    if violations:
        checks += [
            f"✗ {escaped(one['rule'])}: {escaped(one['value'])} (allowed: "
            f"{escaped(one['limit'])}). To fix: {escaped(one['fix'])}"
            for one in violations
        ]
        checks.append("✗ **It would be rejected for that, also if you approve it.**")
    elif post.media.validated_at is not None:
        checks.insert(0, "✓ The file keeps the rules of the house and of TikTok.")
    else:
        checks.insert(0, "⚠ The file was not checked yet; it is, before it is sent.")
    if shown.trouble:
        told = escaped(shown.trouble)
        checks.append(f"⚠ TikTok was not asked what the creator offers: {told}")
    return "**Checks**\n\n" + "\n".join(f"- {check}" for check in checks)


def _verdict_line(verdict: Verdict) -> str:
    told = escaped(sentence(verdict))
    if verdict.found_at is None:
        return f"⚠ {told}; what it finds is not approved with the post."
    return f"{'⚠' if verdict.is_fake or verdict.refused_because else '✓'} {told}"


def _consequences(post: Post, shown: Shown) -> str:
    lines = [
        _approval(post, shown),
        f"**Reject** cancels it; `reelflow posts retry {post.id}` brings it back.",
        "**Not now** asks again in an hour.",
    ]
    action = "is asked again"
    if post.account.approval_on_timeout is TimeoutAction.CANCEL:
        action = "is cancelled"
    lines.append(f"Without an answer until {shown.until:%Y-%m-%d %H:%M} UTC it {action}.")
    return "  \n".join(lines)


def _approval(post: Post, shown: Shown) -> str:
    if not shown.is_approvable:
        return (
            f"**It cannot be approved now:** {NOTHING_OFFERED}. Let the creator allow others to "
            "watch, in TikTok's app, or take the paid partnership off the post."
        )
    line = f"**Approve** lets it go out at {_when(post, shown)}."
    if not shown.without:
        return line
    return (
        f"{line} It asks to allow {', '.join(shown.without)}, which its creator has switched off: "
        "approved, it goes without."
    )


def _when(post: Post, shown: Shown) -> str:
    if post.publish_at is None:
        return "once"
    return f"{post.publish_at:%Y-%m-%d %H:%M} UTC, or at once if that has passed"
