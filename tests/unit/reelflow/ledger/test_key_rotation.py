"""A new key: each secret of the ledger is encrypted with it, and opens with it alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import LargeBinary, select, update

from reelflow.ledger import accounts, key_rotation, oauth_states, publications
from reelflow.ledger.cipher import Cipher, generate_key
from reelflow.ledger.key_rotation import SECRETS, Rotation, encrypt_anew
from reelflow.ledger.ledger import Ledger
from reelflow.ledger.models import Account, Base, Post, Publication
from reelflow.services.workspace import Workspace
from tests import factories
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES

NEW = generate_key()


def with_keys(workspace: Workspace, keys: str) -> Ledger:
    return Ledger(workspace.ledger.engine, Cipher(keys), now=workspace.ledger.now)


@pytest.fixture
def stored(workspace: Workspace, make_post: Callable[..., Post]) -> Workspace:
    """A workspace with each kind of secret, of the old key."""
    account = factories.make_account(workspace, "acme")
    factories.make_account(workspace, "north", access_token="act.of-north")
    post = make_post(account)
    now = workspace.ledger.now()
    with workspace.ledger.write() as session:
        accounts.save(
            session, workspace.ledger.cipher, open_id=account.open_id, name="acme", now=now,
            tokens=accounts.TokenSet("act.of-acme", refresh_token="rft.of-acme"),
        )  # fmt: skip
        publication = Publication(
            post_id=post.id, ordinal=1, state="SENT", publish_id="p~1", size_bytes=5,
            chunk_size_bytes=5, total_chunks=1, created_at=now,
        )  # fmt: skip
        publications.store_upload_url(publication, workspace.ledger.cipher, "https://up/1")
        session.add(publication)
        pending = oauth_states.PendingConnection("acme", "https://here", "verifier")
        oauth_states.remember(
            session, workspace.ledger.cipher, "state", pending,
            now=now, expires_at=now + timedelta(minutes=5),
        )  # fmt: skip
    return workspace


def test_every_column_with_a_secret_is_known() -> None:
    secret = {
        (column.table.name, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert {(str(one.table), one.key) for one in SECRETS} == secret


def test_after_a_rotation_the_new_key_alone_opens_everything(
    stored: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rotation, "_ROWS_AT_ONCE", 1)  # a ledger of more than one page
    both = with_keys(stored, f"{NEW},{factories.FERNET_KEY}")
    assert encrypt_anew(both) == Rotation(renewed=5)
    assert encrypt_anew(both) == Rotation(current=5)
    alone = with_keys(stored, NEW)
    with alone.write() as session:
        acme, north = accounts.list_all(session)
        assert accounts.refresh_token(acme, alone.cipher) == "rft.of-acme"
        assert accounts.access_token(north, alone.cipher) == "act.of-north"
        publication = session.scalars(select(Publication)).one()
        assert publications.upload_url(publication, alone.cipher) == "https://up/1"
        pending = oauth_states.take(session, alone.cipher, "state", now=stored.ledger.now())
        assert pending is not None
        assert pending.code_verifier == "verifier"


def test_what_no_key_opens_stays_as_it_is_and_is_counted(stored: Workspace) -> None:
    foreign = Cipher(generate_key()).encrypt("a token", bound_to="x")
    with stored.ledger.write() as session:
        north = update(Account).where(Account.name == "north")
        session.execute(north.values(access_token_encrypted=foreign))
    both = with_keys(stored, f"{NEW},{factories.FERNET_KEY}")
    assert encrypt_anew(both) == Rotation(renewed=4, unreadable=1)
    with both.read() as session:
        kept = session.scalars(select(Account).where(Account.name == "north")).one()
        assert kept.access_token_encrypted == foreign
