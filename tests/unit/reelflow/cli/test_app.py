import errno
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from reelflow.cli.app import SentenceOnError
from reelflow.exceptions import StorageFullError
from tests.unit.reelflow.cli.conftest import Run
from tests.unit.reelflow.tiktok.scripted_server import ScriptedServer, ok


def test_help_names_every_command_and_the_exit_codes(bare_run: Run) -> None:
    result = bare_run("--help")
    assert result.exit_code == 0
    for name in ("inspect", "doctor", "db", "key", "accounts", "posts"):
        assert f" {name} " in result.stdout
    assert "Exit codes: 0 done; 1 the answer is no" in result.stdout


@pytest.mark.parametrize(
    "words",
    [("db",), ("key",), ("accounts",), ("posts",), ("posts", "release"), ("accounts", "add")],
)
def test_every_group_and_command_explains_itself(bare_run: Run, words: tuple[str, ...]) -> None:
    result = bare_run(*words, "-h")
    assert result.exit_code == 0
    assert "Usage: reelflow" in result.stdout


def test_an_error_of_ours_is_one_sentence_on_stderr_with_exit_code_2(run: Run) -> None:
    result = run("posts", "show", 7)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "no post has id 7: see `reelflow posts list`\n"


def test_a_missing_key_is_said_in_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REELFLOW_FERNET_KEY")
    result = run("posts", "list")
    assert result.exit_code == 2
    assert result.stderr.startswith("REELFLOW_FERNET_KEY is not set: make a key with `reelflow key")
    assert result.stderr.count("\n") == 1


def test_a_ledger_that_was_never_made_is_said_in_one_sentence(bare_run: Run) -> None:
    result = bare_run("posts", "list")
    assert result.exit_code == 2
    assert "run `reelflow db upgrade`" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_no_database_is_said_in_one_sentence(bare_run: Run, tmp_path: Path) -> None:
    (tmp_path / "reelflow.db").write_bytes(b"not a database, whatever its name says" * 100)
    result = bare_run("posts", "list")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_a_setting_that_is_wrong_is_named_with_its_value(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_BATCH_SIZE", "many")
    result = run("accounts", "list")
    assert result.exit_code == 2
    assert "REELFLOW_BATCH_SIZE is 'many'" in result.stderr


def test_an_inbox_folder_that_cannot_be_made_is_said_in_one_sentence(
    run: Run, tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inbox" / "acme").write_bytes(b"a file in the folder's place")
    server.answers = [ok({"user": {"open_id": "o"}})]
    connection = {"conn_type": "tiktok", "host": f"http://{server.address}"}
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_APP", json.dumps(connection))
    result = run("accounts", "add", "acme", "--open-id", "o", stdin="act.1")
    assert result.exit_code == 2
    assert "acme" in result.stderr
    assert result.stderr.count("\n") == 1


def _app_that_raises(error: BaseException) -> typer.Typer:
    app = typer.Typer(cls=SentenceOnError)

    @app.callback()
    def group() -> None:
        """Group."""

    @app.command()
    def fail() -> None:
        raise error

    return app


def test_what_an_error_quotes_cannot_steer_the_terminal() -> None:
    error = StorageFullError("no room for \x1b[2J[red]clip\n.mp4")
    result = CliRunner().invoke(_app_that_raises(error), ["fail"])
    assert result.exit_code == 2
    assert result.stderr == "no room for �[2J[red]clip⏎ .mp4\n"


def test_an_error_of_the_system_names_its_file() -> None:
    error = OSError(errno.EACCES, "Permission denied", "/data/inbox")
    result = CliRunner().invoke(_app_that_raises(error), ["fail"])
    assert (result.exit_code, result.stderr) == (2, "/data/inbox: Permission denied\n")


def test_a_mistake_of_ours_is_not_hidden_behind_a_sentence() -> None:
    error = sqlite3.ProgrammingError("a bug")
    assert CliRunner().invoke(_app_that_raises(error), ["fail"]).exception is error


def test_ctrl_c_is_one_line_with_exit_code_130() -> None:
    result = CliRunner().invoke(_app_that_raises(KeyboardInterrupt()), ["fail"])
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Interrupted.\n")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_as_if_nobody_read_them(run: Run, closed: str) -> None:
    """No file that the command opens gets the number of a stream, and with it what is printed."""
    words = [sys.executable, "-c", "from reelflow.cli.app import main; main()", "posts", "list"]
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *words], stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert run("posts", "list").stdout == "No posts.\n"
