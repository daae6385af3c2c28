"""``/dashboard``: one video a session, analysed as it comes; errors in an envelope of their own."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from reelflow.api.begun_analyses import only_begun
from reelflow.api.content_length import declared_bytes
from reelflow.api.dashboard_bodies import (
    SessionOpened,
    SessionTold,
    StatisticsTold,
    VideoRecord,
    max_file_bytes,
    session_opened,
    statistics_told,
    video_record,
)
from reelflow.api.dashboard_errors import EnvelopeRoute, UploadFailedError, envelope_errors
from reelflow.api.errors import ApiError
from reelflow.api.form_files import form_body, received_form
from reelflow.api.intake import Intake
from reelflow.api.multipart import FormLimits
from reelflow.domain.user import Scope, User
from reelflow.exceptions import ReelflowError
from reelflow.services.uploads.dashboard import sessions as dashboard
from reelflow.services.uploads.dashboard.statistics import statistics_of
from reelflow.services.uploads.dashboard.video import Video, find_video, keep_video
from reelflow.services.workspace import Workspace

# What was not read of a body would be taken for the next request.
_CLOSE: Final = {"Connection": "close"}
#: Below which the routes are.
DASHBOARD_PATH: Final = "/dashboard"
_FILE_FIELD: Final = "file"
_FORM: Final[dict[str, Any]] = form_body({_FILE_FIELD: {"type": "string", "format": "binary"}}, {})


def dashboard_routes(intake: Intake) -> APIRouter:
    """Return the routes; a session is for whoever opened it."""
    router = APIRouter(
        prefix=DASHBOARD_PATH,
        tags=["dashboard"],
        route_class=EnvelopeRoute,
        responses=envelope_errors(400, 401, 403, 500),
    )
    workspace = intake.workspace

    @router.post("/upload", status_code=201, responses=envelope_errors(429))
    def open_session(request: Request, user: User = Depends(intake.guard.writer)) -> SessionOpened:
        """Open a session for one video; it lives an hour."""
        return session_opened(intake, request, dashboard.open_session(workspace, user))

    @router.post(
        "/upload/{session_id}",
        status_code=201,
        responses=envelope_errors(404, 411, 429, 503),
        openapi_extra=_FORM,
    )
    async def upload(
        request: Request, session_id: str, user: User = Depends(intake.guard.writer)
    ) -> VideoRecord:
        """Take the session's video, and begin its analysis.

        A session is used once: whatever fails from then on ends it, and nothing is left of it.
        Only 401, 403, 404, 411 and 503 begin nothing.
        """
        async with intake.file_bodies.one(user.id):
            video = await _taken(intake, request, user, session_id)
        return video_record(intake, request, video)

    @router.get("/upload/{session_id}/status")
    def status(session_id: str, user: User = Depends(intake.guard.reader)) -> SessionTold:
        """Tell whether a session can be used."""
        found, row = dashboard.status_of(workspace, user, session_id)
        return SessionTold(
            session_id=session_id,
            status=found,
            expires_at=None if row is None else row.expires_at,
            video_id=None if row is None else row.media_id,
        )

    @router.delete("/upload/{session_id}", status_code=204, responses=envelope_errors(404))
    def cancel(session_id: str, user: User = Depends(intake.guard.writer)) -> None:
        """Give a session up, with what was sent to it."""
        dashboard.cancel(workspace, user, session_id)

    @router.get("/videos/{video_id}/results", responses=envelope_errors(404))
    def results(
        request: Request,
        response: Response,
        video_id: str,
        user: User = Depends(intake.guard.reader),
    ) -> VideoRecord:
        """Tell what content analysis says of a video by now; ask again while it is processing.

        An analysis that its engine lost begins anew, if the user may write.
        """
        with intake.engines() as engines:
            reachable = engines if user.may(Scope.WRITE) else only_begun(engines)
            video = find_video(workspace, user, video_id, reachable)
        if video.detection.remaining_s:
            response.headers["Retry-After"] = str(max(1, round(video.detection.remaining_s)))
        return video_record(intake, request, video)

    @router.get("/statistics")
    def statistics(user: User = Depends(intake.guard.reader)) -> StatisticsTold:
        """Tell what the user uploaded, what was found in it, and what is left of the quota."""
        return statistics_told(statistics_of(workspace, user))

    return router


async def _taken(intake: Intake, request: Request, user: User, session_id: str) -> Video:
    """Receive the video of a session and keep it; from its use on, a session ends with this.

    :raises ApiError: 411 ``length_required``; the session stays
    :raises TerminalError: there is none to use; ``session_not_found``
    :raises UploadFailedError: of whatever it was, nothing is left
    """
    workspace = intake.workspace
    limits = FormLimits(max_files=1, max_file_bytes=max_file_bytes(workspace), max_fields=0)
    certain_bytes = _certain_bytes(request, limits)
    await run_in_threadpool(dashboard.use_session, workspace, user, session_id)
    try:
        await run_in_threadpool(
            dashboard.reserve_room, workspace, session_id, size_bytes=certain_bytes
        )
        async with received_form(request, limits, file_field=_FILE_FIELD, fields=()) as form:

            def keep() -> Video:
                with intake.engines() as engines:
                    return keep_video(workspace, user, session_id, form.files[0], engines)

            return await run_in_threadpool(keep)
    except Exception as error:
        raise await _undone(workspace, session_id, error) from error


def _certain_bytes(request: Request, limits: FormLimits) -> int:
    """Return how many bytes a file has at least, by what its request declares.

    Of the declared length the form around the file takes some.

    :raises ApiError: 411 ``length_required``: it declares none, so that nobody knows what to
        reserve
    """
    body_bytes = declared_bytes(request.scope)
    if body_bytes is None:
        message = "send the form with a Content-Length, by which room for its file is reserved"
        raise ApiError(411, "length_required", message, headers=_CLOSE)
    overhead_bytes = limits.max_body_bytes - limits.max_file_bytes
    return min(max(0, body_bytes - overhead_bytes), limits.max_file_bytes)


async def _undone(workspace: Workspace, session_id: str, error: Exception) -> UploadFailedError:
    """Undo an upload; what cannot be undone now is left to the sweep."""
    try:
        clean_up = await run_in_threadpool(dashboard.give_up, workspace, session_id)
    except ReelflowError:
        return UploadFailedError(error, None)
    return UploadFailedError(error, clean_up)
