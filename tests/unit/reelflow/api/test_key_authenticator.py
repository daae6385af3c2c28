from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from reelflow.api.errors import ApiError
from reelflow.api.key_authenticator import KeyAuthenticator
from reelflow.domain.user import Scope
from reelflow.services.api_keys import create_key, revoke_key
from reelflow.services.workspace import Workspace


def request(**headers: str) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


def authenticate(workspace: Workspace, **headers: str) -> str:
    return asyncio.run(KeyAuthenticator(workspace).authenticate(request(**headers))).id


def test_a_key_is_sent_as_bearer_token(workspace: Workspace) -> None:
    row, token = create_key(workspace, "anna", "", frozenset({Scope.READ}), None, "tests")
    assert authenticate(workspace, Authorization=f"Bearer {token}") == "anna"
    revoke_key(workspace, row.id)
    with pytest.raises(ApiError, match="revoked") as refused:
        authenticate(workspace, Authorization=f"Bearer {token}")
    assert refused.value.status == 401


def test_a_key_anywhere_else_is_not_looked_at(workspace: Workspace) -> None:
    _, token = create_key(workspace, "anna", "", frozenset({Scope.READ}), None, "tests")
    for headers in ({}, {"Cookie": f"_token={token}"}, {"Authorization": token}):
        with pytest.raises(ApiError) as refused:
            authenticate(workspace, **headers)
        assert (refused.value.status, refused.value.reason) == (401, "unauthenticated")
