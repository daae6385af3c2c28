"""``reelflow accounts set --approval``: which posts wait for a person, and for how long."""

import pytest

from reelflow.domain.post import PostState
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests.factories import make_post, read_post
from tests.unit.reelflow.cli.conftest import Run


def listed(run: Run) -> str:
    return " ".join(run("accounts", "list").stdout.split())


def test_a_policy_is_set_and_says_which_posts_wait_now(
    run: Run, workspace: Workspace, account: Account
) -> None:
    post = make_post(workspace, account)
    assert "approval" not in listed(run)
    done = run("accounts", "set", "acme", "--approval", "required")
    assert done.stdout.startswith(
        "Approval of acme: every post; unanswered, asked again.\n"
        f"Posts that wait for it now: {post.id}\n"
    )
    assert read_post(workspace, post.id).state is PostState.HELD
    assert "approval: every post; unanswered, asked again" in listed(run)


def test_what_no_answer_means_is_the_accounts_own(run: Run, account: Account) -> None:
    done = run(
        *("accounts", "set", "acme"),
        *("--approval-timeout", "36", "--approval-on-timeout", "cancel"),
    )
    told = "Approval of acme: posts that ask for it; unanswered, cancelled after 36 h.\n"
    assert done.stdout.startswith(told)
    done = run("accounts", "set", "acme", "--approval-timeout", "0")
    assert "unanswered, cancelled.\n" in done.stdout


@pytest.mark.parametrize("hours", ["169", "-1", "nan"])
def test_a_time_that_no_question_waits_is_refused(run: Run, account: Account, hours: str) -> None:
    done = run("accounts", "set", "acme", f"--approval-timeout={hours}")
    assert done.exit_code != 0
    assert "up to 168" in done.stderr
