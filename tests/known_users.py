"""Users for tests of the routes: each is known by its name as bearer token."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from reelflow.api.auth import bearer_token, unauthenticated
from reelflow.domain.user import Scope, User

_USERS: Final = {
    "anna": User("anna", "anna", frozenset({Scope.READ, Scope.WRITE})),
    "ben": User("ben", "ben", frozenset({Scope.READ, Scope.WRITE})),
    "carl": User("carl", "carl", frozenset({Scope.READ})),
    "root": User("root", "root", frozenset({Scope.ADMIN})),
}

#: Headers of a request of theirs; Carl may only read, Root is an admin.
ANNA: Final = {"Authorization": "Bearer anna"}
BEN: Final = {"Authorization": "Bearer ben"}
CARL: Final = {"Authorization": "Bearer carl"}
ROOT: Final = {"Authorization": "Bearer root"}


class KnownUsers:
    """An authenticator that knows these users."""

    async def authenticate(self, request: Request) -> User:
        user = _USERS.get(bearer_token(request) or "")
        if user is None:
            raise unauthenticated("say who you are")
        return user
