"""What Airflow's users may do with Reelflow, and who is nobody's user."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from airflow.api_fastapi.app import create_auth_manager, purge_cached_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from starlette.requests import Request

from reelflow.api.errors import ApiError
from reelflow.domain.user import Scope
from reelflow_provider.web import login
from reelflow_provider.web.login import AirflowAuthenticator


@pytest.fixture(autouse=True)
def auth_manager() -> Iterator[None]:
    """Airflow's SimpleAuthManager, as its API server has it."""
    create_auth_manager()
    yield
    purge_cached_app()


def refusal_of(method: str, **headers: str) -> ApiError:
    """Return why a request is refused."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "method": method, "headers": raw, "state": {}})
    with pytest.raises(ApiError) as raised:
        asyncio.run(AirflowAuthenticator().authenticate(request))
    return raised.value


@pytest.mark.parametrize(
    ("role", "strongest"),
    [
        ("viewer", Scope.READ),
        ("user", Scope.WRITE),
        ("op", Scope.ADMIN),
        ("admin", Scope.ADMIN),
    ],
)
def test_what_a_role_may_do_follows_from_dag_and_connection(role: str, strongest: Scope) -> None:
    user = login._user(SimpleAuthManagerUser(username="anna", role=role))
    assert (user.id, user.name, user.actor) == ("anna", "anna", "user:anna")
    may = [scope for scope in Scope if user.may(scope)]
    assert may == list(Scope)[: list(Scope).index(strongest) + 1]


class NumberedUser(SimpleAuthManagerUser):
    """A user as the FAB auth manager has them: known to the database by a number."""

    def get_id(self) -> str:
        return "1"


def test_a_user_whose_id_is_a_number_is_told_by_the_name_that_people_know() -> None:
    user = login._user(NumberedUser(username="mia", role="user"))
    assert (user.id, user.actor) == ("1", "user:mia (1)")


def test_a_user_without_a_role_may_do_nothing() -> None:
    assert login._user(SimpleAuthManagerUser(username="anna", role=None)).scopes == frozenset()


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", " anna", "a" * 129])
def test_a_name_that_no_folder_can_have_is_refused(name: str) -> None:
    with pytest.raises(ApiError) as raised:
        login._user(SimpleAuthManagerUser(username=name, role="admin"))
    assert (raised.value.status, raised.value.reason) == (403, "user_id")


@pytest.mark.parametrize("headers", [{}, {"cookie": "other=1"}, {"authorization": "Basic eDp5"}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_sends_neither_token_nor_cookie_is_told_to_log_in(
    method: str, headers: dict[str, str]
) -> None:
    refusal = refusal_of(method, **headers)
    assert (refusal.status, refusal.reason) == (401, "unauthenticated")
    assert "log in to Airflow" in refusal.message
    assert refusal.headers == {"WWW-Authenticate": "Bearer"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_a_cookie_changes_nothing_unless_a_page_of_this_server_asks(method: str) -> None:
    refusal = refusal_of(method, cookie="_token=x", origin="http://evil.example", host="web.test")
    assert (refusal.status, refusal.reason) == (403, "origin_refused")


def test_where_everybody_is_admin_nobody_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
    # Airflow adds it itself, to every request.
    refusal = refusal_of("GET", authorization="Bearer an.admins.token")
    assert (refusal.status, refusal.reason) == (403, "everybody_is_admin")
    assert "reelflow serve" in refusal.message
