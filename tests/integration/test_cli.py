"""The real ``reelflow`` script as a process, from nothing to a doctor that finds all in order."""

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reelflow.ledger import accounts
from reelflow.settings import Settings
from tests import factories

SCRIPT = Path(sys.executable).with_name("reelflow")
REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 60


class Reelflow:
    """Runs the script with a data folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "REELFLOW_HOME": str(home),
            "REELFLOW_FERNET_KEY": factories.FERNET_KEY,
        }

    def __call__(
        self, *words: object, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, *map(str, words)],
            env={**self.environment, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=DEADLINE_S,
        )

    def done(self, *words: object, stdin: str = "", **environment: str) -> str:
        """Run a command that must work, and return what it printed."""
        result = self(*words, stdin=stdin, **environment)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    def on_terminal(self, *words: object, typed: bytes = b"") -> tuple[int, bytes]:
        """Run a command on a terminal of 90 columns; return its exit code and what was shown."""
        environment = {**self.environment, "TERM": "xterm", "COLUMNS": "90"}
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(SCRIPT, [str(SCRIPT), *map(str, words)], environment)
        try:
            shown = self._converse(terminal, typed)
        finally:
            os.close(terminal)
            _, status = os.waitpid(pid, 0)  # its terminal is gone, so it ends
        return os.waitstatus_to_exitcode(status), shown

    @staticmethod
    def _converse(terminal: int, typed: bytes) -> bytes:
        """Type when there is a prompt, which ends without a line's end; read to the end."""
        shown = b""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"nothing happens any more after {shown!r}"
            try:
                read = os.read(terminal, 65536)
            except OSError:  # Linux says EIO when the other end is closed
                return shown
            if not read:
                return shown
            shown += read
            if typed and shown.endswith(b": "):
                os.write(terminal, typed)
                typed = b""


@pytest.fixture
def reelflow(tmp_path: Path) -> Reelflow:
    return Reelflow(tmp_path / "home")


@pytest.fixture
def simulator() -> Iterator[dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tiktok_simulator"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "include")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def creator(reelflow: Reelflow, simulator: dict[str, Any]) -> dict[str, str]:
    """The simulator's first creator, and the connection by which TikTok is asked whose a token is.

    TikTok knows whose a token is, so these commands need an account that exists.
    """
    connection = json.dumps({"conn_type": "tiktok", "host": simulator["api"]})
    reelflow.environment["AIRFLOW_CONN_TIKTOK_APP"] = connection
    return dict(simulator["accounts"][0])


def test_from_nothing_to_an_account_in_three_commands(
    reelflow: Reelflow, creator: dict[str, str]
) -> None:
    key = reelflow.done("key", "generate", REELFLOW_FERNET_KEY="").strip()
    reelflow.environment["REELFLOW_FERNET_KEY"] = key
    assert "is at revision" in reelflow.done("db", "upgrade", REELFLOW_FERNET_KEY="")
    add = ("accounts", "add", "acme", "--open-id", creator["open_id"])
    reelflow.done(*add, stdin=creator["access_token"])
    assert (reelflow.home / "inbox" / "acme").is_dir()
    [account] = json.loads(reelflow.done("accounts", "list", "--json"))
    assert (account["name"], account["open_id"]) == ("acme", creator["open_id"])
    assert json.loads(reelflow.done("posts", "list", "--json")) == []


def test_errors_leave_stdout_empty_and_are_one_line_on_stderr(reelflow: Reelflow) -> None:
    result = reelflow("posts", "list", "--json")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "run `reelflow db upgrade`" in result.stderr


def test_the_doctor_knows_the_simulator(reelflow: Reelflow, simulator: dict[str, Any]) -> None:
    reelflow.done("db", "upgrade")
    connection = json.dumps({"conn_type": "tiktok", "host": simulator["api"]})
    result = reelflow("doctor", "--json", AIRFLOW_CONN_TIKTOK_APP=connection)
    checks = {one["check"]: one for one in json.loads(result.stdout)["checks"]}
    assert checks["TikTok"]["status"] == "ok"
    assert checks["ledger"]["status"] == "ok"


def test_a_token_typed_at_the_prompt_is_stored_and_not_shown(
    reelflow: Reelflow, creator: dict[str, str]
) -> None:
    reelflow.done("db", "upgrade")
    add, token = (
        ("accounts", "add", "acme", "--open-id", creator["open_id"]),
        creator["access_token"],
    )
    code, shown = reelflow.on_terminal(*add, typed=f"{token}\n".encode())
    assert code == 0
    assert b"Access token:" in shown
    assert token.encode() not in shown
    workspace = Settings(home=reelflow.home, fernet_key=factories.FERNET_KEY).open_workspace()
    with workspace.ledger.read() as session:
        account = accounts.by_name(session, "acme")
    assert accounts.access_token(account, workspace.ledger.cipher) == token


def test_a_terminal_gets_colour_and_a_pipe_gets_none(
    reelflow: Reelflow, creator: dict[str, str]
) -> None:
    reelflow.done("db", "upgrade")
    add = ("accounts", "add", "acme", "--open-id", creator["open_id"])
    reelflow.done(*add, stdin=creator["access_token"])
    code, shown = reelflow.on_terminal("accounts", "list")
    assert code == 0
    assert b"\x1b[32mgranted" in shown
    assert "\x1b" not in reelflow.done("accounts", "list")


def test_an_output_that_cannot_show_a_character_gets_a_question_mark(reelflow: Reelflow) -> None:
    reelflow.done("db", "upgrade")
    (reelflow.home / "inbox" / "日本").mkdir(parents=True)
    result = reelflow("doctor", PYTHONIOENCODING="ascii")
    assert "inbox/?? belongs to no account" in result.stdout
    assert "Traceback" not in result.stderr


def test_a_reader_that_has_seen_enough_ends_it_quietly(reelflow: Reelflow) -> None:
    reelflow.done("db", "upgrade")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            [SCRIPT, "posts", "list"],
            env=reelflow.environment,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
        )
    finally:
        with contextlib.suppress(OSError):
            os.close(writer)
    assert "Traceback" not in result.stderr


def test_help_loads_neither_database_nor_network_code(reelflow: Reelflow) -> None:
    script = (
        "import sys; sys.argv = ['reelflow', '--help']\n"
        "from reelflow.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'alembic', 'requests', 'httpx', 'PIL', 'pydantic_settings'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**reelflow.environment, "PYTHONPATH": str(REPOSITORY / "include")},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert (result.returncode, result.stderr) == (0, "")
