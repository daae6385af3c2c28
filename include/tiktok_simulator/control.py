"""Control routes under ``/_sim``: what a test may see and steer, outside TikTok's own paths."""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tiktok_simulator.control_bodies import (
    ControlError,
    check_text,
    done,
    json_object,
)
from tiktok_simulator.ownership import parse_connect_to
from tiktok_simulator.publication import Kind, Publication
from tiktok_simulator.state import World

_DAYS_100_S = 100 * 86_400


class ControlRoutes:
    """Steers one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted under ``/_sim``."""
        return [
            Route("/posts", self.list_posts, methods=["GET"]),
            Route("/uploads", self.list_uploads, methods=["GET"]),
            Route("/uploads/{publish_id}/content", self.read_content, methods=["GET"]),
            Route("/switches", self.show_switches, methods=["GET"]),
            Route("/switches", self.change_switches, methods=["POST"]),
            Route("/connect-to", self.connect_to, methods=["POST"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/clock", self.advance_clock, methods=["POST"]),
        ]

    async def list_posts(self, request: Request) -> Response:
        """Posts that need no further byte to be on TikTok, in the order of their last byte."""
        posts, drafts = delivered(self._world, "direct"), delivered(self._world, "draft")
        return JSONResponse(
            {
                "posts": [_post(one) for one in posts],
                "drafts": [_post(one) for one in drafts],
                "duplicates": _count_duplicates(posts) + _count_duplicates(drafts),
            }
        )

    async def list_uploads(self, request: Request) -> Response:
        """Every publication since the last reset, oldest first."""
        for publication in self._world.publications.values():
            self._world.lifecycle.expire(publication)
        return JSONResponse(
            {
                "uploads": [self._upload(one) for one in self._world.publications.values()],
                "authorization_violations": self._world.authorization_violations,
            }
        )

    async def read_content(self, request: Request) -> Response:
        """Every stored byte of one publication."""
        publication = self._world.publications.get(request.path_params["publish_id"])
        if publication is None or not publication.received.is_kept:
            why = "was started with --discard" if publication else "knows no such publish_id"
            return JSONResponse({"error": f"The simulator {why}."}, 404)
        content = publication.received.content()
        return StreamingResponse(content, media_type="application/octet-stream")

    async def reset(self, request: Request) -> Response:
        """Forget everything but the accounts."""
        self._world.reset()
        return done()

    async def advance_clock(self, request: Request) -> Response:
        """Put the one clock forward: ``{"advance_s": 3600}``."""
        body = await json_object(request, {"advance_s"})
        seconds = body.get("advance_s")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ControlError("advance_s must be a number of seconds.")
        if not 0 <= seconds <= _DAYS_100_S:
            raise ControlError(f"advance_s must be between 0 and {_DAYS_100_S}, not {seconds}.")
        self._world.clock.advance(seconds)
        return JSONResponse({"now": self._world.clock.now()})

    async def show_switches(self, request: Request) -> Response:
        """Every switch and its value now."""
        return JSONResponse({"switches": vars(self._world.switches)})

    async def change_switches(self, request: Request) -> Response:
        """Change some switches: ``{"progress": "last_index"}``."""
        body = await json_object(request, set(vars(self._world.switches)))
        try:
            self._world.switches.set(body)
        except ValueError as error:
            raise ControlError(str(error)) from error
        return JSONResponse({"switches": vars(self._world.switches)})

    async def connect_to(self, request: Request) -> Response:
        """Let pulls from a host go elsewhere: ``{"host": …, "address": "http://127.0.0.1:80"}``."""
        body = await json_object(request, {"host", "address"})
        check_text(body, "host", required=True)
        check_text(body, "address", required=True)
        try:
            host, address = parse_connect_to(body["host"], body["address"])
        except ValueError as error:
            raise ControlError(str(error)) from error
        self._world.connect_to[host] = address
        return done()

    def _upload(self, publication: Publication) -> dict[str, Any]:
        received, plan, pull = publication.received, publication.plan, publication.pull
        return {
            "publish_id": publication.publish_id,
            "open_id": publication.open_id,
            "kind": publication.kind,
            "media": publication.media,
            "source": "PULL_FROM_URL" if pull else "FILE_UPLOAD",
            "state": self._world.current_status(publication)["status"],
            "fail_reason": publication.fail_reason,
            "video_size": plan and plan.video_size,
            "chunk_size": plan and plan.chunk_size,
            "total_chunks": plan and plan.total_chunk_count,
            "cover_index": pull and pull.cover_index,
            "downloaded_bytes": publication.downloaded_bytes if pull else None,
            "download_attempts": publication.download_attempts if pull else None,
            "received_bytes": received.size_bytes,
            "chunks": received.chunk_sizes,
            "sha256": received.sha256,
            "images": received.part_sha256s,
            "post_info": publication.post_info,
            "authorization_seen": publication.authorization_seen,
        }


def delivered(world: World, kind: Kind) -> list[Publication]:
    """Return what needs no further byte and was not deleted, in the order of the last byte."""
    complete = [
        one
        for one in world.publications.values()
        if one.completed_at is not None and one.fail_reason is None and one.deleted_at is None
    ]
    return sorted(
        (one for one in complete if one.kind == kind), key=lambda one: one.completed_at or 0
    )


def _post(publication: Publication) -> dict[str, Any]:
    return {
        "publish_id": publication.publish_id,
        "post_id": str(publication.post_id) if publication.is_public else None,
        "open_id": publication.open_id,
        "media": publication.media,
        "sha256": publication.received.sha256,
        "images": publication.received.part_sha256s,
        "bytes": publication.received.size_bytes,
        "privacy_level": publication.privacy_level,
    }


def _count_duplicates(publications: Iterable[Publication]) -> int:
    kept = [(one.open_id, one.received.sha256) for one in publications if one.received.is_kept]
    return len(kept) - len(set(kept))
