"""What a person is asked about a post: what is shown, and what can be chosen."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from markdown_it import MarkdownIt

from reelflow.domain.post import APPROVAL, PostMode, PostState
from reelflow.exceptions import PostNotTakeableError, TikTokUnavailableError
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.approval.finding import (
    asked_questions,
    find_posts_to_approve,
    waiting_approvals,
)
from reelflow.services.workspace import Workspace
from tests import factories
from tests.unit.reelflow.services.approval.questions import (
    RUN,
    ScriptedCreator,
    analysis_of,
    asked,
    asker,
    held,
    last_step,
)


@pytest.fixture
def post(workspace: Workspace, account: Account) -> Post:
    return held(workspace, account, caption="From dawn to dusk")


def test_it_says_what_is_asked_of_whom_and_what_was_found(workspace: Workspace, post: Post) -> None:
    question = asked(workspace, post)
    assert question.subject == "Publish clip.mp4 to acme?"
    for told in (
        "> From dawn to dusk",
        "![cover now](/reelflow/api/v1/approvals/pictures/",
        r"**File:** clip\.mp4: ",
        "(@aurora)",
        "✓ The file keeps the rules",
        "**Reject** cancels it",
        "it is asked again",
    ):
        assert told in question.body
    assert question.privacy_levels == ["PUBLIC_TO_EVERYONE", "SELF_ONLY"]
    assert question.privacy_level == "SELF_ONLY"
    assert question.covers == ["unchanged", "1: at 0.3 s", "2: at 0.9 s"]
    assert question.timeout == timedelta(hours=24)
    assert last_step(workspace, post)[2].startswith("a person is asked in Airflow")


def test_nothing_that_a_stranger_wrote_means_anything_to_markdown(
    workspace: Workspace, account: Account
) -> None:
    hostile = (
        "[x](http://evil) <img src=x> `code`\n# head\n![](http://evil/x.png) http://evil\u202e"
    )
    post = held(workspace, account, caption=hostile, file_name="a](b)|c.mp4", title="<b>*t*</b>")
    body = asked(workspace, post).body
    found = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
    inner = [one for token in found for one in token.children or ()]
    assert {one.type for one in inner} <= {
        *("text", "text_special", "softbreak", "hardbreak", "image"),
        *("strong_open", "strong_close", "em_open", "em_close", "code_inline"),
    }
    ours = [str(one.attrs["src"]) for one in inner if one.type == "image"]
    assert len(ours) == 3
    assert all(src.startswith("/reelflow/api/v1/approvals/pictures/") for src in ours)
    assert [one.content for one in inner if one.type == "code_inline"] == [
        f"reelflow posts retry {post.id}"
    ]
    assert not any(token.type in ("heading_open", "html_block") for token in found)
    assert "\u202e" not in body
    text = "".join(one.content for one in inner)
    # Airflow's pages make links of addresses, whatever is escaped.
    assert not re.search(r"://|www|\w@", text)
    text = text.replace("\u2060", "")
    for line in ("[x](http://evil) <img src=x> `code`", "# head", "![](http://evil/x.png)"):
        assert line in text


def test_the_whole_caption_is_shown(workspace: Workspace, account: Account) -> None:
    caption = "\n\n".join(["word " * 399 + "one", "two " * 500 + "end"])
    body = asked(workspace, held(workspace, account, caption=caption)).body
    assert "word one  \n>\n> two two" in body
    assert "two end  \n" in body


def test_what_breaks_a_rule_is_told_and_that_an_approval_does_not_help(
    workspace: Workspace, post: Post
) -> None:
    broken = {"rule": "duration", "value": "700 s", "limit": "600 s", "fix": "cut it"}
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media_id).violations = [broken]
    body = asked(workspace, post).body
    assert "✗ duration: 700 s (allowed: 600 s). To fix: cut it" in body
    assert "would be rejected" in body


def test_a_post_without_a_level_that_is_offered_has_none_chosen_for_it(
    workspace: Workspace, account: Account
) -> None:
    undecided = held(workspace, account, privacy_level=None)
    assert asked(workspace, undecided).privacy_level == "not chosen yet"


def test_branded_content_is_not_offered_as_private(workspace: Workspace, account: Account) -> None:
    post = held(workspace, account, brand_content_toggle=True)
    assert asked(workspace, post).privacy_levels == ["PUBLIC_TO_EVERYONE"]


def test_branded_content_for_which_nothing_but_private_is_offered_has_no_button_to_approve(
    workspace: Workspace, account: Account
) -> None:
    post = held(workspace, account, brand_content_toggle=True)
    question = asked(workspace, post, ScriptedCreator(levels=("SELF_ONLY",)))
    assert (question.is_approvable, question.privacy_levels) == (False, [])
    assert "**It cannot be approved now:** branded content cannot be private" in question.body
    assert "**Approve**" not in question.body


@pytest.mark.parametrize(
    "wishes", [{}, {"mode": PostMode.DRAFT}, {"brand_content_toggle": True}], ids=str
)
def test_every_other_post_can_be_approved(
    workspace: Workspace, account: Account, wishes: dict[str, Any]
) -> None:
    question = asked(workspace, held(workspace, account, **wishes))
    assert question.is_approvable
    assert "**Approve** lets it go out" in question.body


def test_an_analysis_that_is_not_finished_has_no_tick(workspace: Workspace, post: Post) -> None:
    analysis_of(workspace, post)
    body = asked(workspace, post).body
    assert r"⚠ clip\.mp4\: provenance is not finished" in body
    assert "✓ clip" not in body


def test_of_a_draft_there_is_nothing_to_choose_and_tiktok_is_not_asked(
    workspace: Workspace, account: Account
) -> None:
    tiktok = ScriptedCreator()
    question = asked(workspace, held(workspace, account, mode=PostMode.DRAFT), tiktok)
    assert (question.privacy_levels, question.covers, tiktok.asked) == ([], [], [])


def test_where_tiktok_does_not_answer_it_is_said_and_all_levels_can_be_chosen(
    workspace: Workspace, post: Post
) -> None:
    tiktok = ScriptedCreator(trouble=TikTokUnavailableError("502 from open.tiktokapis.com"))
    question = asked(workspace, post, tiktok)
    assert len(question.privacy_levels) == 4
    assert (
        r"TikTok was not asked what the creator offers: 502 from open\.tiktokapis" in question.body
    )


def test_what_the_creator_switched_off_is_told_and_goes_without(
    workspace: Workspace, account: Account
) -> None:
    post = held(workspace, account, wanted_interactions="comment,stitch")
    body = asked(workspace, post, ScriptedCreator(comment_disabled=True)).body
    assert "asks to allow comment, which its creator has switched off" in body


def test_tiktok_is_asked_once_for_many_posts_of_an_account_and_anew_later(
    workspace: Workspace, account: Account, clock: factories.Clock
) -> None:
    tiktok, posts = ScriptedCreator(), [held(workspace, account) for _ in range(3)]
    for post in posts:
        assert asked(workspace, post, tiktok).privacy_levels
    assert len(tiktok.asked) == 1
    clock.advance(timedelta(minutes=11))
    asked(workspace, held(workspace, account), tiktok, by=asker("another run"))
    assert len(tiktok.asked) == 2


@pytest.mark.parametrize("state", [PostState.READY, PostState.CANCELLED, PostState.PUBLISHED])
def test_nobody_is_asked_about_what_was_settled_meanwhile(
    workspace: Workspace, post: Post, state: PostState
) -> None:
    find_posts_to_approve(workspace, run_id=RUN)
    factories.change_post(workspace, post.id, state=state)
    with pytest.raises(PostNotTakeableError, match=f"is {state}"):
        asked(workspace, post)
    assert asked_questions(workspace) == []


def test_nobody_is_asked_about_a_post_whose_account_was_revoked_meanwhile(
    workspace: Workspace, post: Post, account: Account
) -> None:
    find_posts_to_approve(workspace, run_id=RUN)
    factories.change_account(workspace, account.id, revoked=True)
    with pytest.raises(PostNotTakeableError, match="no answer settles"):
        asked(workspace, post)


def test_a_task_that_has_asked_does_not_ask_again_but_lets_another_run(
    workspace: Workspace, post: Post
) -> None:
    asked(workspace, post)
    for _ in range(2):  # it was cleared while it waited, and then again
        with pytest.raises(PostNotTakeableError, match="another run asks"):
            asked(workspace, post)
    assert asked(workspace, post, by=asker("another run")).body
    with pytest.raises(PostNotTakeableError, match="another run asks"):
        asked(workspace, post)
    assert [one.run_id for one in asked_questions(workspace)] == ["another run"]


def test_a_run_asks_about_none_but_its_own_posts(workspace: Workspace, post: Post) -> None:
    asked(workspace, post)
    with pytest.raises(PostNotTakeableError, match="none of this run's"):
        asked(workspace, post, by=asker("another run"))


def test_an_account_may_have_its_own_time_and_what_follows_is_told(
    workspace: Workspace, post: Post, account: Account
) -> None:
    factories.change_account(
        workspace, account.id, approval_timeout_h=2.0, approval_on_timeout="cancel"
    )
    question = asked(workspace, post)
    assert question.timeout == timedelta(hours=2)
    assert "it is cancelled" in question.body


def test_what_is_asked_about_wakes_nobody(workspace: Workspace, post: Post) -> None:
    assert post.reason_code == APPROVAL
    asked(workspace, post)
    assert waiting_approvals(workspace) == frozenset()
