"""Hostile and broken input on a post's way: an error that names the fix, and then it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from reelflow.domain.post import DONE, PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.domain.schedule import NormalRun
from reelflow.exceptions import (
    ConfigurationError,
    MediaRejectedError,
    PostFailedError,
    PostHeldError,
    TikTokUnavailableError,
)
from reelflow.ledger import accounts, publications
from reelflow.ledger.cipher import Cipher
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.discover import find_new_uploads
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.steering.commands import retry
from reelflow.services.workspace import Workspace
from tests import factories, media_files
from tests.data_folder import data_folder
from tests.integration.publisher import OWNER, RUN, Publisher, three_chunks
from tests.integration.runs import (
    add_connected_account,
    assert_delivered_once,
    let_runs_pass,
    reconnect,
)
from tests.integration.simulator_process import Simulator

AURORA = "/accounts/aurora.kitchen"


@pytest.fixture
def publisher(
    workspace: Workspace, clock: factories.Clock, simulator: Simulator
) -> Iterator[Publisher]:
    """An account whose tokens can be renewed, until somebody removes the app."""
    account = add_connected_account(workspace, simulator)
    with simulator.oauth_client() as oauth:
        yield Publisher(workspace, clock, simulator, account, oauth=oauth)


def change_publication(publisher: Publisher, post: Post, **values: Any) -> None:
    """Change the current publication behind the back of the services."""
    with publisher.workspace.ledger.write() as session:
        publication = session.get_one(Publication, publisher.current(post).id)
        for name, value in values.items():
            setattr(publication, name, value)


def interrupt(publisher: Publisher, *, chunk: int = 1) -> Post:
    """Return a post whose upload failed on the way, and may go on at once."""
    publisher.simulator.fault("put", status=503, chunk=chunk, times=2)
    post = publisher.make_post(three_chunks())
    with pytest.raises(TikTokUnavailableError):
        publisher.upload(post)
    publisher.clock.set(max(publisher.read(post).due_at, publisher.clock()))
    return post


def take_in(publisher: Publisher) -> list[Post]:
    """Bring what lies in the inbox to where it may be uploaded, as a run does."""
    workspace = publisher.workspace
    run = NormalRun(RUN, workspace.ledger.now(), workspace.rules.max_lateness)
    found = find_new_uploads(workspace, run, actor=OWNER)
    taken = []
    for entry in found:
        validate(workspace, entry.post_id, run_id=RUN, actor=OWNER)
        extract_metadata(workspace, entry.post_id, run_id=RUN)
        generate_thumbnail(workspace, entry.post_id, run_id=RUN, actor=OWNER)
        taken.append(factories.read_post(workspace, entry.post_id))
    return taken


def is_told_to_connect(post: Post) -> bool:
    return post.state in DONE | {PostState.HELD, PostState.PROCESSING, PostState.COMMITTING}


def why_unsettled(publisher: Publisher, post: Post) -> str:
    return publisher.sweep(run_id=RUN).still_unsettled.get(post.id, "")


def account_of(publisher: Publisher) -> Account:
    with publisher.workspace.ledger.read() as session:
        return session.get_one(Account, publisher.account.id)


# Texts.


@pytest.mark.parametrize(
    "caption",
    [
        "e" * 2200,
        "🌱" * 1100,
        "👩‍👩‍👧‍👦 e\u0301 \u200f\u202bشكرا לכם\u202c\u2069 #тест \t\n ﷽",  # noqa: RUF001
    ],
)
def test_a_caption_of_2200_units_of_any_script_arrives_as_it_was_written(
    publisher: Publisher, caption: str
) -> None:
    factories.drop(
        publisher.workspace,
        publisher.account,
        "clip.mp4",
        media_files.h264_mp4(),
        {"caption": caption, "privacy_level": "SELF_ONLY"},
    )
    (post,) = take_in(publisher)
    publisher.upload(post)
    (upload,) = publisher.simulator.uploads()
    assert upload["post_info"]["title"] == caption


@pytest.mark.parametrize("caption", ["e" * 2201, "🌱" * 1100 + "!"])
def test_a_caption_of_2201_units_is_refused_before_anything_is_sent(
    publisher: Publisher, caption: str
) -> None:
    factories.drop(
        publisher.workspace,
        publisher.account,
        "clip.mp4",
        media_files.h264_mp4(),
        {"caption": caption, "privacy_level": "SELF_ONLY"},
    )
    with pytest.raises(MediaRejectedError, match="shorten it by 1"):
        take_in(publisher)
    with publisher.workspace.ledger.read() as session:
        (post,) = session.query(Post).all()
    assert post.state is PostState.REJECTED
    assert "2201" in post.reason
    assert "2200" in f"{post.reason} {post.fix}"
    assert publisher.simulator.uploads() == []


# Files.


def test_a_file_of_no_bytes_is_rejected_with_what_to_do(publisher: Publisher) -> None:
    factories.drop(
        publisher.workspace, publisher.account, "clip.mp4", b"", {"privacy_level": "SELF_ONLY"}
    )
    with pytest.raises(MediaRejectedError, match=r"empty|0 bytes"):
        take_in(publisher)
    with publisher.workspace.ledger.read() as session:
        (post,) = session.query(Post).all()
    assert post.state is PostState.REJECTED
    assert post.fix
    assert publisher.simulator.uploads() == []


@pytest.mark.parametrize("damage", ["deleted", "changed"])
def test_a_file_lost_on_the_way_fails_the_post_and_goes_out_once_when_it_is_back(
    publisher: Publisher, damage: str
) -> None:
    post = interrupt(publisher)
    path = data_folder(publisher.workspace).path(post.media.source_path)
    content = path.read_bytes()
    if damage == "deleted":
        path.unlink()
    else:
        path.write_bytes(content[:-1] + b"!")
    with pytest.raises(PostFailedError, match=r"is gone from|changed after it was"):
        publisher.upload(post)
    assert publisher.read(post).fix == "put the file into the inbox again"
    assert publisher.simulator.posts() == []
    again = publisher.make_post(content)
    let_runs_pass(publisher, again)
    assert publisher.read(again).state in DONE
    assert_delivered_once(publisher, again)


# Access.


@pytest.mark.parametrize(
    ("scopes", "mode"),
    [
        (["user.info.basic"], PostMode.DIRECT),
        (["user.info.basic", "video.upload"], PostMode.DIRECT),
        (["user.info.basic", "video.publish"], PostMode.DRAFT),
    ],
)
def test_a_token_without_the_scope_holds_the_post_until_the_account_is_connected_again(
    publisher: Publisher, scopes: list[str], mode: PostMode
) -> None:
    publisher.simulator.steer(AURORA, scopes=scopes)
    post = publisher.make_post(mode=mode)
    with pytest.raises(PostHeldError) as held:
        publisher.upload(post)
    assert held.value.code == "scope_not_authorized"
    after = publisher.read(post)
    assert after.state is PostState.HELD
    assert "reelflow accounts connect aurora" in str(after.fix)
    reconnect(publisher)
    let_runs_pass(publisher, post)
    assert publisher.read(post).state in DONE
    assert_delivered_once(publisher, post)


@pytest.mark.parametrize("fails_under_way", [True, False])
@pytest.mark.parametrize("chunk", [1, -1])
@pytest.mark.parametrize("when", ["before", "after"])
def test_access_that_is_removed_during_an_upload_costs_no_post_and_makes_no_second_one(
    publisher: Publisher, chunk: int, when: str, fails_under_way: bool
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(chunk, when)
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        publisher.simulator.steer(AURORA, remove_authorization=1, fails_under_way=fails_under_way)
        publisher.simulator.release()
        upload.exception()
    codes = let_runs_pass(publisher, post, is_settled=is_told_to_connect)
    told = publisher.read(post)
    assert "accounts connect aurora" in f"{told.fix} {why_unsettled(publisher, post)}", codes
    assert account_of(publisher).revoked
    reconnect(publisher)
    let_runs_pass(publisher, post)
    assert publisher.read(post).state in DONE
    assert_delivered_once(publisher, post)


@pytest.mark.parametrize("fails_under_way", [True, False])
def test_access_that_is_removed_after_the_last_byte_leaves_the_post_to_tiktoks_word(
    publisher: Publisher, fails_under_way: bool
) -> None:
    post = publisher.make_post()
    publisher.upload(post)
    publisher.simulator.steer(AURORA, remove_authorization=1, fails_under_way=fails_under_way)
    publisher.sweep(run_id=RUN)
    assert publisher.read(post).state is PostState.PROCESSING  # nobody can say yet
    assert "accounts connect aurora" in why_unsettled(publisher, post)
    reconnect(publisher)
    let_runs_pass(publisher, post, is_settled=lambda post: post.state in DONE)
    assert_delivered_once(publisher, post)
    assert len(publisher.simulator.uploads()) == (2 if fails_under_way else 1)


# Rows that somebody tampered with.


def test_tokens_of_another_fernet_key_are_one_clear_sentence_and_a_new_consent_mends_it(
    publisher: Publisher,
) -> None:
    other = Cipher(Fernet.generate_key().decode())
    with publisher.workspace.ledger.write() as session:
        account = session.get_one(Account, publisher.account.id)
        tokens = accounts.TokenSet("act.of-another-key", None, "rft.of-another-key")
        accounts.store_tokens(account, other, tokens, now=publisher.workspace.ledger.now())
    post = publisher.make_post()
    with pytest.raises(ConfigurationError, match="connect the account again"):
        publisher.upload(post)
    after = publisher.read(post)
    assert (after.state, after.reason_code) == (PostState.READY, "fernet_key_wrong")
    reconnect(publisher)
    let_runs_pass(publisher, post)
    assert_delivered_once(publisher, post)


def test_a_token_of_another_account_is_never_sent_and_a_new_consent_mends_it(
    publisher: Publisher,
) -> None:
    ledger, other = publisher.workspace.ledger, publisher.simulator.accounts[3]
    assert other["open_id"] != publisher.account.open_id
    with ledger.write() as session:  # what only somebody who can write to the table does
        tokens = accounts.TokenSet(other["access_token"])
        stranger = accounts.save(
            session, ledger.cipher, open_id=other["open_id"], name="other", tokens=tokens,
            now=ledger.now(),
        )  # fmt: skip
        swapped = session.get_one(Account, publisher.account.id)
        swapped.access_token_encrypted = stranger.access_token_encrypted
    post = publisher.make_post()
    with pytest.raises(ConfigurationError, match="is not what was stored for it"):
        publisher.upload(post)
    after = publisher.read(post)
    assert (after.state, after.reason_code) == (PostState.READY, "secret_misplaced")
    assert publisher.simulator.uploads() == []
    reconnect(publisher)
    let_runs_pass(publisher, post)
    assert_delivered_once(publisher, post)


@pytest.mark.parametrize("chunk", [1, -1])
def test_an_upload_url_that_cannot_be_decrypted_is_given_up_with_its_hour(
    publisher: Publisher, chunk: int
) -> None:
    post = interrupt(publisher, chunk=chunk)
    tampered = Cipher(Fernet.generate_key().decode()).encrypt(
        "https://elsewhere.example/upload", bound_to="upload_url"
    )
    change_publication(publisher, post, upload_url_encrypted=tampered)
    with pytest.raises(ConfigurationError, match="REELFLOW_FERNET_KEY is not the key"):
        publisher.upload(post)
    let_runs_pass(publisher, post)
    assert publisher.read(post).state in DONE
    assert_delivered_once(publisher, post)
    assert len(publisher.simulator.uploads()) == 2


def test_a_token_is_never_sent_in_a_header_that_a_tampered_row_splits(
    publisher: Publisher,
) -> None:
    cipher = publisher.workspace.ledger.cipher
    with publisher.workspace.ledger.write() as session:
        account = session.get_one(Account, publisher.account.id)
        split = accounts.TokenSet(
            "act.x\r\nX-Injected: 1", None, accounts.refresh_token(account, cipher)
        )
        accounts.store_tokens(account, cipher, split, now=publisher.workspace.ledger.now())
    post = publisher.make_post()
    let_runs_pass(publisher, post)  # it is refused as TikTok would, and renewed
    assert_delivered_once(publisher, post)


def test_an_upload_url_of_another_host_gets_no_byte(publisher: Publisher) -> None:
    post = interrupt(publisher)
    cipher = publisher.workspace.ledger.cipher
    with publisher.workspace.ledger.write() as session:
        publication = publications.current(session, post.id)
        assert publication is not None
        url = "https://open-upload.tiktokapis.com.example/upload?upload_id=1"
        publications.store_upload_url(publication, cipher, url)
    with pytest.raises(PostFailedError, match="no byte was sent") as failed:
        publisher.upload(post)
    assert failed.value.code == "upload_url_untrusted"
    assert "upload_id" not in str(failed.value)
    retry(publisher.workspace, post.id, actor="a person")
    let_runs_pass(publisher, post)
    assert publisher.read(post).state in DONE
    assert_delivered_once(publisher, post)


# A publish_id that is not the account's.


def foreign_publish_id(publisher: Publisher) -> str:
    """Return an upload of another creator's, with a file of its own."""
    creator = publisher.simulator.accounts[1]
    other = factories.make_account(
        publisher.workspace,
        "other",
        open_id=creator["open_id"],
        access_token=creator["access_token"],
    )
    theirs = replace(publisher, account=other)
    their_post = theirs.make_post()
    publish_id = theirs.upload(their_post).publish_id
    change_publication(theirs, their_post, publish_id="an id that TikTok never gave")
    return publish_id


