"""Opening a publication: what is resumed, what is given up, and what is asked before an init."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reelflow.domain.post import PostMode, PostState
from reelflow.domain.publication import PublicationState
from reelflow.exceptions import (
    ConfigurationError,
    PostFailedError,
    PostHeldError,
    TikTokRejectedError,
    TikTokUnavailableError,
)
from reelflow.ledger import accounts, publications
from reelflow.ledger.models import Account, Post, Publication
from reelflow.services.accounts.enrolment import store_access
from reelflow.services.publishing.journal import UploadJournal
from reelflow.services.publishing.opening import PublicationOpener
from reelflow.services.workspace import Workspace
from reelflow.tiktok.client import TikTokClient
from reelflow.tiktok.limits import TikTokLimits
from tests.factories import Clock, account_clients, change_account, read_post
from tests.unit.reelflow.services.publication_factory import make_publication
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

P = PublicationState
MakePost = Callable[..., Post]
LIMITS = TikTokLimits()
CREATOR = ok({"privacy_level_options": ["SELF_ONLY"], "max_video_post_duration_sec": 60})


def opened_at(server: ScriptedServer, publish_id: str = "v_pub_file~v2-1.scripted") -> bytes:
    url = f"http://{server.address}/upload?upload_id=1&upload_token=2"
    return ok({"publish_id": publish_id, "upload_url": url})


def open_publication(
    workspace: Workspace, server: ScriptedServer, post: Post
) -> tuple[Publication, bool]:
    journal = UploadJournal(workspace, post.id, actor="tests", fencing_token=post.fencing_token)
    address = server.address
    with TikTokClient(host=f"http://{address}", extra_upload_hosts=frozenset({address})) as client:
        account_client = account_clients(workspace, client).of(post.account_id)
        return PublicationOpener(workspace, account_client, journal, post, limits=LIMITS).open(
            journal.publication()
        )


def paths(server: ScriptedServer) -> list[str]:
    return [one.line.split()[1].removeprefix("/v2/post/publish") for one in server.received]


def history(workspace: Workspace, post: Post) -> list[PublicationState]:
    with workspace.ledger.read() as session:
        return [one.state for one in publications.of_post(session, post.id)]


def test_the_creator_is_asked_before_a_direct_post_is_opened(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    server.answers = [CREATOR, opened_at(server)]
    publication, is_new = open_publication(workspace, server, post)
    assert (publication.publish_id, publication.state, is_new) == (
        "v_pub_file~v2-1.scripted",
        P.UPLOADING,
        True,
    )
    assert paths(server) == ["/creator_info/query/", "/video/init/"]


@pytest.fixture
def known_post(workspace: Workspace, account: Account, make_post: MakePost) -> Post:
    """A post to open, of a creator who is known as paper.moon."""
    change_account(workspace, account.id, username="paper.moon")
    return make_post(account, state=PostState.UPLOADING)


def creator_called(username: str) -> bytes:
    options = {"privacy_level_options": ["SELF_ONLY"], "max_video_post_duration_sec": 60}
    return ok({"creator_username": username, **options})


def profile_of(open_id: str) -> bytes:
    return ok({"user": {"open_id": open_id}})


def test_a_creator_under_the_known_name_costs_no_further_call(
    workspace: Workspace, known_post: Post, server: ScriptedServer
) -> None:
    server.answers = [creator_called("paper.moon"), opened_at(server)]
    open_publication(workspace, server, known_post)
    assert paths(server) == ["/creator_info/query/", "/video/init/"]


def test_a_creator_whose_name_is_not_known_yet_is_known_by_it_from_then_on(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    server.answers = [creator_called("paper.moon"), opened_at(server)]
    open_publication(workspace, server, post)
    assert paths(server) == ["/creator_info/query/", "/video/init/"]
    assert read_post(workspace, post.id).account.username == "paper.moon"


def test_a_creator_who_took_another_name_is_known_by_it_from_then_on(
    workspace: Workspace, account: Account, known_post: Post, server: ScriptedServer
) -> None:
    renamed, same = creator_called("new.moon"), profile_of(account.open_id)
    server.answers = [renamed, same, opened_at(server)]
    open_publication(workspace, server, known_post)
    assert paths(server) == [
        "/creator_info/query/",
        "/v2/user/info/?fields=open_id",
        "/video/init/",
    ]
    assert read_post(workspace, known_post.id).account.username == "new.moon"


@pytest.mark.parametrize(
    ("answer", "because"),
    [
        (profile_of("open-city-loops"), "its open_id is another one"),
        (
            http(401, b'{"error": {"code": "scope_not_authorized"}}'),
            "its open_id cannot be asked for (scope_not_authorized)",
        ),
    ],
    ids=["another open_id", "scope not granted"],
)
def test_a_token_that_posts_as_another_creator_opens_nothing_until_the_account_is_connected_again(
    workspace: Workspace,
    account: Account,
    known_post: Post,
    server: ScriptedServer,
    answer: bytes,
    because: str,
) -> None:
    server.answers = [creator_called("city.loops"), answer]
    with pytest.raises(PostHeldError, match=r"acme posts as @city\.loops, not as @paper\.moon"):
        open_publication(workspace, server, known_post)
    held = read_post(workspace, known_post.id)
    assert (held.state, held.reason_code) == (PostState.HELD, "creator_differs")
    assert because in held.reason
    assert held.fix == "`reelflow accounts connect acme`; its posts go on by themselves then"
    assert "/video/init/" not in paths(server)
    assert held.account.username == "paper.moon"
    tokens = accounts.TokenSet("act.own")
    store_access(workspace, open_id=account.open_id, name="acme", tokens=tokens, actor="tests")
    assert read_post(workspace, known_post.id).state is PostState.READY


def test_a_tiktok_that_does_not_answer_who_it_is_has_the_post_wait_not_held(
    workspace: Workspace, known_post: Post, server: ScriptedServer
) -> None:
    server.answers = [creator_called("city.loops"), http(503)]
    with pytest.raises(TikTokUnavailableError):
        open_publication(workspace, server, known_post)
    assert read_post(workspace, known_post.id).state is PostState.UPLOADING
    assert "/video/init/" not in paths(server)


def test_a_draft_is_opened_without_asking(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING, mode=PostMode.DRAFT)
    server.answers = [opened_at(server)]
    open_publication(workspace, server, post)
    assert paths(server) == ["/inbox/video/init/"]


@pytest.mark.parametrize(
    ("post_state", "state"),
    [
        (PostState.UPLOADING, P.UPLOADING),
        (PostState.COMMITTING, P.COMMITTING),
        (PostState.PROCESSING, P.SENT),
    ],
)
def test_what_tiktok_has_is_resumed_without_a_call(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    server: ScriptedServer,
    post_state: PostState,
    state: PublicationState,
) -> None:
    post = make_post(account, state=post_state)
    resumable = make_publication(workspace, post, state=state)
    publication, is_new = open_publication(workspace, server, post)
    assert (publication.id, is_new) == (resumable.id, False)
    assert server.received == []


def test_a_committing_publication_is_never_replaced_because_its_hour_is_over(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    server: ScriptedServer,
    clock: Clock,
) -> None:
    post = make_post(account, state=PostState.COMMITTING)
    sent = make_publication(workspace, post, url_expires_at=clock())
    assert open_publication(workspace, server, post)[0].id == sent.id


@pytest.mark.parametrize(
    "dead",
    [
        {"state": P.INITIATING, "publish_id": None, "url_expires_at": None},
        {"state": P.UPLOADING, "url_expires_at": "now"},
        {"state": P.UPLOADING, "url_expires_at": None},
    ],
    ids=["lost answer", "hour over", "no hour"],
)
def test_what_cannot_be_resumed_is_given_up_and_the_creator_asked_again(
    workspace: Workspace,
    account: Account,
    make_post: MakePost,
    server: ScriptedServer,
    clock: Clock,
    dead: dict[str, Any],
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    columns = {key: clock() if value == "now" else value for key, value in dead.items()}
    make_publication(workspace, post, **columns)
    server.answers = [CREATOR, opened_at(server)]
    _, is_new = open_publication(workspace, server, post)
    assert is_new
    assert history(workspace, post) == [P.SUPERSEDED, P.UPLOADING]
    assert paths(server) == ["/creator_info/query/", "/video/init/"]


def test_what_tiktok_failed_stays_failed_beside_the_new_one(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    make_publication(workspace, post, state=P.FAILED)
    server.answers = [CREATOR, opened_at(server)]
    open_publication(workspace, server, post)
    assert history(workspace, post) == [P.FAILED, P.UPLOADING]


def test_a_creator_who_may_not_post_this_holds_the_post_and_nothing_is_opened(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING, privacy_level="PUBLIC_TO_EVERYONE")
    server.answers = [CREATOR]
    with pytest.raises(PostHeldError, match="offered: SELF_ONLY"):
        open_publication(workspace, server, post)
    assert read_post(workspace, post.id).state is PostState.HELD
    assert history(workspace, post) == []
    assert paths(server) == ["/creator_info/query/"]


def test_an_init_without_an_answer_is_given_up_and_counts_against_no_post(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    server.answers = [CREATOR, http(502)]
    with pytest.raises(TikTokUnavailableError):
        open_publication(workspace, server, post)
    assert history(workspace, post) == [P.SUPERSEDED]
    assert read_post(workspace, post.id).publications_forgiven == 1


def test_an_upload_url_elsewhere_gives_the_publication_up(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    server.answers = [CREATOR, ok({"publish_id": "p", "upload_url": "https://evil.example/?t=1"})]
    with pytest.raises(TikTokRejectedError):
        open_publication(workspace, server, post)
    assert history(workspace, post) == [P.SUPERSEDED]
    assert read_post(workspace, post.id).publications_forgiven == 1


def test_an_init_that_something_before_tiktok_answers_counts_against_no_post(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    server.answers = [CREATOR, http(403, b"<html>blocked</html>")]
    with pytest.raises(ConfigurationError):
        open_publication(workspace, server, post)
    with workspace.ledger.read() as session:
        (publication,) = publications.of_post(session, post.id)
    assert publication.state is P.SUPERSEDED
    assert read_post(workspace, post.id).publications_forgiven == 1


def test_after_five_publications_nothing_is_asked_and_the_post_fails(
    workspace: Workspace, account: Account, make_post: MakePost, server: ScriptedServer
) -> None:
    post = make_post(account, state=PostState.UPLOADING)
    for _ in range(5):
        make_publication(workspace, post, state=P.SUPERSEDED, is_current=False)
    server.answers = [CREATOR]
    with pytest.raises(PostFailedError):
        open_publication(workspace, server, post)
    assert "/video/init/" not in paths(server)
