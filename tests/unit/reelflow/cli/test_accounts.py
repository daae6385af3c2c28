import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from reelflow.domain.publication import MediaSource
from reelflow.ledger import accounts
from reelflow.ledger.models import Account
from reelflow.services.accounts.enrolment import store_access
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.unit.reelflow.cli.conftest import Run

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def connect(workspace: Workspace, name: str = "brand") -> Account:
    """Store an account as a consent does."""
    tokens = accounts.TokenSet(
        "act.secret",
        NOON,
        "rft.secret",
        NOON + timedelta(days=364),
        frozenset({"video.publish", "video.list"}),
    )
    stored = store_access(
        workspace,
        open_id="open-brand",
        name=name,
        tokens=tokens,
        video_source=MediaSource.PULL_FROM_URL,
        actor="tests",
    )
    with workspace.ledger.write() as session:
        account = accounts.get(session, stored.account.id)
        account.username, account.display_name = "brand.official", "The [bold]Brand"
    return stored.account


def test_list_as_json_says_all_of_an_account_but_its_tokens(run: Run, workspace: Workspace) -> None:
    account = connect(workspace)
    result = run("accounts", "list", "--json")
    assert json.loads(result.stdout) == [
        {
            "name": "brand",
            "open_id": "open-brand",
            "username": "brand.official",
            "display_name": "The [bold]Brand",
            "scopes": ["video.list", "video.publish"],
            "revoked": False,
            "revoked_because": None,
            "access_token_expires_at": "2027-03-01T12:00:00+00:00",
            "is_renewable": True,
            "refresh_token_expires_at": "2028-02-28T12:00:00+00:00",
            "video_source": "pull",
            "inbox_privacy_level": None,
            "analysis_policy": "ignore",
            "analysis_engine": "provenance",
            "analysis_model_type": "provenance",
            "approval_policy": "on-request",
            "approval_timeout_h": None,
            "approval_on_timeout": "hold",
            "inbox": str(data_folder(workspace).inbox / "brand"),
        }
    ]
    assert account.access_token_encrypted.decode() not in result.stdout
    assert "secret" not in result.stdout


def test_list_as_json_says_what_is_not_known_of_one_added_by_hand(
    run: Run, account: Account
) -> None:
    [row] = json.loads(run("accounts", "list", "--json").stdout)
    assert (row["name"], row["inbox_privacy_level"]) == ("acme", "SELF_ONLY")
    assert (row["scopes"], row["username"], row["access_token_expires_at"]) == (None, None, None)
    assert row["is_renewable"] is False


def test_list_is_a_table_of_the_accounts(
    run: Run, make_account: Callable[..., Account], workspace: Workspace
) -> None:
    make_account("acme")
    quiet = make_account("quiet", inbox_privacy_level=None)
    mark_revoked(workspace, quiet.id, why="the creator left", actor="tests")
    connect(workspace)
    result = run("accounts", "list")
    lines = result.stdout.splitlines()
    [acme] = [line for line in lines if line.startswith(" acme")]
    [brand] = [line for line in lines if line.startswith(" brand")]
    [second] = [line for line in lines if line.startswith(" quiet")]
    assert "SELF_ONLY" in acme
    assert "granted" in acme
    assert "@brand.official" in brand
    assert "pull" in result.stdout
    assert "video.publish" in result.stdout
    assert "renewed to 2028-02-28" in result.stdout
    assert "none: held" in second
    assert "revoked: the creator" in second


def test_no_accounts_are_said_so(run: Run) -> None:
    assert "`reelflow accounts connect NAME`" in run("accounts", "list").stdout
    assert run("accounts", "list", "--json").stdout == "[]\n"
