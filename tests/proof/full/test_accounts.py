"""Many accounts: what one of them suffers delays no other."""

from __future__ import annotations

from reelflow.domain.post import DONE, PostState
from tests.proof.consent import connect_again
from tests.proof.ledger import LedgerPost
from tests.proof.play import AT_LEAST, ENDLESS_S, Play

#: As many as TikTok's six inits a minute let through at once.
SLOW_POSTS = 6
#: Of an account that has more posts than TikTok lets it begin in a minute.
MANY_POSTS = 8
#: More calls than any case makes.
ALWAYS = 10_000


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


def test_posts_that_came_one_by_one_and_wait_for_tiktok_hold_up_no_other_account(
    play: Play,
) -> None:
    """Each of them is in a run of its own, which lasts as long as TikTok's moderation."""
    slow, *_ = play.stack.account_names
    play.process_for(ENDLESS_S)
    for count in range(1, AT_LEAST + 1):
        play.drop(1, accounts=1)
        _let_wait(play, count)
    assert len(play.ledger.batches()) == AT_LEAST

    with play.mid_stage(states={PostState.PROCESSING}):
        dropped = {video.file_name for video in play.drop(20) if video.account != slow}

        def others_are_published() -> bool:
            others = [post for post in play.ledger.posts() if post.file_name in dropped]
            play.complete({post.publish_id for post in others if post.publish_id})
            return len(others) == len(dropped) and all(post.state in DONE for post in others)

        play.wait_told(others_are_published, "the other accounts' posts to be published")
    play.let_go()
    play.finish()


def test_limits_a_revoked_token_and_errors_of_three_accounts_delay_no_post_of_a_fourth(
    play: Play,
) -> None:
    limited, revoked, failing, well, *_ = play.stack.account_names
    play.process_for(ENDLESS_S)
    play.slow("put", times=MANY_POSTS, delay_s=60, open_id=play.open_id(revoked))
    play.fail("creator_info", times=ALWAYS, open_id=play.open_id(failing))
    play.drop(20)
    play.drop(2 * (MANY_POSTS - 5), accounts=2)

    def sent(account: str) -> list[LedgerPost]:
        return [post for post in play.ledger.mid_stage() if post.account == account]

    play.wait_told(
        lambda: len(sent(limited)) == len(sent(revoked)) == SLOW_POSTS,
        "as many posts of two accounts to be begun as TikTok lets them",
    )
    with play.mid_stage():
        play.simulator("POST", f"/accounts/{revoked}", {"remove_authorization": 1})

        def well_is_published() -> bool:
            posts = _of(play, well)
            play.complete({post.publish_id for post in posts if post.publish_id})
            return len(posts) == 5 and all(post.state in DONE for post in posts)

        play.wait_told(well_is_published, "the posts of the account that is well to be published")
        in_trouble = [post for one in (limited, revoked, failing) for post in _of(play, one)]
        assert len(in_trouble) == 2 * MANY_POSTS + 5
        assert not {post.state for post in in_trouble} & DONE
        assert {post.state for post in _of(play, failing)} == {PostState.READY}
    fix = f"reelflow accounts connect {revoked}"
    play.wait_told(
        lambda: all(fix in _story(play, post) for post in _of(play, revoked)),
        "the story of each post of a revoked account to say what to do",
    )

    play.simulator("DELETE", "/fault")
    connect_again(play.stack, revoked)
    play.let_go()
    play.finish(deadline_s=900)


def _of(play: Play, account: str) -> list[LedgerPost]:
    return [post for post in play.ledger.posts() if post.account == account]


def _story(play: Play, post: LedgerPost) -> str:
    """Return what `reelflow posts show` says, in one line."""
    return " ".join(play.stack.run_reelflow("posts", "show", str(post.id)).split())


def _let_wait(play: Play, count: int) -> None:
    """Wait until TikTok has so many posts, which it is not done with."""
    processing = {PostState.PROCESSING}
    play.wait_told(lambda: len(play.ledger.mid_stage(processing)) == count, f"{count} to wait")
