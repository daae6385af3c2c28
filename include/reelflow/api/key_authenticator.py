"""API keys as the users of ``reelflow serve``."""

from __future__ import annotations

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from reelflow.api.auth import bearer_token, unauthenticated
from reelflow.domain.user import User
from reelflow.exceptions import UnauthenticatedError
from reelflow.services.api_keys import authenticate_key
from reelflow.services.workspace import Workspace


class KeyAuthenticator:
    """Knows users by the keys that ``reelflow keys`` makes, sent as bearer token.

    No cookie is looked at, so that no page of another site can ask in its reader's name.

    :param workspace: where the keys are
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def authenticate(self, request: Request) -> User:
        """Return whom the key stands for."""
        token = bearer_token(request)
        if token is None:
            raise unauthenticated("send an API key, with the header Authorization: Bearer rfk_...")
        try:
            return await run_in_threadpool(authenticate_key, self._workspace, token)
        except UnauthenticatedError as error:
            raise unauthenticated(str(error)) from None
