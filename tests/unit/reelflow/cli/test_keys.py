"""``reelflow keys``: a key is shown once, listed without its secret, and revoked for good."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from reelflow.exceptions import UnauthenticatedError
from reelflow.services.api_keys import authenticate_key
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.unit.reelflow.cli.conftest import Run


def test_a_new_key_is_alone_on_stdout_and_works(run: Run, workspace: Workspace) -> None:
    made = run("keys", "create", "anna", "--name", "uploader", "--scope", "read")
    token = made.stdout.removesuffix("\n")
    user = authenticate_key(workspace, token)
    assert (user.id, user.name, sorted(user.scopes)) == ("anna", "anna", ["read"])
    key_id = token.split("_")[1]
    assert made.stderr == f"Key {key_id} of anna may read; `reelflow keys revoke {key_id}`.\n"


def test_a_key_may_write_unless_told_otherwise(run: Run, workspace: Workspace) -> None:
    token = run("keys", "create", "anna").stdout.strip()
    assert sorted(authenticate_key(workspace, token).scopes) == ["write"]


def test_a_key_can_have_an_end(run: Run, workspace: Workspace, clock: Clock) -> None:
    token = run("keys", "create", "anna", "--days", 2).stdout.strip()
    clock.advance(timedelta(days=1))
    authenticate_key(workspace, token)
    clock.advance(timedelta(days=1))
    with pytest.raises(UnauthenticatedError):
        authenticate_key(workspace, token)


def test_keys_are_listed_without_what_is_secret(run: Run) -> None:
    token = run("keys", "create", "anna", "--name", "uploader").stdout.strip()
    run("keys", "create", "ben", "--scope", "admin", "--days", 3)
    _, key_id, secret = token.split("_", 2)
    shown = run("keys", "list").stdout
    assert key_id in shown
    assert "uploader" in shown
    assert "never" in shown
    rows = json.loads(run("keys", "list", "--json").stdout)
    assert [(row["user_id"], row["scopes"]) for row in rows] == [
        ("anna", ["write"]),
        ("ben", ["admin"]),
    ]
    assert (rows[0]["state"], rows[0]["created_by"]) == ("works", "person:mia")
    assert rows[1]["state"].startswith("until ")
    assert secret not in shown + json.dumps(rows)
    (row,) = json.loads(run("keys", "list", "--user", "ben", "--json").stdout)
    assert row["user_id"] == "ben"


def test_a_revoked_key_works_no_more_and_stays_in_the_list(run: Run, workspace: Workspace) -> None:
    token = run("keys", "create", "anna").stdout.strip()
    key_id = token.split("_")[1]
    assert run("keys", "revoke", key_id).stdout == f"Key {key_id} of anna works no more.\n"
    with pytest.raises(UnauthenticatedError):
        authenticate_key(workspace, token)
    (row,) = json.loads(run("keys", "list", "--json").stdout)
    assert row["state"] == "revoked"


def test_without_keys_the_first_is_explained(run: Run) -> None:
    assert "reelflow keys create" in run("keys", "list").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "an/na"), "slash"),
        (("create", "anna", "--scope", "root"), "root"),
        (("create", "anna", "--days", "0"), "--days"),
        (("revoke", "nothing"), "reelflow keys list"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_done(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    result = run("keys", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert json.loads(run("keys", "list", "--json").stdout) == []
