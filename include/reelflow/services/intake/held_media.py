"""What is found wrong with the media of a post that is HELD, told to whoever is to release it."""

from __future__ import annotations

from collections.abc import Mapping

from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.post import PostState
from reelflow.ledger import audit, photo_images, posts
from reelflow.services.workspace import Workspace


def tell_held(
    workspace: Workspace,
    post_id: int,
    violations: list[dict[str, str]],
    *,
    actor: str,
    facts: Mapping[str, MediaFacts] | None = None,
) -> bool:
    """Keep what is wrong with a HELD post's media, as of now; the post stays HELD.

    Once it is released, the run that publishes it judges them again, and rejects it.

    :param facts: what was measured of its files, by the id of each; None leaves what is known
    :return: False if it is not HELD; nothing was kept then
    """
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        post = posts.get(session, post_id, lock=True)
        if post.state is not PostState.HELD:
            return False
        if post.media.violations != violations:
            told = "; ".join(
                f"{v['rule']}: {v['value']} (allowed: {v['limit']})" for v in violations
            )
            why = f"its release would reject it: {told}"
            audit.record(session, post_id=post_id, at=now, actor=actor, why=why)
        post.media.violations = violations
        if facts is not None:
            for media in photo_images.media_of(session, post):
                measured = facts.get(media.id)
                media.facts = measured.as_dict() if measured else None
    return True
