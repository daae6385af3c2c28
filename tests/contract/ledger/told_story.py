"""What holds of a post in the ledger, whatever happened to it and in whatever order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from reelflow.domain.post import DONE, PUBLISHED, TRANSITIONS, PostState
from reelflow.domain.publication import PublicationState
from reelflow.ledger import audit, posts, publications
from reelflow.ledger.models import Post, Publication
from reelflow.services.workspace import Workspace

#: States of a publication that TikTok may show, or shows.
_MAY_PUBLISH = frozenset(
    {PublicationState.COMMITTING, PublicationState.SENT, PublicationState.DONE}
)
#: States in which a person has to do something about the post.
_FOR_A_PERSON = frozenset({PostState.HELD, PostState.FAILED, PostState.UNKNOWN})


class ToldStory:
    """A post's audit trail as it was read before: it only grows."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str]] = []

    def check(self, workspace: Workspace, post_id: int) -> tuple[Post, Sequence[Publication]]:
        """Read the post again, and see that it is one story which the tables allow.

        :return: the post, and its publications, oldest first
        """
        with workspace.ledger.read() as session:
            post = posts.get(session, post_id)
            rows = audit.story(session, post_id)
            history = publications.of_post(session, post_id)
        read = [(row.id, row.why) for row in rows]
        assert read[: len(self._rows)] == self._rows
        self._rows = read
        steps = [row for row in rows if row.to_state]
        states = [PostState(str(row.to_state)) for row in steps]
        assert states[-1] is post.state
        assert [row.from_state for row in steps[1:]] == states[:-1]
        assert all(after in TRANSITIONS[before] for before, after in pairwise(states))
        assert not any(
            before in PUBLISHED and after not in PUBLISHED for before, after in pairwise(states)
        )
        _check_reason(post, steps[-1].why)
        assert sum(one.is_current for one in history) <= 1
        assert sum(one.state in _MAY_PUBLISH for one in history) <= 1
        return post, history


def _check_reason(post: Post, told: str) -> None:
    assert post.reason == told != ""
    if post.state in _FOR_A_PERSON:
        assert post.reason_code
        assert post.fix
    if post.state in DONE:
        assert (post.reason_code, post.fix) == (None, None)
