"""Accounts: who they are on TikTok, their folder, their tokens."""

from typing import Any

import pytest

from reelflow.domain.post import PrivacyLevel
from reelflow.exceptions import AccountNotFoundError, ConfigurationError
from reelflow.ledger import accounts
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def save(
    workspace: Workspace, open_id: str, name: str, access_token: str = "act.1", **more: Any
) -> Account:
    ledger = workspace.ledger
    with ledger.write() as session:
        return accounts.save(
            session,
            ledger.cipher,
            open_id=open_id,
            name=name,
            now=ledger.now(),
            **{"tokens": accounts.TokenSet(access_token), **more},
        )


def test_an_account_is_who_its_open_id_says_so_reconnecting_finds_the_same_row(
    workspace: Workspace,
) -> None:
    first = save(workspace, "o1", "acme", inbox_privacy_level=PrivacyLevel.SELF_ONLY)
    again = save(workspace, "o1", "acme-renamed", access_token="act.2")
    assert again.id == first.id
    with workspace.ledger.read() as session:
        (kept,) = accounts.list_all(session)
    assert kept.name == "acme-renamed"
    assert kept.inbox_privacy_level == "SELF_ONLY"
    assert accounts.access_token(kept, workspace.ledger.cipher) == "act.2"


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("access_token_encrypted", "access_token_encrypted"),
        ("access_token_encrypted", "refresh_token_encrypted"),
        ("refresh_token_encrypted", "refresh_token_encrypted"),
        ("refresh_token_encrypted", "access_token_encrypted"),
    ],
)
def test_a_token_that_was_stored_for_another_account_is_not_read(
    workspace: Workspace, column: str, other: str
) -> None:
    cipher = workspace.ledger.cipher
    first, second = (
        save(workspace, open_id, name, tokens=accounts.TokenSet(f"act.{name}", None, f"rft.{name}"))
        for open_id, name in (("o1", "acme"), ("o2", "north"))
    )
    setattr(first, column, getattr(second, other))
    read = accounts.refresh_token if column.startswith("refresh") else accounts.access_token
    with pytest.raises(ConfigurationError, match="token of account acme is not what was") as found:
        read(first, cipher)
    assert found.value.code == "secret_misplaced"
    assert "north" not in str(found.value)


def test_an_access_token_is_no_refresh_token_of_the_same_account(workspace: Workspace) -> None:
    account = save(workspace, "o1", "acme")
    account.refresh_token_encrypted = account.access_token_encrypted
    with pytest.raises(ConfigurationError, match="the refresh token of account acme is not what"):
        accounts.refresh_token(account, workspace.ledger.cipher)


def test_a_name_belongs_to_one_account(workspace: Workspace) -> None:
    save(workspace, "o1", "acme")
    with pytest.raises(ConfigurationError, match="'acme' belongs to another TikTok account"):
        save(workspace, "o2", "acme")


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../a", "A", "a b", "é", "a\n", "-a", "a" * 65]
)
def test_a_name_that_cannot_be_a_folder_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a folder"):
        save(workspace, "o1", name)


@pytest.mark.parametrize("name", ["a", "0", "acme.co_uk-2", "a" * 64])
def test_plain_names_are_taken(workspace: Workspace, name: str) -> None:
    assert save(workspace, "o1", name).name == name


def test_an_unknown_name_is_answered_with_those_that_exist(workspace: Workspace) -> None:
    with (
        workspace.ledger.read() as session,
        pytest.raises(AccountNotFoundError, match=r"none yet.*`reelflow accounts connect`"),
    ):
        accounts.by_name(session, "acme")
    save(workspace, "o1", "beta")
    save(workspace, "o2", "alpha")
    with (
        workspace.ledger.read() as session,
        pytest.raises(AccountNotFoundError, match=r"'acme' \(accounts: alpha, beta\)"),
    ):
        accounts.by_name(session, "acme")


def test_saving_again_ends_a_revocation(workspace: Workspace) -> None:
    account = save(workspace, "o1", "acme")
    with workspace.ledger.write() as session:
        session.get_one(Account, account.id).revoked = True
    assert not save(workspace, "o1", "acme").revoked


def test_a_token_never_shows_in_the_account(workspace: Workspace) -> None:
    account = save(workspace, "o1", "acme", access_token="act.secret")
    assert "act.secret" not in repr(vars(account))


def test_accounts_are_found_by_their_names_at_once_unless_one_is_none(
    workspace: Workspace,
) -> None:
    saved = {name: save(workspace, name, name).id for name in ("acme", "other", "third")}
    with workspace.ledger.read() as session:
        found = accounts.by_names(session, {"acme", "third"})
        assert {name: account.id for name, account in found.items()} == {
            name: saved[name] for name in ("acme", "third")
        }
        assert accounts.by_names(session, []) == {}
        with pytest.raises(AccountNotFoundError, match="no account is called 'nobody'"):
            accounts.by_names(session, ["acme", "nobody"])
