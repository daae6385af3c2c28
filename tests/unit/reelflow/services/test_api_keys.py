from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from reelflow.domain.user import Scope
from reelflow.exceptions import ConfigurationError, UnauthenticatedError
from reelflow.ledger import api_keys as ledger_keys
from reelflow.ledger.intake_models import ApiKey
from reelflow.services.api_keys import authenticate_key, create_key, revoke_key
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

WRITE = frozenset({Scope.WRITE})


def make_key(workspace: Workspace, user_id: str = "anna") -> tuple[ApiKey, str]:
    return create_key(workspace, user_id, "uploader", WRITE, None, "tests")


def stored(workspace: Workspace, key_id: str) -> ApiKey:
    with workspace.ledger.read() as session:
        row = ledger_keys.get(session, key_id)
    assert row is not None
    return row


def test_a_key_stands_for_its_user_with_its_scopes(workspace: Workspace) -> None:
    row, token = make_key(workspace)
    assert re.fullmatch(rf"rfk_{row.id}_[A-Za-z0-9_-]{{43}}", token)
    user = authenticate_key(workspace, token)
    assert (user.id, user.name, user.scopes) == ("anna", "anna", WRITE)


def test_the_key_itself_is_stored_nowhere(workspace: Workspace) -> None:
    row, token = make_key(workspace)
    secret = token.removeprefix(f"rfk_{row.id}_")
    with workspace.ledger.read() as session:
        (kept,) = session.execute(text("SELECT * FROM api_keys"))
    assert not [value for value in kept if secret in str(value)]


def test_no_two_keys_are_alike(workspace: Workspace) -> None:
    tokens = {make_key(workspace)[1] for _ in range(5)}
    assert len(tokens) == 5


def test_what_is_not_the_key_is_refused(workspace: Workspace) -> None:
    row, token = make_key(workspace)
    _, other = make_key(workspace)
    wrong = [
        "",
        "rfk_",
        token[:-1],
        token + "x",
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        f"rfk_{row.id}_{other.rsplit('_', 1)[-1][:43].ljust(43, 'A')}",
        f"rfk_{'0' * 12}_{token[-43:]}",
        token.upper(),
        f" {token}",
        f"{token}\n",
        "rfk_' OR 1=1 --",
    ]
    for one in wrong:
        with pytest.raises(UnauthenticatedError) as refused:
            authenticate_key(workspace, one)
        assert refused.value.code == "unauthenticated"
        assert token not in str(refused.value)


def test_a_revoked_key_works_no_more_and_stays_revoked(workspace: Workspace, clock: Clock) -> None:
    row, token = make_key(workspace)
    _, other = make_key(workspace)
    when = clock()
    assert revoke_key(workspace, row.id).revoked_at == when
    clock.advance(timedelta(hours=1))
    assert revoke_key(workspace, row.id).revoked_at == when
    with pytest.raises(UnauthenticatedError):
        authenticate_key(workspace, token)
    authenticate_key(workspace, other)


def test_a_key_works_until_it_expires(workspace: Workspace, clock: Clock) -> None:
    hour = timedelta(hours=1)
    _, token = create_key(workspace, "anna", "", WRITE, clock() + hour, "tests")
    clock.advance(hour - timedelta(seconds=1))
    authenticate_key(workspace, token)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(UnauthenticatedError):
        authenticate_key(workspace, token)


def test_when_it_was_last_used_is_written_once_a_minute(workspace: Workspace, clock: Clock) -> None:
    row, token = make_key(workspace)
    assert stored(workspace, row.id).last_used_at is None
    first = clock()
    authenticate_key(workspace, token)
    clock.advance(timedelta(seconds=59))
    authenticate_key(workspace, token)
    assert stored(workspace, row.id).last_used_at == first
    later = clock.advance(timedelta(seconds=1))
    authenticate_key(workspace, token)
    assert stored(workspace, row.id).last_used_at == later


def test_a_key_that_could_never_work_is_not_made(workspace: Workspace, clock: Clock) -> None:
    with pytest.raises(ConfigurationError, match="still to come"):
        create_key(workspace, "anna", "", WRITE, clock(), "tests")
    with pytest.raises(ConfigurationError, match="without scopes"):
        create_key(workspace, "anna", "", frozenset(), None, "tests")
    with pytest.raises(ConfigurationError, match="user's id"):
        create_key(workspace, "an/na", "", WRITE, None, "tests")
    with workspace.ledger.read() as session:
        assert ledger_keys.listed(session) == []


def test_a_name_is_cleaned_and_a_missing_one_is_the_users(workspace: Workspace) -> None:
    assert create_key(workspace, "anna", "a\x1b[31m\nb", WRITE, None, "tests")[0].name == "a[31mb"
    assert create_key(workspace, "anna", "", WRITE, None, "tests")[0].name == "anna"


def test_keys_are_listed_by_user_oldest_first(workspace: Workspace, clock: Clock) -> None:
    made = []
    for user_id in ("ben", "anna", "ben"):
        made.append(make_key(workspace, user_id)[0].id)
        clock.advance(timedelta(seconds=1))
    with workspace.ledger.read() as session:
        assert [row.id for row in ledger_keys.listed(session)] == made
        assert [row.id for row in ledger_keys.listed(session, user_id="ben")] == made[::2]


def test_a_key_that_is_not_there_cannot_be_revoked(workspace: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="reelflow keys list"):
        revoke_key(workspace, "0" * 12)
