"""``reelflow accounts set --analysis``, and what people see of verdicts and approve."""

import json

import pytest

from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.domain.post import PostState
from reelflow.exceptions import AnalysisRefusedError, PostHeldError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.intake.analyse import analyse
from reelflow.services.workspace import Workspace
from tests.factories import ACTOR, change_account, make_post, read_post
from tests.unit.reelflow.cli.conftest import Run
from tests.unit.reelflow.services.intake.scripted_engine import ScriptedEngine, engines


def wish(workspace: Workspace) -> tuple[str, str, str]:
    with workspace.ledger.read() as session:
        one = accounts.by_name(session, "acme")
        return one.analysis_policy, one.analysis_engine, one.analysis_model_type


def hold(workspace: Workspace, account: Account, engine: ScriptedEngine) -> Post:
    change_account(
        workspace,
        account.id,
        analysis_policy=AnalysisPolicy.HOLD,
        analysis_engine=AnalysisEngine.HTTP,
        analysis_model_type="cnn",
    )
    post = make_post(workspace, account)
    with pytest.raises(PostHeldError):
        analyse(workspace, post.id, engines=engines(engine), run_id="run", actor=ACTOR)
    return post


def test_a_policy_is_set_with_the_engines_first_model(
    run: Run, workspace: Workspace, account: Account
) -> None:
    assert wish(workspace) == ("ignore", "provenance", "provenance")
    done = run("accounts", "set", "acme", "--analysis", "label")
    assert done.stdout.startswith("Generated media of acme: label, told by provenance.")
    assert wish(workspace) == ("label", "provenance", "provenance")
    done = run("accounts", "set", "acme", "--analysis-engine", "http")
    assert done.stdout.startswith("Generated media of acme: label, told by http/ensemble.")
    assert wish(workspace) == ("label", "http", "ensemble")
    run("accounts", "set", "acme", "--analysis-model", "resnet", "--analysis", "hold")
    assert wish(workspace) == ("hold", "http", "resnet")
    assert "generated: hold, told by http/resnet" in " ".join(
        run("accounts", "list").stdout.split()
    )
    done = run("accounts", "set", "acme", "--analysis", "ignore")
    assert done.stdout.startswith("Generated media of acme: ignored.")


def test_a_model_that_the_engine_does_not_have_changes_nothing(
    run: Run, workspace: Workspace, account: Account
) -> None:
    done = run("accounts", "set", "acme", "--analysis", "label", "--analysis-model", "resnet")
    assert done.exit_code != 0
    assert "provenance has no model type 'resnet'" in str(done.exception) + done.output
    assert wish(workspace) == ("ignore", "provenance", "provenance")


def test_posts_show_prints_the_verdict_and_release_approves_it(
    run: Run, workspace: Workspace, account: Account
) -> None:
    engine = ScriptedEngine(details={"summary": "it\x1b[2J does not blink"})
    post = hold(workspace, account, engine)
    shown = run("posts", "show", post.id).stdout
    told = "clip.mp4 is generated, says http/cnn (confidence 90%)"
    assert "Analysis" in shown
    assert told in shown
    assert "\x1b" not in shown
    assert f"reelflow posts release {post.id}" in shown
    assert run("posts", "release", post.id).exit_code == 0
    assert read_post(workspace, post.id).state is PostState.READY
    shown = run("posts", "show", post.id).stdout
    assert "approved by person:mia, " in shown
    (verdict,) = json.loads(run("posts", "show", post.id, "--json").stdout)["verdicts"]
    assert verdict["told"].startswith(told)
    assert (verdict["id"], verdict["is_fake"], verdict["confidence"]) == ("v-1", True, 0.9)
    assert verdict["approved_by"] == "person:mia"


def test_posts_show_says_that_a_post_is_labelled_and_why_one_is_not_judged(
    run: Run, workspace: Workspace, account: Account
) -> None:
    labelled = make_post(workspace, account, is_aigc=True)
    assert "AI-generated" in run("posts", "show", labelled.id).stdout
    engine = ScriptedEngine()
    engine.start_failure = AnalysisRefusedError("no face in it")
    post = hold(workspace, account, engine)
    shown = run("posts", "show", post.id).stdout
    assert "AI-generated" not in shown
    assert "clip.mp4: no face in it" in shown
