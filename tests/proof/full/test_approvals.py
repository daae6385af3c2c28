"""People are asked about held posts, who answer in Airflow or leave it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from reelflow.domain.approval import ApprovalPolicy, TimeoutAction
from reelflow.domain.post import PostState
from tests.e2e.conftest import UNDECIDED
from tests.e2e.scene import Scene
from tests.proof.play import ENDLESS_S, Play
from tests.proof.questions import DAG, TASK, Questions
from tests.proof.runs import Runs
from tests.proof.stack import ProofStack

#: Its questions wait for 20 s, and its posts are cancelled then.
HASTY = "paper.moon"
HASTE = {"approval_timeout_h": 20 / 3600, "approval_on_timeout": TimeoutAction.CANCEL}
DONE = {"PUBLISHED", "PUBLISHED_NO_LINK"}
ASKS = {"approval": True, "privacy_level": "SELF_ONLY"}


@dataclass(frozen=True)
class Asked:
    """Files whose posts a person is asked about."""

    scene: Scene
    questions: Questions
    approved: str
    undecided: str
    rejected: str
    released: str
    unanswered: str


@pytest.fixture(scope="module")
def asked(stack: ProofStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    play = Play(stack)
    play.begin()
    ledger = stack.ledger
    ledger.change_account(UNDECIDED, inbox_privacy_level=None)
    ledger.change_account(HASTY, approval_policy=ApprovalPolicy.REQUIRED, **HASTE)
    with play.unpaused("prepare_media"), play.unpaused("approve_posts"):
        yield ask(Scene(stack, tmp_path_factory.mktemp("asked")), Questions(stack))
    ledger.change_account(HASTY, approval_policy=ApprovalPolicy.ON_REQUEST)


def ask(scene: Scene, questions: Questions) -> Asked:
    """Drop files whose posts a person is asked about, and wait for the questions."""
    asked = Asked(
        scene,
        questions,
        approved=scene.drop("aurora.kitchen", "approved.mp4", sidecar=ASKS),
        undecided=scene.drop(UNDECIDED, "undecided.mp4"),
        rejected=scene.drop("aurora.kitchen", "rejected.mp4", sidecar=ASKS),
        released=scene.drop("aurora.kitchen", "released.mp4", sidecar=ASKS),
        unanswered=scene.drop(HASTY, "unanswered.mp4"),
    )
    for name in (asked.approved, asked.undecided, asked.rejected, asked.released):
        asked.questions.wait_for(name)
    return asked


def test_of_twenty_posts_one_is_rejected_and_one_not_approved_in_time_and_no_other_is_lost(
    play: Play,
) -> None:
    # The first of the accounts, and the third, which is in haste.
    play.ledger.change_account(HASTY, **HASTE)
    play.process_for(ENDLESS_S)
    rejected, _, late, *_ = play.drop(20, sidecars=[ASKS, {}, ASKS])
    assert late.account == HASTY
    ends = {rejected.file_name: "rejected_by_person", late.file_name: "not_approved_in_time"}
    play.otherwise |= dict.fromkeys(ends, PostState.CANCELLED)

    def codes() -> dict[str, str | None]:
        """Return why posts were cancelled, by the names of their files."""
        return {
            post.file_name: post.reason_code
            for post in play.ledger.posts()
            if post.state is PostState.CANCELLED
        }

    # Asked only now, once there are pictures: a question that waits for 20 s would else be over
    # before the others are on their way.
    with (
        play.mid_stage(18, {PostState.PROCESSING}),
        play.unpaused("approve_posts") as approvals,
        play.unpaused("prepare_media"),
    ):
        questions = Questions(play.stack)
        questions.wait_for(rejected.file_name)
        questions.answer(rejected.file_name, "Reject")
        play.wait_told(lambda: len(codes()) == len(ends), "both posts to be cancelled")
        assert codes() == ends
        play.wait_told(approvals.is_idle, "the runs that ask to end")
    play.let_go()
    play.finish()


def test_a_question_has_its_pictures_which_are_seen_with_airflows_login(asked: Asked) -> None:
    stack = asked.scene.stack
    (question,) = asked.questions.about(asked.approved)
    paths = re.findall(r"\]\((/reelflow/[^)]*)\)", question["body"])
    assert len(paths) == 5
    with requests.Session() as browser:
        browser.trust_env = False
        assert browser.get(stack.url + paths[0], timeout=30).status_code == 401
        login = {"username": "admin", "password": stack.password}
        token = browser.post(f"{stack.url}/auth/token", json=login, timeout=30).json()
        browser.cookies.set("_token", token["access_token"])
        for path in paths:
            assert browser.get(stack.url + path, timeout=30).content.startswith(b"\xff\xd8")


def test_while_people_are_asked_no_slot_no_lease_and_no_publishing_run_waits_for_them(
    asked: Asked,
) -> None:
    stack = asked.scene.stack
    publishing = Runs(stack)

    def is_quiet() -> bool:
        pools = stack.api("GET", "/api/v2/pools")["pools"]
        taken = sum(one["running_slots"] + one["queued_slots"] for one in pools)
        return taken == 0 and publishing.is_idle()

    asked.scene.wait(is_quiet, "all slots to be free and all publishing runs to have ended")
    assert stack.ledger.leased() == []
    names = (asked.approved, asked.undecided, asked.rejected, asked.released)
    assert [len(asked.questions.about(name)) for name in names] == [1] * len(names)


def test_an_approved_post_goes_out_with_the_level_and_cover_that_were_chosen(asked: Asked) -> None:
    scene = asked.scene
    (question,) = asked.questions.about(asked.approved)
    cover = question["params"]["cover"]["schema"]["enum"][2]
    post_id = str(scene.post(asked.approved)["id"])
    told = json.loads(scene.stack.run_reelflow("posts", "show", post_id, "--json"))
    at_ms = told["candidates"][1]["at_ms"]
    assert cover == f"2: at {at_ms / 1000:.1f} s"
    fields = {"privacy_level": "PUBLIC_TO_EVERYONE", "cover": cover}
    asked.questions.answer(asked.approved, "Approve", **fields)
    scene.wait_for([asked.approved], DONE)
    story = scene.stack.run_reelflow("posts", "show", post_id)
    assert "approved by admin with privacy PUBLIC_TO_EVERYONE" in " ".join(story.split())
    publish_id = scene.post(asked.approved)["publish_id"]
    (shown,) = [one for one in scene.published() if one["publish_id"] == publish_id]
    assert shown["privacy_level"] == "PUBLIC_TO_EVERYONE"
    uploads = {one["publish_id"]: one for one in scene.simulator("GET", "/uploads")["uploads"]}
    assert uploads[publish_id]["post_info"]["video_cover_timestamp_ms"] == at_ms


def test_a_rejected_post_is_cancelled_and_no_other(asked: Asked) -> None:
    asked.questions.answer(asked.rejected, "Reject")
    asked.scene.wait_for([asked.rejected], {"CANCELLED"})
    assert asked.scene.post(asked.rejected)["reason"] == "rejected by admin"
    assert asked.scene.post(asked.released)["state"] == "HELD"


def test_an_answer_that_cannot_be_used_is_told_and_asked_for_again(asked: Asked) -> None:
    asked.questions.answer(asked.undecided, "Approve", privacy_level="EVERYBODY")
    asked.questions.wait_for(asked.undecided, told="Your answer was not used")
    asked.questions.answer(asked.undecided, "Approve", privacy_level="SELF_ONLY")
    asked.scene.wait_for([asked.undecided], DONE)


def test_an_answer_after_a_release_by_hand_changes_nothing(asked: Asked) -> None:
    scene = asked.scene
    post_id = str(scene.post(asked.released)["id"])
    scene.stack.run_reelflow("posts", "release", post_id)
    asked.questions.answer(asked.released, "Reject")
    scene.wait_for([asked.released], DONE)

    def is_told() -> bool:
        story = scene.stack.run_reelflow("posts", "show", post_id)
        return "answered 'Reject' in Airflow, too late" in " ".join(story.split())

    scene.wait(is_told, "the story to tell of the late answer")


def test_a_post_about_which_nobody_answered_in_time_is_what_its_account_wants(
    asked: Asked,
) -> None:
    asked.scene.wait_for([asked.unanswered], {"CANCELLED"})
    assert asked.scene.post(asked.unanswered)["reason_code"] == "not_approved_in_time"


def test_the_run_ends_well_once_all_is_answered_for(asked: Asked) -> None:
    stack = asked.scene.stack

    def states() -> list[str]:
        return [run["state"] for run in stack.airflow.dag_runs("approve_posts")]

    asked.scene.wait(lambda: set(states()) == {"success"}, "all runs that ask to end")


def test_a_question_that_is_cleared_or_whose_run_is_deleted_is_asked_by_another_run(
    asked: Asked,
) -> None:
    scene, stack = asked.scene, asked.scene.stack
    name = scene.drop("aurora.kitchen", "orphan.mp4", sidecar=ASKS)
    first = asked.questions.wait_for(name)["task_instance"]
    clear = {
        "dry_run": False,
        "only_failed": False,
        "dag_run_id": first["dag_run_id"],
        "task_ids": [[TASK, first["map_index"]]],
    }
    stack.api("POST", f"{DAG}/clearTaskInstances", clear)
    second = asked.questions.wait_for(name, but_not=[first])["task_instance"]
    run = f"{DAG}/dagRuns/{second['dag_run_id']}"
    stack.api("PATCH", run, {"state": "failed"})  # Airflow deletes no run that is under way
    stack.api("DELETE", run)
    asked.questions.wait_for(name, but_not=[first, second])
    asked.questions.answer(name, "Reject")
    scene.wait_for([name], {"CANCELLED"})
