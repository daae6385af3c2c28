"""CPU of waiting for TikTok: one process polls 500 posts over 50 accounts, as a triggerer does.

Prints one JSON object a line and exits with 1 if the target is missed::

    PYTHONPATH=include python bench/polling.py [--seconds 60] [--posts 500] [--accounts 50]

The poller is that of the triggers, with its SQLite ledger, its budgets and its HTTP client; TikTok
is a server in another process that answers each call with PROCESSING_UPLOAD. CPU is what the
polling process used, its threads included, after all posts have been asked about once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reelflow.domain.post import PostMode, PostState
from reelflow.ledger import accounts
from reelflow.ledger.cipher import Cipher, generate_key
from reelflow.ledger.engine import open_engine, upgrade
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Media, Post
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.calls.poll_ledger import PollLedger
from reelflow.services.calls.polling import StatusPoller
from reelflow.services.calls.waiting import Wait
from reelflow.services.workspace import PublishingRules, Workspace
from reelflow.storage.folders import Folders
from reelflow.storage.local_store import LocalStore
from reelflow.tiktok.aclient import AsyncStatusClient
from reelflow.tiktok.models import PublishStatus

CPU_MAX_PERCENT = 25
POLL_INTERVAL_S = 10.0
_BODY = json.dumps(
    {
        "data": {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 52428800},
        "error": {"code": "ok", "message": "", "log_id": "20261121120000ABCDEF0123456789ABCD"},
    }
).encode()
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
    + _BODY
)


def main() -> None:
    """Serve, or measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long to measure")
    parser.add_argument("--posts", type=int, default=500)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--role", choices=["tiktok"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "tiktok":
        asyncio.run(serve())
        return
    server = subprocess.Popen(
        [sys.executable, __file__, "--role", "tiktok"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        host = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder:
            workspace = open_workspace(Path(folder))
            posts = fill(workspace, options.posts, options.accounts)
            met = asyncio.run(measure(workspace, host, posts, options.seconds))
    finally:
        server.terminate()
        server.wait()
    sys.exit(0 if met else 1)


async def serve() -> None:
    """Play TikTok: every publication is being processed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.split(b":")[1]))
                writer.write(_ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


def open_workspace(folder: Path) -> Workspace:
    """Open a fresh SQLite ledger."""
    engine = open_engine(f"sqlite:///{folder / 'reelflow.db'}")
    upgrade(engine)
    return Workspace(
        Ledger(engine, Cipher(generate_key())),
        Folders(lambda: LocalStore(folder)),
        PublishingRules(),
    )


def fill(workspace: Workspace, count: int, account_count: int) -> list[int]:
    """Add accounts and their posts, all of which TikTok is processing; return the posts' ids."""
    ledger = workspace.ledger
    with ledger.write() as session:
        owners = [
            accounts.save(
                session,
                ledger.cipher,
                open_id=f"open-{number}",
                name=f"account-{number}",
                tokens=accounts.TokenSet(
                    access_token=f"act.{uuid.uuid4().hex * 2}",
                    access_token_expires_at=ledger.now() + timedelta(hours=20),
                ),
                now=ledger.now(),
            ).id
            for number in range(account_count)
        ]
        posts = [make_post(ledger.now(), owners[number % account_count]) for number in range(count)]
        session.add_all(posts)
        session.flush()
        return [post.id for post in posts]


def make_post(now: datetime, account_id: int) -> Post:
    """Return a post whose bytes TikTok has."""
    media = Media(
        id=uuid.uuid4().hex,
        file_name="clip.mp4",
        inbox_path=f"account/{uuid.uuid4().hex}.mp4",
        inbox_identity="1",
        source_path="media/clip.mp4",
        moved_at=now,
        size_bytes=52_428_800,
        created_at=now,
    )
    return Post(
        media=media,
        account_id=account_id,
        state=PostState.PROCESSING,
        state_since=now,
        reason="sent",
        caption="",
        mode=PostMode.DIRECT,
        disable_comment=False,
        disable_duet=False,
        disable_stitch=False,
        brand_content_toggle=False,
        brand_organic_toggle=False,
        is_aigc=False,
        repost=False,
        due_at=now,
        created_at=now,
    )


class CountingClient(AsyncStatusClient):
    """The client of the triggers, which remembers whom it asked for."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.asked: list[tuple[float, str, str]] = []

    async def fetch_status(self, access_token: str, publish_id: str) -> PublishStatus:
        """Ask, and remember."""
        self.asked.append((time.monotonic(), access_token, publish_id))
        return await super().fetch_status(access_token, publish_id)


async def measure(workspace: Workspace, host: str, posts: list[int], seconds: float) -> bool:
    """Wait for all posts at once; return whether the target is met."""
    client = CountingClient(host)
    poller = StatusPoller(
        client,
        PollLedger(lambda: workspace, lambda opened: AccessTokens(opened, None, actor="bench")),
    )
    now_s = datetime.now(UTC).timestamp()
    waits = [
        asyncio.ensure_future(
            poller.outcome(
                Wait(
                    post_id=post_id,
                    publish_id=f"v_pub_file~v2-1.{post_id:019d}",
                    poll_interval_s=POLL_INTERVAL_S,
                    first_poll_at_s=now_s + POLL_INTERVAL_S,
                    ends_at_s=now_s + 86_400,
                    link_timeout_s=0,
                )
            )
        )
        for post_id in posts
    ]
    while len({publish_id for _, _, publish_id in client.asked}) < len(posts):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    before, began, skipped = cpu_s(), time.monotonic(), len(client.asked)
    await asyncio.sleep(seconds)
    used_s, lasted_s = cpu_s() - before, time.monotonic() - began
    for wait in waits:
        wait.cancel()
    percent = 100 * used_s / lasted_s
    measured = client.asked[skipped:]
    report(
        "polling",
        posts=len(posts),
        accounts=len({token for _, token, _ in client.asked}),
        seconds=round(lasted_s, 1),
        polls=len(measured),
        most_calls_of_an_account_in_60_s=most_in_a_minute(client.asked),
        cpu_ms_per_poll=round(1000 * used_s / max(len(measured), 1), 2),
        cpu_percent_of_a_core=round(percent, 1),
        target_max_percent=CPU_MAX_PERCENT,
        ok=percent < CPU_MAX_PERCENT,
    )
    return percent < CPU_MAX_PERCENT


def cpu_s() -> float:
    """Return the CPU time of this process and its threads, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def most_in_a_minute(asked: list[tuple[float, str, str]]) -> int:
    """Return the most calls that any account made within a minute."""
    by_account = Counter[str]()
    for start_s, account, _ in asked:
        calls = sum(other == account and start_s <= at_s < start_s + 60 for at_s, other, _ in asked)
        by_account[account] = max(by_account[account], calls)
    return max(by_account.values())


def report(benchmark: str, **figures: object) -> None:
    """Print one line of JSON."""
    print(json.dumps({"benchmark": benchmark, "cpus": os.cpu_count(), **figures}), flush=True)


if __name__ == "__main__":
    main()
