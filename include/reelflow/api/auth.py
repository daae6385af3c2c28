"""Who asks: the port by which a server knows its users, and the guard before the routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from reelflow.api.errors import ApiError
from reelflow.domain.user import Scope, User

#: Says in the schema how to log in; it refuses nobody itself.
_BEARER: Final = HTTPBearer(
    auto_error=False, description="An API key of Reelflow, or a token of Airflow where it runs."
)


class Authenticator(Protocol):
    """Knows users by what they send."""

    async def authenticate(self, request: Request) -> User:
        """Return who asks.

        :raises ApiError: 401 ``unauthenticated``: nobody is known by what was sent; 403
            ``origin_refused``: another site's page asks in the name of its reader
        """


class Guard:
    """Lets those pass who may; its members are dependencies of routes, and return the user.

    ::

        def show(media_id: str, user: User = Depends(intake.guard.reader)) -> JSONResponse: ...

    :param authenticator: knows the users of this server
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self.reader = self._requiring(Scope.READ)
        self.writer = self._requiring(Scope.WRITE)
        self.admin = self._requiring(Scope.ADMIN)

    async def user_of(self, request: Request, scope: Scope) -> User:
        """Return who asks, for a route that cannot have a dependency.

        :raises ApiError: 401, or 403 ``scope_missing``
        """
        user = await self._authenticator.authenticate(request)
        if not user.may(scope):
            granted = ", ".join(sorted(user.scopes)) or "nothing"
            raise ApiError(
                403,
                "scope_missing",
                f"this needs the scope {scope}, and {user.known_as} has {granted}: ask an admin",
                details={"scope": scope.value},
            )
        return user

    def _requiring(self, scope: Scope) -> Callable[..., Awaitable[User]]:
        async def known_user(
            request: Request, _: HTTPAuthorizationCredentials | None = Depends(_BEARER)
        ) -> User:
            return await self.user_of(request, scope)

        return known_user


def bearer_token(request: Request) -> str | None:
    """Return the token of the header ``Authorization``; None when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def unauthenticated(message: str) -> ApiError:
    """Return the 401 with which whoever asked is told how to log in."""
    return ApiError(401, "unauthenticated", message, headers={"WWW-Authenticate": "Bearer"})
