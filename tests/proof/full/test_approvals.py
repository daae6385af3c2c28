"""People are asked about held posts, who answer in Airflow or leave it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from reelflow.domain.approval import ApprovalPolicy, TimeoutAction
from tests.e2e.conftest import UNDECIDED
from tests.e2e.scene import Scene
from tests.proof.play import Play
from tests.proof.stack import ProofStack

DAG = "/api/v2/dags/approve_posts"
TASK = "ask_for_approval"
#: Its questions wait for 20 s.
HASTY = "paper.moon"
DONE = {"PUBLISHED", "PUBLISHED_NO_LINK"}
ASKS = {"approval": True, "privacy_level": "SELF_ONLY"}


@dataclass(frozen=True)
class Asked:
    """Files whose posts a person is asked about."""

    scene: Scene
    approved: str
    undecided: str
    rejected: str
    released: str
    unanswered: str

    def questions(self, name: str) -> list[dict[str, Any]]:
        """Return what waits for an answer about a file."""
        path = f"{DAG}/dagRuns/~/hitlDetails"
        found = self.scene.stack.api("GET", path, limit=100)["hitl_details"]
        return [
            one
            for one in found
            if one["task_instance"]["rendered_map_index"] == name
            and one["task_instance"]["state"] == "awaiting_input"
            and not one["response_received"]
        ]

    def answer(self, name: str, option: str, **fields: str) -> None:
        (question,) = self.questions(name)
        task = question["task_instance"]
        place = f"{task['dag_run_id']}/taskInstances/{TASK}/{task['map_index']}"
        body = {"chosen_options": [option], "params_input": fields}
        self.scene.stack.api("PATCH", f"{DAG}/dagRuns/{place}/hitlDetails", body)

    def wait_until_asked(
        self, name: str, *, told: str = "", but_not: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        """Wait for a question that tells something, of none of some task instances."""
        old = {task["dag_run_id"] for task in but_not}

        def asked() -> list[dict[str, Any]]:
            return [
                one
                for one in self.questions(name)
                if told in one["body"] and one["task_instance"]["dag_run_id"] not in old
            ]

        self.scene.wait(lambda: bool(asked()), f"a question about {name}", deadline_s=240)
        question = asked()[0]
        self._wait_until_scheduler_knows(question)
        return question

    def _wait_until_scheduler_knows(self, question: dict[str, Any]) -> None:
        """Wait as long as a person takes to read a question.

        What is answered within the second or two before the scheduler has heard that the task
        waits, Airflow 3.3.2 takes for a task that was lost: the answer is gone, and another run
        asks again.
        """
        log = self.scene.stack.folders.logs / "scheduler.log"
        task_id = f"ti_id={question['task_instance']['id']},"

        def knows() -> bool:
            lines = log.read_text(errors="replace").splitlines()
            return any(task_id in line and "state=awaiting_input" in line for line in lines)

        self.scene.wait(knows, "the scheduler to know that a question waits")


@pytest.fixture(scope="module")
def asked(stack: ProofStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    play = Play(stack)
    play.begin()
    ledger = stack.ledger
    ledger.change_account(UNDECIDED, inbox_privacy_level=None)
    ledger.change_account(
        HASTY,
        approval_policy=ApprovalPolicy.REQUIRED,
        approval_timeout_h=20 / 3600,
        approval_on_timeout=TimeoutAction.CANCEL,
    )
    with play.unpaused("prepare_media"), play.unpaused("approve_posts"):
        yield ask(Scene(stack, tmp_path_factory.mktemp("asked")))
    ledger.change_account(HASTY, approval_policy=ApprovalPolicy.ON_REQUEST)


def ask(scene: Scene) -> Asked:
    """Drop files whose posts a person is asked about, and wait for the questions."""
    asked = Asked(
        scene,
        approved=scene.drop("aurora.kitchen", "approved.mp4", sidecar=ASKS),
        undecided=scene.drop(UNDECIDED, "undecided.mp4"),
        rejected=scene.drop("aurora.kitchen", "rejected.mp4", sidecar=ASKS),
        released=scene.drop("aurora.kitchen", "released.mp4", sidecar=ASKS),
        unanswered=scene.drop(HASTY, "unanswered.mp4"),
    )
    for name in (asked.approved, asked.undecided, asked.rejected, asked.released):
        asked.wait_until_asked(name)
    return asked


def test_a_question_has_its_pictures_which_are_seen_with_airflows_login(asked: Asked) -> None:
    stack = asked.scene.stack
    (question,) = asked.questions(asked.approved)
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


def test_an_approved_post_goes_out_with_the_level_and_cover_that_were_chosen(asked: Asked) -> None:
    scene = asked.scene
    (question,) = asked.questions(asked.approved)
    cover = question["params"]["cover"]["schema"]["enum"][2]
    asked.answer(asked.approved, "Approve", privacy_level="PUBLIC_TO_EVERYONE", cover=cover)
    scene.wait_for([asked.approved], DONE)
    post_id = str(scene.post(asked.approved)["id"])
    story = scene.stack.run_reelflow("posts", "show", post_id)
    assert "approved by admin with privacy PUBLIC_TO_EVERYONE" in " ".join(story.split())
    (shown,) = [
        one
        for one in scene.published()
        if one["publish_id"] == scene.post(asked.approved)["publish_id"]
    ]
    assert shown["privacy_level"] == "PUBLIC_TO_EVERYONE"


def test_a_rejected_post_is_cancelled_and_no_other(asked: Asked) -> None:
    asked.answer(asked.rejected, "Reject")
    asked.scene.wait_for([asked.rejected], {"CANCELLED"})
    assert asked.scene.post(asked.rejected)["reason"] == "rejected by admin"
    assert asked.scene.post(asked.released)["state"] == "HELD"


def test_an_answer_that_cannot_be_used_is_told_and_asked_for_again(asked: Asked) -> None:
    asked.answer(asked.undecided, "Approve", privacy_level="EVERYBODY")
    asked.wait_until_asked(asked.undecided, told="Your answer was not used")
    asked.answer(asked.undecided, "Approve", privacy_level="SELF_ONLY")
    asked.scene.wait_for([asked.undecided], DONE)


def test_an_answer_after_a_release_by_hand_changes_nothing(asked: Asked) -> None:
    scene = asked.scene
    post_id = str(scene.post(asked.released)["id"])
    scene.stack.run_reelflow("posts", "release", post_id)
    asked.answer(asked.released, "Reject")
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
    first = asked.wait_until_asked(name)["task_instance"]
    clear = {
        "dry_run": False,
        "only_failed": False,
        "dag_run_id": first["dag_run_id"],
        "task_ids": [[TASK, first["map_index"]]],
    }
    stack.api("POST", f"{DAG}/clearTaskInstances", clear)
    second = asked.wait_until_asked(name, but_not=[first])["task_instance"]
    run = f"{DAG}/dagRuns/{second['dag_run_id']}"
    stack.api("PATCH", run, {"state": "failed"})  # Airflow deletes no run that is under way
    stack.api("DELETE", run)
    asked.wait_until_asked(name, but_not=[first, second])
    asked.answer(name, "Reject")
    scene.wait_for([name], {"CANCELLED"})
