import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.domain.post import PostState
from reelflow.domain.publication import MediaSource
from reelflow.ledger import accounts
from reelflow.ledger.models import Account, Post
from reelflow.services.accounts.revocation import mark_revoked
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import change_account
from tests.unit.reelflow.cli.conftest import Run
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, http, ok

TOKEN = "act.very-secret-1234"
NOT_GRANTED = http(401, b'{"error": {"code": "scope_not_authorized"}}')


def owned_by(open_id: str) -> bytes:
    return ok({"user": {"open_id": open_id}})


def posts_as(username: str) -> bytes:
    options = {"privacy_level_options": ["SELF_ONLY"], "max_video_post_duration_sec": 60}
    return ok({"creator_username": username, **options})


@pytest.fixture(autouse=True)
def tiktok(run: Run, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """TikTok, which knows each token as that of ``open-1`` unless told otherwise."""
    fields = {"conn_type": "tiktok", "host": f"http://{server.address}"}
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(fields))
    server.answers = [owned_by("open-1"), owned_by("open-1")]
    return server


def stored(workspace: Workspace, name: str) -> Account:
    with workspace.ledger.read() as session:
        return accounts.by_name(session, name)


def stored_token(workspace: Workspace, name: str) -> str:
    return accounts.access_token(stored(workspace, name), workspace.ledger.cipher)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


