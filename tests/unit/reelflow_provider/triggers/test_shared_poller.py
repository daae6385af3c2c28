"""One poller an event loop and connection; it is made anew when the connection is changed."""

from __future__ import annotations

import asyncio

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.services.calls.polling import StatusPoller
from reelflow_provider.triggers.shared_poller import shared_poller
from tests.unit.reelflow_provider.conftest import Connect

pytestmark = pytest.mark.usefixtures("worker")


async def two_pollers() -> tuple[StatusPoller, StatusPoller]:
    return await shared_poller("tiktok_app"), await shared_poller("tiktok_app")


def test_all_triggers_of_a_loop_share_one(connect: Connect) -> None:
    connect("open.tiktokapis.com", password="the client secret")
    first, second = asyncio.run(two_pollers())
    assert first is second


def test_another_loop_has_another(connect: Connect) -> None:
    connect("open.tiktokapis.com")
    here, _ = asyncio.run(two_pollers())
    there, _ = asyncio.run(two_pollers())
    assert here is not there


def test_a_changed_connection_is_used_from_the_next_trigger_on(connect: Connect) -> None:
    async def changed() -> tuple[StatusPoller, StatusPoller]:
        connect("open.tiktokapis.com", password="the old secret")
        before = await shared_poller("tiktok_app")
        connect("open.tiktokapis.com", password="the new secret")
        return before, await shared_poller("tiktok_app")

    before, after = asyncio.run(changed())
    assert before is not after


def test_one_that_has_closed_is_replaced(connect: Connect) -> None:
    async def closed() -> tuple[StatusPoller, StatusPoller]:
        connect("open.tiktokapis.com")
        first = await shared_poller("tiktok_app")
        first.is_closed = True
        return first, await shared_poller("tiktok_app")

    first, second = asyncio.run(closed())
    assert first is not second


def test_a_wrong_setting_is_told(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connect("open.tiktokapis.com")
    monkeypatch.setenv("REELFLOW_STATUS_PER_MINUTE", "0")
    with pytest.raises(ConfigurationError, match="REELFLOW_STATUS_PER_MINUTE is '0'"):
        asyncio.run(shared_poller("tiktok_app"))
