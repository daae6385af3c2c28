from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reelflow.domain.user import (
    USER_ID_MAX_CHARS,
    Scope,
    User,
    check_user_id,
    known_as,
    parse_scopes,
    scopes_text,
)
from reelflow.exceptions import ConfigurationError
from reelflow.storage.folders import dashboard_key, presigned_key
from reelflow.storage.keys import names_in

#: What file systems take as a name (Linux: NAME_MAX).
FILE_NAME_MAX_BYTES = 255


def user(*scopes: Scope, user_id: str = "anna") -> User:
    return User(user_id, user_id, frozenset(scopes))


@pytest.mark.parametrize(
    ("granted", "allowed"),
    [
        ([], []),
        ([Scope.READ], [Scope.READ]),
        ([Scope.WRITE], [Scope.READ, Scope.WRITE]),
        ([Scope.ADMIN], [Scope.READ, Scope.WRITE, Scope.ADMIN]),
        ([Scope.READ, Scope.ADMIN], [Scope.READ, Scope.WRITE, Scope.ADMIN]),
    ],
)
def test_a_scope_includes_the_weaker_ones(granted: list[Scope], allowed: list[Scope]) -> None:
    assert [scope for scope in Scope if user(*granted).may(scope)] == allowed
    assert user(*granted).is_admin == (Scope.ADMIN in granted)


def test_what_came_by_the_inbox_is_the_admins_alone() -> None:
    assert not user(Scope.WRITE).owns(None)
    assert user(Scope.ADMIN).owns(None)


def test_a_user_owns_its_own_and_an_admin_everything() -> None:
    assert user(Scope.WRITE).owns("anna")
    assert not user(Scope.WRITE).owns("ben")
    assert user(Scope.ADMIN).owns("ben")


def test_the_audit_trail_names_the_user() -> None:
    assert user().actor == "user:anna"


def test_the_audit_trail_names_who_has_a_number_for_an_id_as_people_do() -> None:
    assert User("1", "mia", frozenset()).actor == "user:mia (1)"


@pytest.mark.parametrize(
    ("user_id", "name", "known"),
    [
        ("anna", "anna", "anna"),
        ("1", "mia", "mia (1)"),
        ("2", "mia", "mia (2)"),
        ("7", "mia (1)", "mia (1) (7)"),
        ("1", "", "1"),
        ("", "mia", "mia"),
        ("", "\u202e", "unknown"),
        ("7", "m\u202ei\x1ba\n", "mia (7)"),
        ("7", "x" * 129, "x" * 128 + " (7)"),
    ],
)
def test_a_user_is_known_by_name_and_by_the_id_that_nobody_else_has(
    user_id: str, name: str, known: str
) -> None:
    assert known_as(user_id, name) == known


@pytest.mark.parametrize("text", ["a", "anna@example.com", "Änne Müller", "x" * 128, "...", "*"])
def test_an_id_is_any_printable_text(text: str) -> None:
    assert check_user_id(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 characters"),
        ("x" * 129, "129 characters"),
        ("a/b", "slash"),
        (" anna", "space"),
        ("anna\n", "cannot be seen"),
        ("a\x00b", "cannot be seen"),
        ("a\u202eb", "cannot be seen"),
        ("\ud800", "cannot be seen"),
        (".", "folder"),
        ("..", "folder"),
        pytest.param("ä" * 128, "256 bytes", id="long"),
    ],
)
def test_an_id_that_could_mean_something_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        check_user_id(text)


@example(".")
@example("..")
@example("\U0001f600" * 128)
@given(st.text(max_size=USER_ID_MAX_CHARS))
def test_whatever_may_be_an_id_names_folders(text: str) -> None:
    with suppress(ConfigurationError):
        user_id = check_user_id(text)
        for key in (dashboard_key(user_id, "ab", ".mp4"), presigned_key(user_id, "ab", ".mp4")):
            assert names_in(key)[1:] == (user_id, "ab.mp4")
        assert len(user_id.encode()) <= FILE_NAME_MAX_BYTES


def test_scopes_are_read_and_written_as_text() -> None:
    assert parse_scopes(" write, read ") == {Scope.READ, Scope.WRITE}
    assert scopes_text(frozenset({Scope.ADMIN, Scope.READ})) == "read,admin"


@pytest.mark.parametrize("text", ["", " , ", "read,root", "READ"])
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no scope"):
        parse_scopes(text)
