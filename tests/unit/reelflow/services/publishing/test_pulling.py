"""Posts that TikTok fetches itself: COMMITTING before the init, and never asked for twice."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reelflow.domain.post import PostKind, PostMode, PostState
from reelflow.domain.publication import MediaSource, PublicationState
from reelflow.exceptions import (
    ConfigurationError,
    LeaseLostError,
    LedgerLockedError,
    PostFailedError,
    PostHeldError,
    ReelflowError,
    SourceChangedError,
    TikTokAuthError,
    TikTokRateLimitedError,
    TikTokRejectedError,
    TikTokUnreachableError,
)
from reelflow.ledger import accounts, publications
from reelflow.ledger.models import Account, Media, Post, Publication
from reelflow.services.accounts.enrolment import store_access
from reelflow.services.cleanup import announcement
from reelflow.services.intake.prepare import validate
from reelflow.services.publishing.public_media import PUBLIC_MEDIA_PATH
from reelflow.services.publishing.pull_journal import PullJournal
from reelflow.services.publishing.pulling import Puller, is_pulled
from reelflow.services.steering import commands
from reelflow.services.steering.resolving import resolve_not_published
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.models import InitAnswer
from reelflow.tiktok.oauth import OAuthClient
from tests.data_folder import data_folder
from tests.database_faults import before_statement, impatient, locked_at
from tests.factories import Clock, account_clients, change_post, read_post
from tests.photo_files import give_copy, image, make_photo_post, media_of
from tests.token_server import token_server
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

P = PublicationState
MakePost = Callable[..., Post]
BASE = "https://reelflow.example.com"
CREATOR = {"privacy_level_options": ["SELF_ONLY"], "max_video_post_duration_sec": 60}
OPENED = ok({"publish_id": "p_pub_url~v2.9"})


@pytest.fixture
def public(workspace: Workspace) -> Workspace:
    return replace(workspace, rules=replace(workspace.rules, public_url=BASE))


def journal_of(workspace: Workspace, post: Post) -> PullJournal:
    return PullJournal(workspace, post.id, actor="tests", fencing_token=post.fencing_token)


def pull(workspace: Workspace, address: str, post: Post, oauth: OAuthClient | None = None) -> None:
    with TikTokClient(host=f"http://{address}") as client:
        account_client = account_clients(workspace, client, oauth).of(post.account_id)
        now = read_post(workspace, post.id)
        Puller(workspace, account_client, journal_of(workspace, now), now).run()


def refused(status: int, code: str) -> bytes:
    body = {"error": {"code": code, "message": "no", "log_id": "1"}}
    return http(status, json.dumps(body).encode())


def paths(server: ScriptedServer) -> list[str]:
    return [one.line.split()[1].removeprefix("/v2/post/publish") for one in server.received]


def body_of_init(server: ScriptedServer) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(server.received[-1].body)
    return body


def history(workspace: Workspace, post: Post) -> list[Publication]:
    with workspace.ledger.read() as session:
        return list(publications.of_post(session, post.id))


def test_photos_are_opened_with_one_signed_url_each_and_are_processing_then(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(
        public,
        account,
        state=PostState.UPLOADING,
        title="Lake",
        caption="Hi",
        auto_add_music=True,
        photo_cover_index=1,
    )
    server.answers = [ok(CREATOR), OPENED]
    pull(public, server.address, post)
    assert paths(server) == ["/creator_info/query/", "/content/init/"]
    body = body_of_init(server)
    assert (body["media_type"], body["post_mode"]) == ("PHOTO", "DIRECT_POST")
    info = {"title": "Lake", "description": "Hi", "auto_add_music": True}
    assert info.items() <= body["post_info"].items()
    assert body["source_info"]["photo_cover_index"] == 1
    starts = [f"{BASE}{PUBLIC_MEDIA_PATH}/{media.id}/" for media in media_of(public, post)]
    urls = body["source_info"]["photo_images"]
    assert all(url.startswith(start) for url, start in zip(urls, starts, strict=True))
    (publication,) = history(public, post)
    assert (publication.state, publication.source) == (P.SENT, MediaSource.PULL_FROM_URL)
    assert publication.publish_id == "p_pub_url~v2.9"
    assert publication.size_bytes == sum(media.size_bytes for media in media_of(public, post))
    assert read_post(public, post.id).state is PostState.PROCESSING


def test_photos_of_a_draft_are_opened_without_asking_what_the_creator_may(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(
        public, account, state=PostState.UPLOADING, mode=PostMode.DRAFT, privacy_level=None
    )
    server.answers = [OPENED]
    pull(public, server.address, post)
    assert paths(server) == ["/content/init/"]
    assert body_of_init(server)["post_mode"] == "MEDIA_UPLOAD"


@pytest.mark.parametrize(
    ("mode", "calls"),
    [
        (PostMode.DIRECT, ["/creator_info/query/", "/video/init/"]),
        (PostMode.DRAFT, ["/inbox/video/init/"]),
    ],
)
def test_a_video_is_pulled_too(
    public: Workspace,
    account: Account,
    make_post: MakePost,
    server: ScriptedServer,
    mode: PostMode,
    calls: list[str],
) -> None:
    post = make_post(account, state=PostState.UPLOADING, mode=mode)
    server.answers = [*([ok(CREATOR)] if mode is PostMode.DIRECT else []), OPENED]
    pull(public, server.address, post)
    assert paths(server) == calls
    source = body_of_init(server)["source_info"]
    assert source["source"] == "PULL_FROM_URL"
    assert source["video_url"].startswith(f"{BASE}{PUBLIC_MEDIA_PATH}/{post.media_id}/")


def test_the_post_is_committing_before_the_init_is_sent(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING, mode=PostMode.DRAFT)
    journal = journal_of(public, post)
    journal.begin_pull(100)
    (publication,) = history(public, post)
    state = read_post(public, post.id).state
    assert (state, publication.state, publication.publish_id) == ("COMMITTING", "COMMITTING", None)
    with pytest.raises(PostHeldError, match=r"is UNKNOWN: .*the process that asked ended") as lost:
        pull(public, server.address, post)  # a process that comes after one that died
    assert lost.value.code == "init_answer_lost"
    assert server.received == []
    after = read_post(public, post.id)
    assert (after.state, after.reason_code) == (PostState.UNKNOWN, "init_answer_lost")
    assert f"reelflow posts resolve {post.id}" in str(after.fix)
    assert " UTC, `--not-published`" in str(after.fix)
    assert f". To fix: {after.fix}" in str(lost.value)
    assert ".." not in str(lost.value)


@pytest.mark.parametrize("answer", [http(500), http(502, b"<html>"), http(200, b"not json")])
def test_an_answer_that_is_lost_or_unclear_makes_the_post_unknown(
    public: Workspace, account: Account, server: ScriptedServer, answer: bytes
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING)
    server.answers = [ok(CREATOR), answer]
    with pytest.raises(PostHeldError) as lost:
        pull(public, server.address, post)
    assert lost.value.code == "init_answer_lost"
    (publication,) = history(public, post)
    state = read_post(public, post.id).state
    assert (state, publication.state) == (PostState.UNKNOWN, P.COMMITTING)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(403, "url_ownership_unverified"), TikTokRejectedError),
        (refused(429, "rate_limit_exceeded"), TikTokRateLimitedError),
        (refused(401, "scope_not_authorized"), TikTokAuthError),
    ],
)
def test_a_refusal_leads_back_to_where_another_init_is_safe(
    public: Workspace,
    account: Account,
    server: ScriptedServer,
    clock: Clock,
    answer: bytes,
    error: type[ReelflowError],
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING)
    server.answers = [ok(CREATOR), answer]
    with pytest.raises(error):
        pull(public, server.address, post)
    (publication,) = history(public, post)
    assert (publication.state, publication.is_current) == (P.SUPERSEDED, False)
    after = read_post(public, post.id)
    assert (after.state, after.publications_forgiven) == (PostState.UPLOADING, 1)
    server.answers = [ok(CREATOR), OPENED]
    clock.advance(timedelta(minutes=2))
    pull(public, server.address, post)
    assert read_post(public, post.id).state is PostState.PROCESSING


def test_a_tiktok_that_was_not_reached_got_nothing(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING, mode=PostMode.DRAFT)
    server.stop()
    with pytest.raises(TikTokUnreachableError):
        pull(public, server.address, post)
    assert read_post(public, post.id).state is PostState.UPLOADING


def test_the_creators_limits_hold_the_post_before_anything_is_begun(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(
        public, account, state=PostState.UPLOADING, wanted_interactions="comment"
    )
    server.answers = [ok({**CREATOR, "comment_disabled": True})]
    with pytest.raises(PostHeldError) as held:
        pull(public, server.address, post)
    assert held.value.code == "interaction_off"
    assert history(public, post) == []


def test_an_image_that_changed_is_told_before_anything_is_begun(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING)
    second = media_of(public, post)[1]
    os.utime(data_folder(public).path(second.source_path), ns=(0, 1))
    with pytest.raises(SourceChangedError, match=r"trip/2\.jpg changed"):
        pull(public, server.address, post)
    assert (server.received, history(public, post)) == ([], [])


def test_of_what_has_a_copy_the_copy_is_announced_and_measured(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    images = [image("PNG", (300, 300)), image()]
    post = make_photo_post(public, account, state=PostState.UPLOADING, images=images)
    first, second = media_of(public, post)
    copied = give_copy(public, first)
    data_folder(public).path(first.source_path).unlink()  # nothing more is read of it
    server.answers = [ok(CREATOR), OPENED]
    pull(public, server.address, post)
    urls = body_of_init(server)["source_info"]["photo_images"]
    assert [url.rpartition("/")[2] for url in urls] == ["media.jpg", "media.jpg"]
    (publication,) = history(public, post)
    copy_bytes = data_folder(public).path(str(copied.prepared_path)).stat().st_size
    assert publication.size_bytes == copy_bytes + second.size_bytes
    news = announcement(public, change_post(public, post.id, state=PostState.PUBLISHED).id)
    assert news is not None
    assert (news.size_bytes, news.sha256) == (publication.size_bytes, post.sha256)


@pytest.mark.parametrize(
    ("harm", "code"),
    [("deleted", "copy_lost"), ("changed", "copy_lost"), ("never made", "not_publishable")],
)
def test_a_copy_that_is_lost_fails_the_post_and_the_fix_that_is_told_works(
    public: Workspace, account: Account, server: ScriptedServer, harm: str, code: str
) -> None:
    images = [image(), image("PNG", (300, 300))]
    post = make_photo_post(public, account, state=PostState.UPLOADING, images=images)
    media = media_of(public, post)[1]
    if harm != "never made":
        copy = data_folder(public).path(str(give_copy(public, media).prepared_path))
        copy.unlink() if harm == "deleted" else copy.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(PostFailedError, match=f"`reelflow posts retry {post.id}`") as failed:
        pull(public, server.address, post)
    assert failed.value.code == code
    assert (server.received, history(public, post)) == ([], [])
    ended = read_post(public, post.id)
    assert ended.state is PostState.FAILED
    assert media.file_name in str(ended.reason)
    assert "prepared/" not in str(ended.reason)  # where it lies is nothing for its user
    with public.ledger.write() as session:
        session.get_one(Media, media.id).file_name = "trip/2.png"
    commands.retry(public, post.id, actor="person:ann")
    validate(public, post.id, run_id="run", actor="tests")
    change_post(public, post.id, state=PostState.UPLOADING)
    server.answers = [ok(CREATOR), OPENED]
    pull(public, server.address, post)
    assert read_post(public, post.id).state is PostState.PROCESSING


def test_without_a_public_address_nothing_is_begun(
    workspace: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(workspace, account, state=PostState.UPLOADING)
    with pytest.raises(ConfigurationError, match="REELFLOW_PUBLIC_URL"):
        pull(workspace, server.address, post)
    assert (server.received, history(workspace, post)) == ([], [])


def test_what_was_answered_is_asked_no_second_time(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING, mode=PostMode.DRAFT)
    journal_of(public, post).begin_pull(100)
    with public.ledger.write() as session:
        publication = publications.current(session, post.id)
        assert publication is not None
        publication.publish_id = "p_inbox_url~v2.1"  # from a webhook
    pull(public, server.address, post)
    assert server.received == []
    assert read_post(public, post.id).state is PostState.COMMITTING


def test_the_sixth_init_fails_the_post(public: Workspace, account: Account) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING)
    for _ in range(5):
        journal_of(public, post).begin_pull(100)
        journal_of(public, post).refused_pull("it was not opened")
    change_post(public, post.id, publications_forgiven=0)
    with pytest.raises(PostFailedError) as failed:
        journal_of(public, post).begin_pull(100)
    assert failed.value.code == "too_many_publications"


def test_what_tiktok_answered_is_written_down_whoever_holds_the_post_by_now(
    public: Workspace, account: Account
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING)
    journal = journal_of(public, post)
    journal.begin_pull(100)
    change_post(public, post.id, fencing_token=post.fencing_token + 1)
    with pytest.raises(LeaseLostError):
        journal.refused_pull("late")
    journal.pulled(InitAnswer("p_pub_url~v2.9", None))
    (publication,) = history(public, post)
    assert (publication.publish_id, publication.state) == ("p_pub_url~v2.9", P.SENT)
    assert read_post(public, post.id).state is PostState.PROCESSING


def test_an_unknown_post_whose_answer_comes_late_keeps_its_id_for_whoever_settles_it(
    public: Workspace, account: Account
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING)
    journal = journal_of(public, post)
    journal.begin_pull(100)
    with pytest.raises(PostHeldError):
        journal_of(public, post).lost_pull("nobody answered")
    journal.pulled(InitAnswer("p_pub_url~v2.9", None))
    (publication,) = history(public, post)
    assert publication.publish_id == "p_pub_url~v2.9"
    assert read_post(public, post.id).state is PostState.UNKNOWN


def test_the_answer_of_an_init_that_a_person_gave_up_goes_to_no_other_publication(
    public: Workspace, account: Account, clock: Clock
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING)
    suspended = journal_of(public, post)
    suspended.begin_pull(100)
    with pytest.raises(PostHeldError):
        journal_of(public, post).lost_pull("nobody answered")
    clock.advance(public.rules.public_url_lifetime)
    resolve_not_published(public, post.id, actor="person:ann")
    commands.retry(public, post.id, actor="person:ann")
    newer = journal_of(public, change_post(public, post.id, state=PostState.UPLOADING))
    newer.begin_pull(100)
    suspended.pulled(InitAnswer("p_pub_url~v2.1", None))
    assert read_post(public, post.id).state is PostState.COMMITTING
    newer.pulled(InitAnswer("p_pub_url~v2.2", None))
    told = [(one.publish_id, one.state) for one in history(public, post)]
    assert told == [("p_pub_url~v2.1", P.FAILED), ("p_pub_url~v2.2", P.SENT)]
    assert read_post(public, post.id).state is PostState.PROCESSING


def test_an_answer_is_written_again_when_the_ledger_was_locked(
    public: Workspace, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING)
    with ExitStack() as other_writer:
        journal = PullJournal(
            impatient(public),
            post.id,
            actor="tests",
            fencing_token=post.fencing_token,
            sleep=lambda _: other_writer.close(),
        )
        journal.begin_pull(100)
        other_writer.enter_context(public.ledger.write())
        journal.pulled(InitAnswer("p_pub_url~v2.9", None))
    assert caplog.text.count("p_pub_url~v2.9, which cannot be written down: ") == 1
    assert read_post(public, post.id).state is PostState.PROCESSING


@pytest.mark.parametrize(
    ("is_sent", "statement", "nth"),
    [
        (False, "WHERE accounts.id = ", 2),  # the token, which was looked up before COMMITTING too
        (True, "BEGIN IMMEDIATE", 3),  # the refusal, after the budgets and COMMITTING
    ],
)
def test_a_ledger_that_is_locked_beside_an_init_that_was_not_carried_out_costs_nothing(
    public: Workspace,
    account: Account,
    server: ScriptedServer,
    is_sent: bool,
    statement: str,
    nth: int,
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING, mode=PostMode.DRAFT)
    server.answers = [refused(429, "rate_limit_exceeded")]
    with locked_at(public, statement, nth=nth), pytest.raises(LedgerLockedError):
        pull(public, server.address, post)
    assert len(server.received) == is_sent
    (publication,) = history(public, post)
    state = read_post(public, post.id).state
    assert (state, publication.state) == (PostState.UPLOADING, P.SUPERSEDED)


def test_a_token_is_renewed_before_the_post_is_committing(
    public: Workspace, account: Account, server: ScriptedServer, clock: Clock
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING, mode=PostMode.DRAFT)
    server.answers = [OPENED]
    expired = accounts.TokenSet("act.0", clock() - timedelta(hours=1), "rft.0")
    store_access(public, open_id=account.open_id, name="acme", tokens=expired, actor="tests")
    with token_server() as tokens, tokens.client() as oauth:
        tokens.scripted = [(503, b"")]
        with pytest.raises(TikTokUnreachableError):
            pull(public, server.address, post, oauth)
        assert history(public, post) == []
        pull(public, server.address, post, oauth)
    assert tokens.refreshes == 1
    (publication,) = history(public, post)
    assert publication.state is P.SENT


def in_child(work: Callable[[], None]) -> None:
    """Run something in another process that is killed where it stands."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_a_process_killed_before_the_answer_was_written_leaves_no_second_init(
    public: Workspace, account: Account, server: ScriptedServer
) -> None:
    post = make_photo_post(public, account, state=PostState.UPLOADING, mode=PostMode.DRAFT)
    server.answers = [OPENED]

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def pull_and_die() -> None:
        with before_statement(public, "publish_id=?", die):
            pull(public, server.address, post)

    in_child(pull_and_die)
    with pytest.raises(PostHeldError):
        pull(public, server.address, post)
    assert paths(server) == ["/content/init/"]
    assert read_post(public, post.id).state is PostState.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "setting", "begun", "pulled"),
    [
        (PostKind.PHOTO, "FILE_UPLOAD", None, True),
        (PostKind.VIDEO, "FILE_UPLOAD", None, False),
        (PostKind.VIDEO, "PULL_FROM_URL", None, True),
        (PostKind.VIDEO, "PULL_FROM_URL", (P.UPLOADING, "FILE_UPLOAD"), False),
        (PostKind.VIDEO, "PULL_FROM_URL", (P.FAILED, "FILE_UPLOAD"), True),
        (PostKind.VIDEO, "FILE_UPLOAD", (P.COMMITTING, "PULL_FROM_URL"), True),
    ],
)
def test_what_was_begun_one_way_goes_on_so(
    kind: PostKind, setting: str, begun: tuple[P, str] | None, pulled: bool
) -> None:
    post = Post(kind=kind, account=Account(video_source=MediaSource(setting)))
    publication = begun and Publication(state=begun[0], source=MediaSource(begun[1]))
    assert is_pulled(post, publication) is pulled
