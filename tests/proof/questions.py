"""The questions that wait in Airflow for a person, who answers them or leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from demo.waiting import wait_until
from tests.proof.stack import ProofStack

DAG: Final = "/api/v2/dags/approve_posts"
TASK: Final = "ask_for_approval"


class Questions:
    """What ``approve_posts`` asks on a stack, and the answers that somebody gives."""

    def __init__(self, stack: ProofStack) -> None:
        self._stack = stack

    def about(self, name: str) -> list[dict[str, Any]]:
        """Return what waits for an answer about a file."""
        path = f"{DAG}/dagRuns/~/hitlDetails"
        found = self._stack.api("GET", path, limit=100)["hitl_details"]
        return [
            one
            for one in found
            if one["task_instance"]["rendered_map_index"] == name
            and one["task_instance"]["state"] == "awaiting_input"
            and not one["response_received"]
        ]

    def answer(self, name: str, option: str, **fields: str) -> None:
        """Answer the one question about a file."""
        (question,) = self.about(name)
        task = question["task_instance"]
        place = f"{task['dag_run_id']}/taskInstances/{TASK}/{task['map_index']}"
        body = {"chosen_options": [option], "params_input": fields}
        self._stack.api("PATCH", f"{DAG}/dagRuns/{place}/hitlDetails", body)

    def wait_for(
        self, name: str, *, told: str = "", but_not: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        """Wait for a question that tells something, of none of some task instances."""
        old = {task["dag_run_id"] for task in but_not}

        def asked() -> list[dict[str, Any]]:
            return [
                one
                for one in self.about(name)
                if told in one["body"] and one["task_instance"]["dag_run_id"] not in old
            ]

        wait_until(
            lambda: bool(asked()),
            deadline_s=240,
            waiting_for=f"a question about {name}",
            check=self._stack.check_alive,
            interval_s=0.5,
        )
        question = asked()[0]
        self._wait_until_scheduler_knows(question)
        return question

    def _wait_until_scheduler_knows(self, question: dict[str, Any]) -> None:
        """Wait as long as a person takes to read a question.

        What is answered within the second or two before the scheduler has heard that the task
        waits, Airflow 3.3.2 takes for a task that was lost: the answer is gone, and another run
        asks again.
        """
        log = self._stack.folders.logs / "scheduler.log"
        task_id = f"ti_id={question['task_instance']['id']},"

        def knows() -> bool:
            lines = log.read_text(errors="replace").splitlines()
            return any(task_id in line and "state=awaiting_input" in line for line in lines)

        wait_until(
            knows,
            deadline_s=120,
            waiting_for="the scheduler to know that a question waits",
            check=self._stack.check_alive,
            interval_s=0.5,
        )