def test_add_stores_the_token_of_a_file_and_makes_the_inbox(
    run: Run, workspace: Workspace, token_file: Path
) -> None:
    result = run(
        *("accounts", "add", "acme", "--open-id", "open-1"),
        *("--inbox-privacy", "self_only", "--access-token-file", token_file),
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (
        f"Account acme is stored.\nPut its files into {data_folder(workspace).inbox / 'acme'}\n"
    )
    assert stored_token(workspace, "acme") == TOKEN
    assert stored(workspace, "acme").open_id == "open-1"
    assert stored(workspace, "acme").inbox_privacy_level == "SELF_ONLY"
    assert (data_folder(workspace).inbox / "acme").is_dir()
    assert TOKEN not in result.output


def test_add_takes_the_token_from_a_pipe(run: Run, workspace: Workspace) -> None:
    result = run("accounts", "add", "acme", "--open-id", "open-1", stdin=f"{TOKEN}\n")
    assert result.exit_code == 0
    assert stored_token(workspace, "acme") == TOKEN
    assert TOKEN not in result.output


def test_add_says_that_files_of_an_account_without_privacy_are_held(run: Run) -> None:
    result = run("accounts", "add", "acme", "--open-id", "open-1", stdin=TOKEN)
    assert "It has no inbox privacy" in result.stdout
    assert "`reelflow accounts set acme --inbox-privacy LEVEL`" in result.stdout


def test_adding_an_open_id_again_renames_it_and_names_the_old_inbox(
    run: Run, workspace: Workspace, account: Account, tiktok: ScriptedServer
) -> None:
    tiktok.answers = [owned_by(account.open_id)]
    result = run("accounts", "add", "new", "--open-id", account.open_id, stdin=TOKEN)
    assert result.exit_code == 0
    assert "It was called acme: move the files that wait in inbox/acme." in result.stdout
    assert stored(workspace, "new").id == account.id


@pytest.mark.parametrize("name", ["../acme", "Acme", "", "a/b", "-x"])
def test_a_name_that_cannot_be_a_folder_is_refused_before_a_token_is_asked_for(
    run: Run, workspace: Workspace, name: str
) -> None:
    result = run("accounts", "add", "--open-id", "open-1", "--", name)
    assert result.exit_code == 2
    assert "cannot be a folder" in result.stderr
    assert list(data_folder(workspace).inbox.iterdir()) == []


def test_a_name_of_another_account_is_refused(
    run: Run, account: Account, tiktok: ScriptedServer
) -> None:
    tiktok.answers = [owned_by("another")]
    result = run("accounts", "add", "acme", "--open-id", "another", stdin=TOKEN)
    assert result.exit_code == 2
    assert "belongs to another TikTok account" in result.stderr


@pytest.mark.parametrize("open_id", ["", "x" * 129, "a\nb", "\x1b[2J"])
def test_a_malformed_open_id_is_refused(run: Run, open_id: str) -> None:
    result = run("accounts", "add", "acme", "--open-id", open_id, stdin=TOKEN)
    assert result.exit_code == 2
    assert "is no open_id" in result.stderr
    assert "\x1b" not in result.stderr


def test_an_unknown_privacy_level_is_refused_with_the_levels_that_exist(run: Run) -> None:
    result = run("accounts", "add", "acme", "--open-id", "o", "--inbox-privacy", "FRIENDS")
    assert result.exit_code == 2
    assert "'self_only'" in result.stderr


def test_a_token_is_no_option_of_the_command_line(run: Run) -> None:
    result = run("accounts", "add", "acme", "--open-id", "o", "--access-token", TOKEN)
    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_set_changes_the_inbox_privacy_and_nothing_else(
    run: Run, workspace: Workspace, account: Account
) -> None:
    result = run("accounts", "set", "acme", "--inbox-privacy", "public_to_everyone")
    assert result.exit_code == 0
    assert "Inbox files of acme without a privacy level: PUBLIC_TO_EVERYONE." in result.stdout
    assert stored(workspace, "acme").inbox_privacy_level == "PUBLIC_TO_EVERYONE"
    assert stored_token(workspace, "acme") == "act.acme"


def test_set_none_takes_the_inbox_privacy_away(
    run: Run, workspace: Workspace, account: Account
) -> None:
    result = run("accounts", "set", "acme", "--inbox-privacy", "none")
    assert "without a privacy level: held." in result.stdout
    assert stored(workspace, "acme").inbox_privacy_level is None


def test_set_stores_a_new_token_and_ends_a_revocation(
    run: Run, workspace: Workspace, account: Account, token_file: Path, tiktok: ScriptedServer
) -> None:
    tiktok.answers = [owned_by(account.open_id)]
    with workspace.ledger.write() as session:
        session.get_one(Account, account.id).revoked = True
    result = run("accounts", "set", "acme", "--access-token-file", token_file)
    assert result.exit_code == 0
    assert stored_token(workspace, "acme") == TOKEN
    assert stored(workspace, "acme").revoked is False
    assert stored(workspace, "acme").inbox_privacy_level == "SELF_ONLY"


def test_set_with_a_new_token_lets_the_posts_go_that_waited_for_it(
    run: Run,
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
    token_file: Path,
    tiktok: ScriptedServer,
) -> None:
    tiktok.answers = [owned_by(account.open_id)]
    post = make_post(account)
    mark_revoked(workspace, account.id, why="a test says so", actor="tests")
    assert read_post(post.id).state is PostState.HELD
    result = run("accounts", "set", "acme", "--access-token-file", token_file)
    assert f"Posts that had waited for it go on: {post.id}" in result.stdout
    assert read_post(post.id).state is PostState.READY


def test_add_and_set_choose_how_tiktok_gets_videos(run: Run, workspace: Workspace) -> None:
    add = ("accounts", "add", "acme", "--open-id", "open-1")
    run(*add, "--video-source", "pull", stdin=TOKEN)
    assert stored(workspace, "acme").video_source is MediaSource.PULL_FROM_URL
    run(*add, stdin=TOKEN)
    assert stored(workspace, "acme").video_source is MediaSource.PULL_FROM_URL
    result = run("accounts", "set", "acme", "--video-source", "upload")
    assert "Videos of acme: upload." in result.stdout
    assert stored(workspace, "acme").video_source is MediaSource.FILE_UPLOAD


def test_set_reads_stdin_only_when_asked_to(
    run: Run, workspace: Workspace, account: Account, tiktok: ScriptedServer
) -> None:
    tiktok.answers = [owned_by(account.open_id)]
    run("accounts", "set", "acme", "--inbox-privacy", "none", stdin="act.not-for-us")
    assert stored_token(workspace, "acme") == "act.acme"
    run("accounts", "set", "acme", "--access-token-file", "-", stdin=TOKEN)
    assert stored_token(workspace, "acme") == TOKEN


SET = ("accounts", "set", "acme", "--access-token-file", "-")
ADD = ("accounts", "add", "new", "--open-id", "open-1")


@pytest.mark.parametrize("command", [SET, ADD])
def test_a_token_of_another_account_is_refused_and_nothing_is_changed(
    run: Run,
    workspace: Workspace,
    account: Account,
    tiktok: ScriptedServer,
    command: tuple[str, ...],
) -> None:
    tiktok.answers = [owned_by("open-city-loops")]
    result = run(*command, stdin=TOKEN)
    assert result.exit_code == 2
    assert "of another TikTok account: its open_id is 'open-city-loops'" in result.stderr
    assert stored_token(workspace, "acme") == "act.acme"
    assert stored(workspace, "acme").token_version == account.token_version
    with workspace.ledger.read() as session:
        assert len(accounts.list_all(session)) == 1


def test_a_token_without_its_open_id_is_compared_by_the_name_it_posts_as(
    run: Run, workspace: Workspace, account: Account, tiktok: ScriptedServer
) -> None:
    change_account(workspace, account.id, username="paper.moon")
    tiktok.answers = [NOT_GRANTED, posts_as("city.loops")]
    result = run(*SET, stdin=TOKEN)
    assert result.exit_code == 2
    assert "it posts as @city.loops, not as @paper.moon" in result.stderr
    assert stored_token(workspace, "acme") == "act.acme"
    tiktok.answers = [NOT_GRANTED, posts_as("paper.moon")]
    assert run(*SET, stdin=TOKEN).exit_code == 0
    assert stored_token(workspace, "acme") == TOKEN


def test_a_name_that_nobody_knew_is_kept_and_shown_for_a_person_to_compare(
    run: Run, workspace: Workspace, tiktok: ScriptedServer
) -> None:
    tiktok.answers = [NOT_GRANTED, posts_as("paper.moon")]
    result = run(*ADD, stdin=TOKEN)
    assert "Account new (@paper.moon) is stored." in result.stdout
    assert stored(workspace, "new").username == "paper.moon"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([NOT_GRANTED, NOT_GRANTED], "TikTok does not say whose this access token is"),
        ([NOT_GRANTED, posts_as("")], "TikTok does not say whose this access token is"),
        ([http(401, b'{"error": {"code": "access_token_invalid"}}')], "access_token_invalid"),
        ([http(503)], "503"),
    ],
    ids=["no scope", "no name", "refused", "unavailable"],
)
def test_a_token_of_nobody_knows_whom_is_not_stored(
    run: Run, workspace: Workspace, tiktok: ScriptedServer, answers: list[bytes], said: str
) -> None:
    tiktok.answers = answers
    result = run(*ADD, stdin=TOKEN)
    assert result.exit_code == 2
    assert said in result.stderr
    assert TOKEN not in result.output
    with workspace.ledger.read() as session:
        assert accounts.list_all(session) == []


