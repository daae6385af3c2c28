"""Many accounts: what one of them suffers delays no other."""

from __future__ import annotations

from reelflow.domain.post import DONE
from tests.proof.play import AT_LEAST, Play

#: As many as TikTok's six inits a minute let through at once.
SLOW_POSTS = 6


def test_a_slow_account_delays_no_post_of_the_others(play: Play) -> None:
    slow, *_ = play.stack.account_names
    for call, delay_s in (("init", 25), ("put", 110)):  # the client waits a little longer for each
        play.slow(call, times=SLOW_POSTS, delay_s=delay_s, open_id=play.open_id(slow))
    play.drop(4 * SLOW_POSTS)

    def others_are_published() -> bool:
        """Whether all of the others are; the ledger has learned of every file by then."""
        others = [post for post in play.ledger.posts() if post.account != slow]
        return len(others) == 3 * SLOW_POSTS and all(post.state in DONE for post in others)

    play.wait_told(others_are_published, "the other accounts' posts to be published")
    waiting = [post for post in play.ledger.mid_stage() if post.account == slow]
    assert len(waiting) >= AT_LEAST
    play.finish()
