"""Airflow's users as users of the web application, by the login that Airflow has.

What is imported of Airflow here is what its own provider packages use for routes of theirs, and no
other module of ours knows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models.connection import Connection
from airflow.models.dag import DagModel
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from reelflow.api.auth import bearer_token, unauthenticated
from reelflow.api.errors import ApiError
from reelflow.domain.user import Scope, User, check_user_id
from reelflow.exceptions import ConfigurationError
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.web.same_origin import is_same_origin

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from starlette.requests import Request

#: Who may start this DAG may post.
PUBLISHING_DAG: Final = "publish_to_tiktok"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class AirflowAuthenticator:
    """Believes Airflow's bearer tokens, and its session cookie where no other page can use it.

    What users may do follows from what Airflow lets them do: who may change the connection
    ``tiktok_app`` may do everything, who may start the publishing DAG may upload and post, and who
    may see it may read.
    """

    async def authenticate(self, request: Request) -> User:
        """Return who asks.

        :raises ApiError: 401 ``unauthenticated``; 403 ``origin_refused``, ``everybody_is_admin`` or
            ``user_id``
        """
        _refuse_open_house()
        bearer = _bearer(request)
        if bearer is None:
            _check_cookie(request)
        try:
            known = await get_user(request, bearer_credentials=bearer)
        except HTTPException:
            raise unauthenticated("the token is expired, revoked or not of this Airflow") from None
        return await run_in_threadpool(_user, known)


def _refuse_open_house() -> None:
    """Refuse everybody where Airflow takes everybody for its admin.

    It adds an admin's token to each request itself, so that nobody could be told from anybody.
    """
    manager = get_auth_manager()
    if isinstance(manager, SimpleAuthManager) and conf.getboolean(
        "core", "simple_auth_manager_all_admins"
    ):
        raise ApiError(
            403,
            "everybody_is_admin",
            "this Airflow lets everybody in as admin ([core] simple_auth_manager_all_admins), and"
            " uploads and posts belong to users: give it users, or call `reelflow serve` with an"
            " API key",
        )


def _bearer(request: Request) -> HTTPAuthorizationCredentials | None:
    """Return the header's token; another scheme may be a proxy's before Airflow."""
    token = bearer_token(request)
    if token is None:
        return None
    return HTTPAuthorizationCredentials(scheme="bearer", credentials=token)


def _check_cookie(request: Request) -> None:
    """Raise unless there is a session cookie, and the user's own page sent it."""
    # Without one Airflow may still know a user, its public role; uploads need somebody's name.
    if COOKIE_NAME_JWT_TOKEN not in request.cookies:
        raise unauthenticated("log in to Airflow, or send its token as Authorization: Bearer")
    if request.method in _SAFE_METHODS:
        return
    if not is_same_origin(request, conf.get("api", "base_url", fallback="")):
        raise ApiError(
            403,
            "origin_refused",
            "this was not asked by a page of this server: a program sends Airflow's token as"
            " Authorization: Bearer; behind a proxy, [api] base_url must be the address that"
            " browsers use",
        )


def _user(known: BaseUser) -> User:
    try:
        user_id = check_user_id(str(known.get_id()))
    except ConfigurationError as error:
        raise ApiError(403, error.code, str(error)) from None
    return User(user_id, known.get_name(), _scopes(known))


def _scopes(known: BaseUser) -> frozenset[Scope]:
    """Ask the strongest first; it includes the others."""
    manager = get_auth_manager()
    has_teams = conf.getboolean("core", "multi_team")
    app = TikTokHook.default_conn_name
    connection = ConnectionDetails(app, Connection.get_team_name(app) if has_teams else None)
    if manager.is_authorized_connection(method="PUT", details=connection, user=known):
        return frozenset({Scope.ADMIN})
    dag = DagDetails(PUBLISHING_DAG, DagModel.get_team_name(PUBLISHING_DAG) if has_teams else None)
    if manager.is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=dag, user=known
    ):
        return frozenset({Scope.WRITE})
    if manager.is_authorized_dag(method="GET", details=dag, user=known):
        return frozenset({Scope.READ})
    return frozenset()