def test_someone_elses_publish_id_before_the_last_byte_is_noticed_and_given_up_with_its_hour(
    publisher: Publisher,
) -> None:
    post = interrupt(publisher)
    change_publication(publisher, post, publish_id=foreign_publish_id(publisher))
    with pytest.raises(ConfigurationError, match="the upload URL of post 1 is not what was stored"):
        publisher.upload(post)
    let_runs_pass(publisher, post)
    assert publisher.read(post).state in DONE
    mine = [one for one in publisher.simulator.posts() if one["sha256"] == post.sha256]
    assert len(mine) == 1


def test_someone_elses_publish_id_after_the_last_byte_is_never_posted_again(
    publisher: Publisher,
) -> None:
    post = publisher.make_post()
    publisher.upload(post)
    change_publication(publisher, post, publish_id=foreign_publish_id(publisher))
    assert "belongs to another account" in why_unsettled(publisher, post)
    let_runs_pass(publisher, post)
    after = publisher.read(post)
    assert after.state in DONE | {PostState.UNKNOWN}
    assert after.state in DONE or f"reelflow posts resolve {post.id}" in str(after.fix)
    mine = [one for one in publisher.simulator.posts() if one["sha256"] == post.sha256]
    assert len(mine) == 1


# Clocks.


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10)])
@pytest.mark.parametrize("chunk", [1, -1])
@pytest.mark.parametrize("answer", ["failed", "processing"])
def test_clocks_that_differ_by_ten_minutes_make_no_second_post(
    publisher: Publisher, ahead: timedelta, chunk: int, answer: str
) -> None:
    """The upload stops for a while that is an hour by one clock and is not by the other."""
    publisher.simulator.switch(expired_upload=answer)
    publisher.simulator.advance(3600)  # room for a clock that is behind
    publisher.clock.advance(timedelta(hours=1) + ahead)
    post = interrupt(publisher, chunk=chunk)
    for _ in range(2):
        publisher.pass_time(timedelta(minutes=55))
        publisher.sweep(run_id=RUN)
    let_runs_pass(publisher, post)
    assert publisher.read(post).state in DONE
    assert_delivered_once(publisher, post)


@pytest.mark.parametrize("jump", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_a_clock_that_is_set_right_during_an_upload_makes_no_second_post(
    publisher: Publisher, jump: timedelta
) -> None:
    post = publisher.make_post(three_chunks())
    publisher.simulator.hold(-1, "before")
    with publisher.uploading(post) as upload:
        publisher.simulator.wait_until_held()
        publisher.clock.advance(jump)
        publisher.sweep()  # another machine's
        publisher.simulator.release()
        assert upload.result().state is PostState.PROCESSING
    assert [one.state for one in publisher.publications(post)] == [PublicationState.SENT]
    let_runs_pass(publisher, post)
    assert_delivered_once(publisher, post)
