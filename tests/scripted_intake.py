"""A small intake API: a real HTTP server that keeps uploads and posts in memory, with faults."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

KEY: Final = "rfk_test_c2VjcmV0"
CHUNK_BYTES: Final = 512 * 1024
_API: Final = "/reelflow/api/v1"


@dataclass
class Call:
    """One call as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """One answer; ``cut`` closes the connection instead, after the call was carried out or not."""

    status: int = 200
    document: Any = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class StoredUpload:
    """An upload and the chunks that it has."""

    asked: dict[str, Any]
    chunks: dict[int, bytes] = field(default_factory=dict)
    state: str = "open"
    answer: dict[str, Any] | None = None

    @property
    def total(self) -> int:
        return -(-int(self.asked["file_size"]) // CHUNK_BYTES)

    @property
    def content(self) -> bytes:
        return b"".join(self.chunks[index] for index in range(self.total))


class ScriptedIntake:
    """Takes uploads and makes posts of them, by the shapes that docs/api.md tells.

    ``fault`` is asked before each call is carried out, ``lost`` after it: what they return is the
    answer in place of the server's own.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.uploads: dict[str, StoredUpload] = {}
        self.media: dict[str, dict[str, Any]] = {}
        self.posts: dict[int, dict[str, Any]] = {}
        self.accounts = {"acme"}
        self.fault: Callable[[Call], Reply | None] = lambda _: None
        self.lost: Callable[[Call], Reply | None] = lambda _: None
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def calls_to(self, method: str, pattern: str) -> list[Call]:
        """Return the calls whose path, below the API's, is like this."""
        return [one for one in self.calls if one.method == method and re.search(pattern, one.path)]

    def add_post(self, **fields: Any) -> dict[str, Any]:
        """Let the server have a post."""
        post = {
            "post_id": len(self.posts) + 1, "account": "acme", "kind": "video", "state": "READY",
            "reason": "sent to the API", "reason_code": None, "fix": None, "caption": "",
            "privacy_level": "SELF_ONLY", "publish_at": None, "due_at": "2026-11-22T18:00:00Z",
            "media_ids": [], "user_id": "mia", "tiktok": None, "links": {}, "sha256": None,
            "repost": False, **fields,
        }  # fmt: skip
        self.posts[post["post_id"]] = post
        return post

    def answer(self, call: Call) -> Reply:
        """Carry a call out."""
        if call.headers.get("authorization") != f"Bearer {KEY}":
            return refusal(401, "unauthenticated", "this key is none of ours")
        for method, pattern, route in _ROUTES:
            match = re.fullmatch(_API + pattern, call.path)
            if match and method == call.method:
                return route(self, call, **match.groupdict())
        return refusal(404, "not_found", "nothing is at this address")

    def _init(self, call: Call) -> Reply:
        asked = call.json
        wish = asked.get("post")
        if wish is not None and wish["account"] not in self.accounts:
            return refusal(404, "account_not_found", f"there is no account {wish['account']!r}")
        upload_id = f"up{len(self.uploads) + 1}"
        self.uploads[upload_id] = upload = StoredUpload(asked)
        return Reply(201, self._told(upload_id, upload))

    def _status(self, call: Call, upload_id: str) -> Reply:
        upload = self.uploads.get(upload_id)
        if upload is None:
            return refusal(404, "upload_not_found", "there is no such upload")
        missing = [[i, i] for i in range(upload.total) if i not in upload.chunks]
        told = {"state": upload.state, "missing": missing, "received": []}
        return Reply(200, self._told(upload_id, upload) | told)

    def _chunk(self, call: Call, upload_id: str, index: str) -> Reply:
        upload = self.uploads.get(upload_id)
        if upload is None:
            return refusal(404, "upload_not_found", "there is no such upload")
        digest = base64.b64encode(hashlib.sha256(call.body).digest()).decode()
        if call.headers.get("content-digest") != f"sha-256=:{digest}:":
            return refusal(422, "chunk_digest", "the chunk has another digest")
        upload.chunks[int(index)] = call.body
        return Reply(200, {"upload_id": upload_id, "index": int(index)})

    def _finalize(self, call: Call, upload_id: str) -> Reply:
        upload = self.uploads.get(upload_id)
        if upload is None:
            return refusal(404, "upload_not_found", "there is no such upload")
        if upload.answer is not None:
            return Reply(200, upload.answer)
        if len(upload.chunks) < upload.total:
            return refusal(409, "chunks_missing", "chunks are missing")
        media_id = f"m{len(self.media) + 1}"
        sha256 = hashlib.sha256(upload.content).hexdigest()
        media = {"media_id": media_id, "sha256": sha256, "posts": []}
        self.media[media_id] = media
        wish = call.json.get("post")
        post = None if wish is None else self._post_of({**wish, "media_ids": [media_id]})[1]
        upload.state, upload.answer = "finished", {"media": dict(media), "post": post}
        return Reply(201, upload.answer)

    def _create_post(self, call: Call) -> Reply:
        status, post = self._post_of(call.json)
        return Reply(status, post)

    def _post_of(self, wish: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        hashes = [self.media[one]["sha256"] for one in wish["media_ids"]]
        is_photo = "cover_index" in wish or len(hashes) > 1
        joined = "\n".join(["photos", *hashes]).encode()
        sha256 = hashlib.sha256(joined).hexdigest() if is_photo else hashes[0]
        for post in self.posts.values():
            is_twin = (post["account"], post["sha256"]) == (wish["account"], sha256)
            if is_twin and not wish.get("repost"):
                if post["state"] == "HELD":
                    post.update(wish, state="READY")
                return 200, post
        post = self.add_post(**wish, sha256=sha256)
        for media_id in wish["media_ids"]:
            self.media[media_id]["posts"].append(post["post_id"])
        return 201, post

    def _media(self, call: Call, media_id: str) -> Reply:
        return Reply(200, self.media[media_id])

    def _list_posts(self, call: Call) -> Reply:
        account, sha256 = call.query["account"][0], call.query["sha256"][0]
        if account not in self.accounts:
            return refusal(404, "account_not_found", f"there is no account {account!r}")
        posts = [p for p in self.posts.values() if (p["account"], p["sha256"]) == (account, sha256)]
        return Reply(200, {"posts": posts[::-1], "next_cursor": None})

    def _post(self, call: Call, post_id: str) -> Reply:
        return Reply(200, self.posts[int(post_id)])

    def _told(self, upload_id: str, upload: StoredUpload) -> dict[str, Any]:
        return {"upload_id": upload_id, "chunk_size": CHUNK_BYTES, "total_chunks": upload.total}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Keep quiet of clients that hang up."""


_ROUTES: Final[list[tuple[str, str, Callable[..., Reply]]]] = [
    ("POST", "/media/upload/init", ScriptedIntake._init),
    ("GET", "/media/upload/(?P<upload_id>[^/]+)/status", ScriptedIntake._status),
    ("PUT", "/media/upload/(?P<upload_id>[^/]+)/chunks/(?P<index>[0-9]+)", ScriptedIntake._chunk),
    ("POST", "/media/upload/(?P<upload_id>[^/]+)/finalize", ScriptedIntake._finalize),
    ("POST", "/posts", ScriptedIntake._create_post),
    ("GET", "/posts", ScriptedIntake._list_posts),
    ("GET", "/posts/(?P<post_id>[0-9]+)", ScriptedIntake._post),
    ("GET", "/media/(?P<media_id>[^/]+)", ScriptedIntake._media),
]


def refusal(status: int, reason: str, message: str, **headers: str) -> Reply:
    """Return an error in the server's words."""
    return Reply(status, {"reason": reason, "message": message, "details": {}}, headers=headers)


def _handler(server: ScriptedIntake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            url = urlsplit(self.path)
            call = Call(self.command, url.path, parse_qs(url.query), headers, body)
            reply = server.fault(call)
            with server.lock:
                server.calls.append(call)
                reply = reply or server.answer(call)
            reply = server.lost(call) or reply
            if reply.cut:
                self.close_connection = True
                return
            content = json.dumps(reply.document).encode() if reply.body is None else reply.body
            self.send_response(reply.status)
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(content)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Keep the tests' output free of it."""

    return Handler
