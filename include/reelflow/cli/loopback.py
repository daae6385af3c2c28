"""Where the browser comes back to after the consent page: a small server on this machine alone."""

from __future__ import annotations

import hmac
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from reelflow.browser_page import Page, browser_page
from reelflow.exceptions import ConfigurationError, ReelflowError

HOST: Final = "127.0.0.1"
#: Desktop apps register ``http://127.0.0.1:*/callback/`` (login-kit-desktop, read 2026-09-11).
PATH: Final = "/callback/"
_REQUEST_TIMEOUT_S: Final = 15.0
#: Longer than exchanging the code can take; the page tells how that went.
_FINISH_TIMEOUT_S: Final = 180.0
_SHOW_TIMEOUT_S: Final = 5.0

_T = TypeVar("_T")

_STRANGER: Final = Page(
    "This is not the answer that is waited for",
    "Go back to the terminal, and open the address that it shows.",
    400,
)
_TAKEN: Final = Page("This answer was taken already", "You can close this page.", 400)
_SILENT: Final = Page("Reelflow gave no answer", "Look at the terminal for what happened.", 500)


class LoopbackReceiver:
    """Waits for one answer of the consent page, and shows a page for what became of it.

    Whatever else comes, a favicon's request or a stranger's guess, is answered and changes
    nothing: only who knows the state ends the waiting.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._state = ""
        self._answers: queue.Queue[Mapping[str, str]] = queue.Queue(1)
        self._pages: queue.Queue[Page] = queue.Queue(1)
        self._taking = threading.Lock()
        self._last_page: Page | None = None
        self._is_shown = threading.Event()

    @property
    def redirect_uri(self) -> str:
        """Where the browser must come back to."""
        return f"http://{HOST}:{self._port}{PATH}"

    def expect(self, state: str) -> None:
        """Say by which state the answer will be known."""
        self._state = state

    def finish(
        self,
        work: Callable[[Mapping[str, str]], _T],
        *,
        done: Callable[[_T], Page],
        timeout_s: float,
    ) -> _T:
        """Wait for the answer, do the work it is for, and show how that went in the browser.

        :param work: gets the decoded query
        :param done: the page for what the work returned
        :raises ConfigurationError: nobody came in time; see also the work's own errors
        """
        try:
            query = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise ConfigurationError(
                f"no answer of TikTok's consent page came to {self.redirect_uri} within "
                f"{timeout_s:.0f} s. If the page refused the redirect URI, add "
                f"http://{HOST}:*{PATH} to those of the app (Login Kit, Desktop). If the browser "
                f"runs on another machine, give --port and forward that port with ssh -L",
                code="consent_timeout",
            ) from None
        try:
            result = work(query)
        except ReelflowError as exc:
            self._show(Page("The account is not connected", str(exc), 400))
            raise
        except BaseException:
            self._show(_SILENT)
            raise
        self._show(done(result))
        return result

    def _show(self, page: Page) -> None:
        """Give the browser its page, and some time to get it: the process ends soon."""
        self._last_page = page
        self._pages.put(page)
        self._is_shown.wait(_SHOW_TIMEOUT_S)

    def was_sent(self, page: Page) -> None:
        """Hear that a page has been written to the browser, or that it is gone."""
        if page is self._last_page:
            self._is_shown.set()

    def page_for(self, target: str) -> Page | None:
        """Return the page for a request's target; None when there is nothing at this path."""
        parts = urlsplit(target)
        if parts.path not in (PATH, PATH.rstrip("/")):
            return None
        query = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=20))
        given = query.get("state", "").encode("utf-8", "replace")
        if not self._state or not hmac.compare_digest(given, self._state.encode()):
            return _STRANGER
        if not self._taking.acquire(blocking=False):
            return _TAKEN
        self._answers.put(query)
        try:
            return self._pages.get(timeout=_FINISH_TIMEOUT_S)
        except queue.Empty:
            return _SILENT


@contextmanager
def loopback_receiver(port: int = 0) -> Iterator[LoopbackReceiver]:
    """Listen on this machine until the block ends; what is being answered is still answered.

    :param port: 0 for a free one
    :raises ConfigurationError: the port cannot be opened
    """
    try:
        server = _Server((HOST, port), _Handler)
    except (OSError, OverflowError) as exc:
        raise ConfigurationError(
            f"port {port} of {HOST} cannot be opened ({exc}): free it, or choose another with "
            "--port",
            code="loopback_port",
        ) from exc
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Serves one receiver; its threads end with the process."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        super().__init__(address, handler)
        self.receiver = LoopbackReceiver(self.server_port)

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a browser that goes away is no trouble of whoever sits here."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request a connection; a browser's idle ones end by their timeout."""

    server: _Server
    timeout = _REQUEST_TIMEOUT_S
    server_version, sys_version = "reelflow", ""

    def do_GET(self) -> None:
        """Answer a request of the browser."""
        try:
            page = self.server.receiver.page_for(self.path)
        except ValueError:  # no URL, or too many fields
            page = _STRANGER
        if page is None:
            self.send_error(404)
            return
        try:
            self._send(page)
        finally:
            self.server.receiver.was_sent(page)

    def _send(self, page: Page) -> None:
        body = browser_page(page)
        self.send_response(page.http_status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")  # the address has the code in it
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the request line has the code in it."""
