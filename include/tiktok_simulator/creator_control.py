"""Control routes for what becomes of a publication without the app: people and moderation."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tiktok_simulator.accounts import PRIVATE_OPTIONS, PUBLIC_OPTIONS
from tiktok_simulator.control_bodies import (
    ControlError,
    check_choice,
    check_code,
    check_int,
    done,
    json_object,
)
from tiktok_simulator.display import COUNTS_MAX
from tiktok_simulator.publication import EVERYONE, Publication, Stage
from tiktok_simulator.state import World

_PRIVACY_LEVELS = tuple(dict.fromkeys((*PUBLIC_OPTIONS, *PRIVATE_OPTIONS)))


class CreatorControlRoutes:
    """Plays the creators, the viewers and the moderation of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted under ``/_sim``."""
        return [
            Route("/drafts/{publish_id}/post", self.post_draft, methods=["POST"]),
            Route("/posts/{publish_id}/privacy", self.change_privacy, methods=["POST"]),
            Route("/posts/{publish_id}/counts", self.count, methods=["POST"]),
            Route("/posts/{publish_id}/delete", self.delete, methods=["POST"]),
            Route("/uploads/{publish_id}/complete", self.complete, methods=["POST"]),
            Route("/uploads/{publish_id}/fail", self.fail, methods=["POST"]),
        ]

    async def post_draft(self, request: Request) -> Response:
        """Let the creator post a draft, once more if it was posted before (D-ST)."""
        publication = self._find(request, "inbox", "published")
        if publication.kind != "draft":
            raise ControlError(f"{publication.publish_id} is no draft but a direct post.")
        body = await json_object(request, {"privacy_level"})
        check_choice(body, "privacy_level", _PRIVACY_LEVELS)
        post_id = self._world.new_id()
        level = body.get("privacy_level", EVERYONE)
        self._world.lifecycle.post_draft(publication, post_id, level)
        return JSONResponse({"post_id": str(post_id)})

    async def change_privacy(self, request: Request) -> Response:
        """Let the creator show a post to others: ``{"privacy_level": "SELF_ONLY"}``."""
        publication = self._find(request, "published")
        body = await json_object(request, {"privacy_level"})
        check_choice(body, "privacy_level", _PRIVACY_LEVELS, required=True)
        self._world.lifecycle.change_privacy(publication, body["privacy_level"])
        return done()

    async def count(self, request: Request) -> Response:
        """Let people view, like, comment, share a post so often: ``{"view_count": 1200}``."""
        publication = self._find(request, "published")
        body = await json_object(request, set(COUNTS_MAX))
        for name, most in COUNTS_MAX.items():
            check_int(body, name, 0, most)
        publication.counts.update(body)
        return done()

    async def delete(self, request: Request) -> Response:
        """Let the creator delete a post."""
        self._world.lifecycle.delete(self._find(request, "published"))
        return done()

    async def complete(self, request: Request) -> Response:
        """Let the platform end as done what is under way or was given up, late or not.

        The post has the bytes that were stored, even if some lack or the status was FAILED.
        """
        publication = self._find(request, "transfer", "processing", "failed")
        self._world.lifecycle.finish(publication, self._world.new_id())
        return done()

    async def fail(self, request: Request) -> Response:
        """Let the platform end as FAILED what is under way: ``{"fail_reason": "internal"}``."""
        publication = self._find(request, "transfer", "processing")
        body = await json_object(request, {"fail_reason"})
        check_code(body, "fail_reason", required=True)
        publication.post_ids = []
        self._world.lifecycle.fail(publication, body["fail_reason"])
        return done()

    def _find(self, request: Request, *stages: Stage) -> Publication:
        publish_id = request.path_params["publish_id"]
        publication = self._world.publications.get(publish_id)
        if publication is None:
            raise ControlError(f"The simulator knows no publish_id {publish_id!r}.")
        self._world.lifecycle.expire(publication)
        if publication.stage not in stages or publication.deleted_at is not None:
            state = "deleted" if publication.deleted_at else publication.stage
            raise ControlError(f"{publish_id} is {state}, not {' or '.join(stages)}.")
        return publication
