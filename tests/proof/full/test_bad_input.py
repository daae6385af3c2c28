"""What is set up wrongly while posts are on their way: who is stopped, and what it says."""

from __future__ import annotations

from reelflow.domain.post import DONE, PostState
from tests.proof.play import ENDLESS_S, Play
from tests.proof.runs import TASKS


def test_a_ledger_behind_its_migration_stops_runs_before_any_post_until_it_is_upgraded(
    play: Play,
) -> None:
    play.process_for(ENDLESS_S)
    play.drop(20)
    with play.mid_stage(20, {PostState.PROCESSING}):
        play.wait_told(lambda: len(play.runs.deferred()) >= 20, "every post to be deferred")
        before = play.ledger.posts()
        with play.ledger.behind("0001"):
            play.drop(4)
            run_id = play.runs.trigger()  # as the daily one: the watchers log it, and wake nobody
            play.wait_told(lambda: play.runs.state_of(run_id) == "failed", "the run to be refused")
            said = play.runs.log_of(run_id, TASKS[0])
            assert "is at revision 0001" in said
            assert "reelflow db upgrade" in said
            assert play.ledger.posts() == before
    play.let_go()
    play.finish()


def test_tokens_of_another_key_stop_their_account_alone_and_say_what_to_do(play: Play) -> None:
    wrong, *_ = play.stack.account_names
    play.process_for(ENDLESS_S)
    play.drop(20)
    with play.mid_stage(20, {PostState.PROCESSING}):
        play.ledger.use_another_key(wrong)
        late, *others = play.drop(4)
        names = {one.file_name for one in others}

        def others_are_published() -> bool:
            posts = [post for post in play.ledger.posts() if post.file_name in names]
            play.complete({post.publish_id for post in posts if post.publish_id})
            return len(posts) == len(names) and all(post.state in DONE for post in posts)

        play.wait_told(others_are_published, "the other accounts' posts to be published")

        def is_told() -> bool:
            stopped = [post for post in play.ledger.posts() if post.file_name == late.file_name]
            return any(
                "REELFLOW_FERNET_KEY" in play.stack.run_reelflow("posts", "show", str(post.id))
                for post in stopped
            )

        play.wait_told(is_told, "the story of the post that is stopped to name the key")
        [stopped] = [post for post in play.ledger.posts() if post.file_name == late.file_name]
        assert stopped.state is PostState.READY
        assert stopped.publish_id is None
    play.stack.connect_accounts()
    play.let_go()
    play.finish(deadline_s=900)
