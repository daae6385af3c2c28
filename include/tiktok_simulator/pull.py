"""Downloads what TikTok was asked to pull (D-MTG, "Pull from URL"), for as long as it runs."""

import asyncio
import logging
from urllib.parse import SplitResult, urlsplit

import httpx

from tiktok_simulator.chunks import MAX_VIDEO_BYTES
from tiktok_simulator.lifecycle import pull_failure
from tiktok_simulator.publication import Publication, Pull
from tiktok_simulator.received import IncomingChunk
from tiktok_simulator.state import World

MAX_PHOTO_BYTES = 20 * 10**6  # D-MTG: 20 MB; the stricter reading
TIMEOUT_S = 30.0  # of the connection and between two pieces; not documented
INTERVAL_S = 0.05

_log = logging.getLogger(__name__)
_HEAD_BYTES = 12


class PullError(Exception):
    """A download that failed for good; the message says why, without the URL's query."""


class RetryablePullError(PullError):
    """A download that is worth another attempt: a 5xx, a timeout, a cut."""


class AbandonedPullError(Exception):
    """Nobody waits for this download any more: cancelled, expired, or forgotten by a reset."""


async def pull_media(world: World) -> None:
    """Let time pass and download for ever; to be cancelled."""
    async with Puller(world) as puller:
        while True:
            world.tick()
            puller.start_due()
            await asyncio.sleep(INTERVAL_S)


class Puller:
    """Downloads for one world, each publication in a task of its own.

    :param transport: how to reach the hosts; None: over the network.
    """

    def __init__(self, world: World, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._world = world
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._client = httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> "Puller":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._client.aclose()

    def start_due(self) -> None:
        """Start the downloads that were asked for; stop those nobody waits for."""
        for publish_id, task in list(self._tasks.items()):
            publication = self._world.publications.get(publish_id)
            if task.done():
                task.result()  # a bug's exception ends the simulator
                del self._tasks[publish_id]
            elif publication is None or publication.stage != "transfer":
                task.cancel()
        for publication in self._world.publications.values():
            pull, publish_id = publication.pull, publication.publish_id
            if pull and publication.stage == "transfer" and publish_id not in self._tasks:
                self._tasks[publish_id] = asyncio.create_task(self._pull(publication, pull))

    async def drain(self) -> None:
        """Download everything that was asked for until now."""
        self.start_due()
        await asyncio.gather(*self._tasks.values())

    async def _pull(self, publication: Publication, pull: Pull) -> None:
        fail_reason = None
        try:
            for url in pull.urls:
                head = await self._download(publication, url)
                if publication.media == "photo" and not _is_photo(head):
                    fail_reason = self._world.switches.photo_format
        except (AbandonedPullError, asyncio.CancelledError):
            _log.info("pull of %s: nobody waits for it any more", publication.publish_id)
        except PullError as error:
            _log.info("pull of %s failed: %s", publication.publish_id, error)
            self._world.lifecycle.fail(publication, pull_failure(publication))
        else:
            self._world.complete(publication, fail_reason)

    async def _download(self, publication: Publication, url: str) -> bytes:
        switches = self._world.switches
        for _ in range(switches.pull_attempts - 1):
            try:
                return await self._attempt(publication, url)
            except RetryablePullError as error:
                _log.info("pull of %s will be tried again: %s", publication.publish_id, error)
                await asyncio.sleep(switches.pull_retry_s)
        return await self._attempt(publication, url)

    async def _attempt(self, publication: Publication, url: str) -> bytes:
        publication.download_attempts += 1
        chunk = publication.received.open_chunk()
        before = publication.downloaded_bytes
        try:
            head = await self._read(publication, url, chunk)
            publication.received.store(chunk)
        except BaseException as error:
            chunk.discard()
            publication.downloaded_bytes = before
            if _is_cut(error):
                raise RetryablePullError(f"no whole answer ({type(error).__name__})") from error
            if isinstance(error, httpx.InvalidURL):
                raise PullError("no URL that could be asked") from error
            raise
        return head

    async def _read(self, publication: Publication, url: str, chunk: IncomingChunk) -> bytes:
        most = MAX_PHOTO_BYTES if publication.media == "photo" else MAX_VIDEO_BYTES
        before, head = publication.downloaded_bytes, b""
        address, headers = self._route(urlsplit(url))
        async with self._client.stream("GET", address, headers=headers) as response:
            _check_status(response)
            async for piece in response.aiter_raw():
                self._check_is_awaited(publication)
                head += piece[: _HEAD_BYTES - len(head)]
                chunk.write(piece)
                publication.downloaded_bytes = before + chunk.size_bytes
                if chunk.size_bytes > most:
                    raise PullError(f"more than {most} bytes")
        if chunk.size_bytes == 0:
            raise PullError("an empty file")
        self._check_is_awaited(publication)
        return head

    def _route(self, parts: SplitResult) -> tuple[str, dict[str, str]]:
        host, path = parts.hostname or "", parts.path or "/"
        address = self._world.connect_to.get(host, f"https://{host}")
        url = f"{address}{path}?{parts.query}" if parts.query else f"{address}{path}"
        return url, {"Host": host, "Accept-Encoding": "identity", "User-Agent": "tiktok-simulator"}

    def _check_is_awaited(self, publication: Publication) -> None:
        is_known = publication.publish_id in self._world.publications
        self._world.lifecycle.expire(publication)
        if not is_known or publication.stage != "transfer":
            raise AbandonedPullError


def _is_cut(error: BaseException) -> bool:
    """Say whether a connection failed or ended early.

    Of one that ended as it began, httpcore asks a socket for its peer that uvloop has let go of.
    """
    has_no_socket = isinstance(error, AttributeError) and error.name == "getpeername"
    return has_no_socket or isinstance(error, httpx.HTTPError)


def _check_status(response: httpx.Response) -> None:
    if response.is_redirect or response.is_client_error:
        # D-MTG: redirects are not followed. Nor is a refusal asked again (U).
        raise PullError(f"HTTP {response.status_code}")
    if response.status_code != 200:
        raise RetryablePullError(f"HTTP {response.status_code}")


def _is_photo(head: bytes) -> bool:
    """Say whether a file begins like a JPEG or a WebP (D-MTG: the two formats of photos)."""
    is_jpeg = head.startswith(b"\xff\xd8\xff")
    return is_jpeg or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
