"""``reelflow submit --watch``: follow posts to their end, and the exit code of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from reelflow.client.records import PostRecord
from reelflow.client.retries import Retries
from reelflow.client.server import ReelflowServer
from reelflow.domain.post import DONE, UNKEYED, PostState

EXIT_NOT_PUBLISHED: Final = 1
EXIT_NEEDS_PERSON: Final = 3
#: A person must act before it goes on, or may.
NEEDS_PERSON: Final = frozenset({PostState.HELD, PostState.MISSED, PostState.UNKNOWN})
ENDED: Final = DONE | UNKEYED | NEEDS_PERSON
_PAUSE_S: Final = 3.0
#: Many posts are not asked for more often than so many a second together.
_POSTS_PER_S: Final = 10


def follow(
    server: ReelflowServer,
    posts: Mapping[int, PostRecord],
    retries: Retries,
    *,
    on_change: Callable[[PostRecord], None],
    pause_s: float = _PAUSE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[int, PostRecord]:
    """Return posts as they ended, or as they wait for a person.

    :param on_change: is told of each change of state
    """
    known = dict(posts)
    while True:
        open_ids = [post_id for post_id, post in known.items() if post.state not in ENDED]
        if not open_ids:
            return known
        sleep(max(pause_s, len(open_ids) / _POSTS_PER_S))
        for post_id in open_ids:
            post = retries.call(partial(server.post, post_id))
            if post.state != known[post_id].state:
                on_change(post)
            known[post_id] = post
        retries.progressed()


def exit_code(states: list[str]) -> int:
    """Return what the states of the posts are together: the worst of them."""
    if any(state in UNKEYED - NEEDS_PERSON for state in states):
        return EXIT_NOT_PUBLISHED
    return EXIT_NEEDS_PERSON if any(state in NEEDS_PERSON for state in states) else 0
