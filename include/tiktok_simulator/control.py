"""Control routes under ``/_sim``: what a test may see and steer, outside TikTok's own paths."""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tiktok_simulator.control_bodies import (
    ControlError,
    done,
    json_object,
)
from tiktok_simulator.publication import Publication
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
            Route("/reset", self.reset, methods=["POST"]),
            Route("/clock", self.advance_clock, methods=["POST"]),
        ]

    async def list_posts(self, request: Request) -> Response:
        """Posts that need no further byte to be on TikTok, in the order of their last byte."""
        completed = sorted(
            (one for one in self._world.publications.values() if one.completed_at is not None),
            key=lambda one: one.completed_at or 0,
        )
        delivered = [one for one in completed if one.fail_reason is None]
        posts = [one for one in delivered if one.kind == "direct"]
        drafts = [one for one in delivered if one.kind == "draft"]
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

    def _upload(self, publication: Publication) -> dict[str, Any]:
        received, plan = publication.received, publication.plan
        status = self._world.current_status(publication)
        return {
            "publish_id": publication.publish_id,
            "open_id": publication.open_id,
            "kind": publication.kind,
            "state": status["status"],
            "fail_reason": publication.fail_reason,
            "video_size": plan and plan.video_size,
            "chunk_size": plan and plan.chunk_size,
            "total_chunks": plan and plan.total_chunk_count,
            "received_bytes": received.size_bytes,
            "chunks": received.chunk_sizes,
            "sha256": received.sha256,
            "post_info": publication.post_info,
            "authorization_seen": publication.authorization_seen,
        }


def _post(publication: Publication) -> dict[str, Any]:
    return {
        "publish_id": publication.publish_id,
        "post_id": str(publication.post_id) if publication.is_public else None,
        "open_id": publication.open_id,
        "sha256": publication.received.sha256,
        "bytes": publication.received.size_bytes,
    }


def _count_duplicates(publications: Iterable[Publication]) -> int:
    kept = [(one.open_id, one.received.sha256) for one in publications if one.received.is_kept]
    return len(kept) - len(set(kept))
