"""Sends the webhooks that are due, for as long as the simulator runs."""

import asyncio
import logging

import httpx

from tiktok_simulator.state import World
from tiktok_simulator.webhooks import SIGNATURE_HEADER, Delivery, Webhooks

TIMEOUT_S = 10
INTERVAL_S = 0.02

_log = logging.getLogger(__name__)


async def send_webhooks(world: World, transport: httpx.AsyncBaseTransport | None = None) -> None:
    """Send for ever; to be cancelled.

    :param transport: how to reach the callback; None: over the network.
    """
    async with open_client(transport) as client:
        while True:
            await send_due(world, client)
            await asyncio.sleep(INTERVAL_S)


def open_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return a client that goes straight to the callback and follows no redirect."""
    return httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S, trust_env=False)


async def send_due(world: World, client: httpx.AsyncClient) -> None:
    """Let the world catch up with its clock, then make one attempt at each due delivery."""
    if world.webhooks.settings.url is None:
        return
    world.tick()
    for delivery in world.webhooks.due():
        if world.webhooks.is_pending(delivery):
            await _attempt(world.webhooks, client, delivery)


async def _attempt(webhooks: Webhooks, client: httpx.AsyncClient, delivery: Delivery) -> None:
    headers = {
        "Content-Type": "application/json",
        SIGNATURE_HEADER: webhooks.sign(delivery.body),
    }
    try:
        response = await client.post(
            webhooks.settings.url or "", content=delivery.body, headers=headers
        )
    except httpx.HTTPError as error:
        _log.info("webhook %s: no answer (%s)", delivery.event, type(error).__name__)
        webhooks.note_answer(delivery, None, type(error).__name__)
    else:
        _log.info("webhook %s -> %s", delivery.event, response.status_code)
        webhooks.note_answer(delivery, response.status_code)
