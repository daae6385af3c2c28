"""The watcher of approvals: it wakes ``approve_posts`` while posts are held that nobody asks of."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from reelflow_provider.triggers import approvals
from reelflow_provider.triggers.approvals import ASKING_TASK, ApprovalsTrigger, States
from tests.unit.reelflow.services.approval.questions import RUN, asked, held, row
from tests.unit.reelflow_provider.triggers.quick_loop import Watched, run_quickly


class Knowing(ApprovalsTrigger):
    """Has Airflow's word from the test."""

    def __init__(self, states: States) -> None:
        super().__init__()
        self.states = states
        self.asked_for: list[set[str]] = []

    def task_states(self, run_ids: Collection[str]) -> States:
        self.asked_for.append(set(run_ids))
        return self.states


def looked(trigger: ApprovalsTrigger) -> None:
    """Let it look a few times, without any event."""

    async def watch() -> None:
        await Watched(trigger).no_event_for(looks=3)

    run_quickly(watch)


def first_event(trigger: ApprovalsTrigger) -> object:
    async def watch() -> object:
        return await Watched(trigger).event()

    return run_quickly(watch)[0]


def test_posts_that_wait_wake_the_dag_once_and_new_ones_again(
    worker: Workspace, account: Account
) -> None:
    held(worker, account)

    async def watch() -> list[object]:
        watched = Watched(ApprovalsTrigger())
        first = await watched.event()
        await watched.no_event_for(looks=3)
        held(worker, account)
        return [first, await watched.event()]

    assert run_quickly(watch)[0] == [{"waiting": 1}, {"waiting": 2}]


def test_airflow_finds_it_again_by_its_name() -> None:
    name = "reelflow_provider.triggers.approvals.ApprovalsTrigger"
    assert ApprovalsTrigger().serialize() == (name, {})


@pytest.mark.parametrize(
    "of_run",
    [
        {f"{ASKING_TASK}_0": "awaiting_input"},
        {f"{ASKING_TASK}_0": "up_for_retry", f"{ASKING_TASK}_1": "failed"},
        {f"{ASKING_TASK}_0": None},
        {ASKING_TASK: None},  # the list of its posts is not there yet
    ],
)
def test_while_a_task_waits_or_will_its_post_wakes_nobody(
    worker: Workspace, account: Account, of_run: dict[str, str | None]
) -> None:
    asked(worker, held(worker, account))
    trigger = Knowing({RUN: of_run})
    looked(trigger)
    assert trigger.asked_for == [{RUN}]  # once a minute, not at each look
    assert row(worker).ended_at is None


@pytest.mark.parametrize(
    "states",
    [
        {},
        {RUN: {f"{ASKING_TASK}_0": "success"}},
        {RUN: {f"{ASKING_TASK}_0": "skipped"}},
        {RUN: {f"{ASKING_TASK}_0": "removed"}},
        {RUN: {f"{ASKING_TASK}_1": "awaiting_input"}},
        {RUN: {ASKING_TASK: "upstream_failed"}},
    ],
)
def test_a_post_whose_task_is_gone_wakes_the_dag_again(
    worker: Workspace, account: Account, states: States
) -> None:
    asked(worker, held(worker, account))
    assert first_event(Knowing(states)) == {"waiting": 1}
    assert row(worker).outcome == "its task ended without an answer"


def test_where_airflow_does_not_say_no_question_ends(
    worker: Workspace, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(ApprovalsTrigger):
        def task_states(self, run_ids: Collection[str]) -> States:
            raise approvals.AirflowRuntimeError(approvals_error())

    asked(worker, held(worker, account))
    looked(Silent())
    assert row(worker).ended_at is None


def approvals_error() -> object:
    from airflow.sdk.execution_time.comms import ErrorResponse

    return ErrorResponse()
