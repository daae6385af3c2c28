"""Sending: real requests to a callback in this process."""

import asyncio
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tiktok_simulator.state import World
from tiktok_simulator.webhook_sender import open_client, send_due, send_webhooks
from tiktok_simulator.webhooks import WebhookSettings

URL = "http://callback.test/webhook?secret=1"


class Callback:
    """A receiver that answers what it is told to, then 200."""

    def __init__(self, *answers: Response) -> None:
        self.received: list[tuple[str, bytes]] = []
        self._answers = list(answers)
        app = Starlette(routes=[Route("/webhook", self.receive, methods=["POST"])])
        self.transport = httpx.ASGITransport(app)

    async def receive(self, request: Request) -> Response:
        self.received.append((request.headers["tiktok-signature"], await request.body()))
        return self._answers.pop(0) if self._answers else Response()

    def send_due(self, world: World) -> None:
        async def send() -> None:
            async with open_client(self.transport) as client:
                await send_due(world, client)

        asyncio.run(send())


class Unreachable(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")


def announce(world: World, url: str | None = URL) -> None:
    world.webhooks.settings.url = url
    world.webhooks.announce_removal("open-id-1", 1)


def test_a_delivery_carries_its_bytes_and_their_signature(world: World) -> None:
    callback = Callback()
    announce(world)

    callback.send_due(world)
    callback.send_due(world)

    (delivery,) = world.webhooks.deliveries
    assert callback.received == [(world.webhooks.sign(delivery.body), delivery.body)]
    assert (delivery.state, delivery.last_status) == ("delivered", 200)


def test_a_retry_sends_the_same_bytes_signed_anew(world: World) -> None:
    callback = Callback(Response(status_code=500), RedirectResponse("/elsewhere"))
    announce(world)

    for _ in range(3):
        callback.send_due(world)
        world.clock.advance(2)

    (delivery,) = world.webhooks.deliveries
    assert (delivery.state, delivery.attempts) == ("delivered", 3)
    assert len({body for _, body in callback.received}) == 1
    assert len({signature for signature, _ in callback.received}) == 3


def test_a_callback_that_cannot_be_reached_is_tried_again(world: World) -> None:
    announce(world)

    async def send() -> None:
        async with open_client(Unreachable()) as client:
            await send_due(world, client)

    asyncio.run(send())

    (delivery,) = world.webhooks.deliveries
    assert (delivery.state, delivery.last_status) == ("pending", None)
    assert delivery.last_error == "ConnectError"


def test_a_callback_that_was_switched_off_meanwhile_gets_nothing(world: World) -> None:
    announce(world)
    world.webhooks.settings.url = None
    callback = Callback()

    callback.send_due(world)

    assert callback.received == []


def test_what_a_reset_forgot_in_mid_sending_is_not_sent(world: World) -> None:
    world.webhooks.reset(WebhookSettings(url=URL))
    announce(world)
    announce(world)

    class ResettingCallback(Callback):
        async def receive(self, request: Request) -> Response:
            world.webhooks.reset(WebhookSettings(url=URL))
            return await super().receive(request)

    callback = ResettingCallback()
    callback.send_due(world)

    assert len(callback.received) == 1


def test_time_alone_moves_a_post_on_and_tells_of_it(world: World, init: Any, put: Any) -> None:
    world.switches.set({"processing_s": 60})
    world.webhooks.settings.url = URL
    put(init(1)["upload_url"], b"a", 0, 1)
    callback = Callback()

    callback.send_due(world)
    assert callback.received == []
    world.clock.advance(60)
    callback.send_due(world)

    assert b'"post.publish.complete"' in callback.received[0][1]


def test_sending_goes_on_until_it_is_cancelled(world: World) -> None:
    callback = Callback()
    announce(world)

    async def run() -> None:
        task = asyncio.create_task(send_webhooks(world, callback.transport))
        async with asyncio.timeout(30):
            while len(callback.received) < 2:
                await asyncio.sleep(0.001)
                if callback.received and len(world.webhooks.deliveries) < 2:
                    announce(world)
        task.cancel()

    asyncio.run(run())

    assert [one.state for one in world.webhooks.deliveries] == ["delivered", "delivered"]