def test_without_the_connection_no_token_is_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_TIKTOK_APP")
    result = run(*ADD, stdin=TOKEN)
    assert result.exit_code == 2
    assert "AIRFLOW_CONN_TIKTOK_APP is not set" in result.stderr


def test_set_names_the_posts_that_stay_held(
    run: Run,
    account: Account,
    make_post: Callable[..., Post],
    read_post: Callable[[int], Post],
) -> None:
    held = make_post(account, state=PostState.HELD, privacy_level=None)
    make_post(account, state=PostState.READY)
    result = run("accounts", "set", "acme", "--inbox-privacy", "SELF_ONLY")
    assert f"Still held: {held.id}. Release each with `reelflow posts release" in result.stdout
    assert read_post(held.id).state is PostState.HELD


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "there is nothing to change"),
        (["--inbox-privacy", "FRIENDS"], "'FRIENDS' is no privacy level"),
        (["--access-token-file", "/nowhere"], "cannot be read from /nowhere"),
    ],
)
def test_set_refuses_what_it_cannot_do(
    run: Run, account: Account, options: list[str], said: str
) -> None:
    result = run("accounts", "set", "acme", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_set_of_an_unknown_account_names_those_that_exist(run: Run, account: Account) -> None:
    result = run("accounts", "set", "nobody", "--inbox-privacy", "SELF_ONLY")
    assert result.exit_code == 2
    assert "no account is called 'nobody' (accounts: acme)" in result.stderr
