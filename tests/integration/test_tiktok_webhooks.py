"""Webhooks as the simulator signs and sends them, verified and read."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from reelflow.domain.chunks import plan_chunks
from reelflow.exceptions import WebhookRefusedError
from reelflow.source import FileSource
from reelflow.tiktok.limits import TikTokLimits
from reelflow.tiktok.models import VideoPost
from reelflow.tiktok.webhooks import WebhookEvent, parse_webhook, verify_webhook
from tests.integration.simulator_process import Simulator, wait_until

Delivery = tuple[bytes, str]


@pytest.fixture
def deliveries(simulator: Simulator) -> Iterator[list[Delivery]]:
    """What the simulator sends from now on: bodies and signatures."""
    received: list[Delivery] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((body, self.headers["TikTok-Signature"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            simulator.send_webhooks_to(f"http://127.0.0.1:{server.server_address[1]}/webhooks")
            yield received
        finally:
            simulator.send_webhooks_to(None)
            server.shutdown()
            thread.join(10)


def test_the_events_of_a_post_are_believed_and_carry_its_link(
    simulator: Simulator, deliveries: list[Delivery], tmp_path: Path
) -> None:
    creator, video = simulator.accounts[0], tmp_path / "video"
    video.write_bytes(os.urandom(1_000))
    plan, post = plan_chunks(1_000), VideoPost("", "PUBLIC_TO_EVERYONE")
    with simulator.client(TikTokLimits()) as client, video.open("rb") as source:
        opened = client.init_video(creator["access_token"], post, plan)
        assert opened.upload_url is not None
        client.put_chunk(
            opened.upload_url, FileSource(source.fileno()), plan.range_at(0), "video/mp4"
        )
        for _ in range(3):
            client.fetch_status(creator["access_token"], opened.publish_id)
    events: dict[str, WebhookEvent] = {}

    def is_public() -> bool:
        for body, signature in deliveries:
            verify_webhook(body, signature, simulator.client_secret, now_s=time.time())
            event = parse_webhook(body)
            events[event.event] = event
        return "post.publish.publicly_available" in events

    wait_until(is_public, "the webhook with the link has come")
    assert "post.publish.complete" in events
    public = events["post.publish.publicly_available"]
    assert public.post_id == simulator.posts()[0]["post_id"]
    assert (public.publish_id, public.publish_type) == (opened.publish_id, "DIRECT_PUBLISH")
    assert (public.client_key, public.user_openid) == (simulator.client_key, creator["open_id"])
    body, signature = deliveries[0]
    for forged in ((body + b" ", simulator.client_secret), (body, "another secret")):
        with pytest.raises(WebhookRefusedError) as caught:
            verify_webhook(forged[0], signature, forged[1], now_s=time.time())
        assert caught.value.reason == "forged"
