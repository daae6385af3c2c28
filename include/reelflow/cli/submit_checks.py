"""Checking posts on this machine, as ``reelflow inspect`` does, before a byte of them is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reelflow.cli.inspect import Profile, inspect_file
from reelflow.cli.submit_wishes import Problem, Wish
from reelflow.client.submission import LocalPost
from reelflow.client.uploader import LocalFile
from reelflow.domain.content_types import CONTENT_TYPES, media_type_of
from reelflow.domain.cover import cover_violations
from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import count_violation, photo_post_sha256
from reelflow.domain.post import PostKind
from reelflow.domain.sidecar import PhotoFields, VideoFields
from reelflow.domain.violation import Violation
from reelflow.exceptions import ReelflowError
from reelflow.source import open_file


@dataclass
class Checked:
    """What came of checking: the posts that may go, and why others may not."""

    posts: list[LocalPost] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class _Examined:
    file: LocalFile
    facts: MediaFacts
    violations: tuple[Violation, ...]


class Checker:
    """Checks posts one after another; a file that several of them have is looked at once.

    :param on_bytes: is told how many bytes have been looked at, after each file
    """

    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        self._on_bytes = on_bytes
        self._seen_bytes = 0
        self._examined: dict[Path, _Examined] = {}

    def check(self, wishes: Sequence[Wish]) -> Checked:
        """Check all posts; none stops another."""
        checked = Checked()
        asked_for: dict[tuple[str, str], str] = {}
        for wish in wishes:
            try:
                post, broken = self._check(wish)
            except (ReelflowError, OSError, ValueError) as error:
                checked.problems.append(Problem(wish.place, f"{wish.found.name}: {error}"))
                continue
            first = asked_for.setdefault((post.account, post.sha256), wish.place)
            if broken:
                checked.problems.append(Problem(_named(wish), violations=tuple(broken)))
            elif first != wish.place and not wish.fields.repost:
                checked.problems.append(Problem(wish.place, _told_twice(post, first)))
            else:
                checked.posts.append(post)
        return checked

    def _check(self, wish: Wish) -> tuple[LocalPost, list[Violation]]:
        examined = [self._examine(path) for path in wish.paths]
        broken = list(_broken(wish, examined))
        hashes = [one.file.sha256 for one in examined]
        is_photo = wish.found.kind is PostKind.PHOTO
        post = LocalPost(
            name=wish.found.name,
            place=_named(wish),
            account=wish.account,
            kind=wish.found.kind,
            files=tuple(one.file for one in examined),
            sha256=photo_post_sha256(hashes) if is_photo else hashes[0],
            fields=_api_fields(wish),
        )
        return post, broken

    def _examine(self, path: Path) -> _Examined:
        if path not in self._examined:
            with open_file(path) as source:
                identity = source.identity
            metadata, broken = inspect_file(path, None, Profile.TIKTOK)
            facts = MediaFacts.from_dict(metadata)
            media_type = media_type_of(facts.container)
            file = LocalFile(
                path=path,
                size_bytes=facts.size_bytes,
                sha256=metadata["sha256"],
                identity=identity,
                content_type=CONTENT_TYPES.get(facts.container, "application/octet-stream"),
                media_type=str(media_type),
            )
            self._examined[path] = _Examined(file, facts, tuple(broken))
        examined = self._examined[path]
        self._seen_bytes += examined.file.size_bytes
        self._on_bytes(self._seen_bytes)
        return examined


def _broken(wish: Wish, examined: Sequence[_Examined]) -> Iterator[Violation]:
    """Give every rule that the files of a post break, each by itself and together."""
    for one in examined:
        for violation in one.violations:
            yield violation.of(one.file.path.name) if len(examined) > 1 else violation
    if isinstance(wish.fields, VideoFields):
        yield from _broken_cover(examined[0].facts, wish.fields)
    if isinstance(wish.fields, PhotoFields):
        too_many = count_violation(len(examined))
        if too_many is not None:
            yield too_many
        if wish.fields.cover_index >= len(examined):
            yield Violation(
                "cover",
                f"cover_index {wish.fields.cover_index}",
                f"0 to {len(examined) - 1}, the first image being 0",
                "choose another cover_index",
            )


def _broken_cover(facts: MediaFacts, fields: VideoFields) -> Iterator[Violation]:
    for broken in cover_violations(facts, fields.cover_timestamp_ms):
        fix = "choose an earlier cover_timestamp_ms"
        yield Violation(broken.rule, broken.value, broken.limit, fix)


def _api_fields(wish: Wish) -> dict[str, Any]:
    """Return the fields that were given, as the API takes them: the files have their order."""
    return wish.fields.model_dump(mode="json", exclude_unset=True, exclude={"images"})


def _named(wish: Wish) -> str:
    name = wish.found.name
    return name if wish.place == name else f"{wish.place}, {name}"


def _told_twice(post: LocalPost, first: str) -> str:
    return (
        f"{post.name} is the same content for {post.account} as {first}: leave one of them out, or "
        "ask for it with repost"
    )
