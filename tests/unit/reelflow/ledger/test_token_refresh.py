"""One claim to refresh at a time, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from reelflow.ledger import accounts, token_refresh
from reelflow.ledger.models import Account
from reelflow.services.workspace import Workspace
from tests.factories import Clock
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

LEASE = timedelta(minutes=2)


def claim(workspace: Workspace, account: Account, *, version: int | None = None) -> bool:
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        return token_refresh.claim_refresh(
            session,
            account.id,
            token_version=account.token_version if version is None else version,
            now=now,
            until=now + LEASE,
        )


def test_of_many_that_claim_at_once_one_gets_it(workspace: Workspace, account: Account) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda _: claim(workspace, account), range(8)))
    assert sorted(won) == [False] * 7 + [True]


def test_a_claim_ends_by_its_time_by_being_given_back_and_by_new_tokens(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    assert claim(workspace, account)
    assert not claim(workspace, account)
    clock.advance(LEASE)
    assert claim(workspace, account)
    with workspace.ledger.write() as session:
        token_refresh.end_claim(session, account.id, claimed_until=clock() + LEASE, until=clock())
    assert claim(workspace, account)
    with workspace.ledger.write() as session:
        assert token_refresh.store_refreshed(
            session,
            workspace.ledger.cipher,
            account.id,
            accounts.TokenSet("act.new"),
            token_version=account.token_version,
            now=clock(),
        )
    assert not claim(workspace, account)  # its tokens are gone
    assert claim(workspace, account, version=account.token_version + 1)


def test_somebody_elses_claim_is_not_given_back(
    workspace: Workspace, account: Account, clock: Clock
) -> None:
    claim(workspace, account)
    mine = clock() + LEASE
    clock.advance(LEASE)
    claim(workspace, account)
    with workspace.ledger.write() as session:
        token_refresh.end_claim(session, account.id, claimed_until=mine, until=clock())
    assert not claim(workspace, account)


def test_a_revoked_account_is_not_refreshed(workspace: Workspace, account: Account) -> None:
    with workspace.ledger.write() as session:
        accounts.get(session, account.id, lock=True).revoked = True
    assert not claim(workspace, account)
