import sqlite3
from pathlib import Path

import pytest

from reelflow.ledger.engine import REVISION
from tests.unit.reelflow.cli.conftest import Run


def test_upgrade_makes_the_ledger_without_a_key_and_says_where(
    bare_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REELFLOW_FERNET_KEY")
    result = bare_run("db", "upgrade")
    assert result.exit_code == 0, result.stderr
    where = f"sqlite:///{tmp_path}/reelflow.db"
    assert result.stdout == f"The ledger {where} is at revision {REVISION} (before: none).\n"
    assert (tmp_path / "reelflow.db").exists()


def test_what_only_reads_makes_no_ledger_and_says_what_does(
    bare_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistyped = tmp_path / "no" / "such" / "dir" / "x.db"
    monkeypatch.setenv("REELFLOW_DATABASE_URL", f"sqlite:///{mistyped}")
    for command in (("posts", "list"), ("accounts", "list"), ("reconcile",), ("doctor",)):
        result = bare_run(*command)
        assert result.exit_code != 0
        assert "run `reelflow db upgrade`" in " ".join(result.output.split())
    assert not (tmp_path / "no").exists()
    assert bare_run("db", "upgrade").exit_code == 0
    assert mistyped.is_file()


def test_a_second_upgrade_changes_nothing(bare_run: Run) -> None:
    bare_run("db", "upgrade")
    result = bare_run("db", "upgrade")
    assert result.exit_code == 0
    assert f"was at revision {REVISION} already." in result.stdout


def test_a_ledger_of_a_newer_version_is_left_alone(bare_run: Run, tmp_path: Path) -> None:
    bare_run("db", "upgrade")
    with sqlite3.connect(tmp_path / "reelflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    result = bare_run("db", "upgrade")
    assert result.exit_code == 2
    assert "at revision 9999, which this version does not know" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_that_is_no_database_is_not_overwritten(bare_run: Run, tmp_path: Path) -> None:
    content = b"these are my notes, not a database" * 100
    (tmp_path / "reelflow.db").write_bytes(content)
    result = bare_run("db", "upgrade")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert (tmp_path / "reelflow.db").read_bytes() == content


def test_a_database_of_something_else_is_told_apart(bare_run: Run, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "reelflow.db") as database:
        database.execute("CREATE TABLE accounts (id INTEGER)")
    database.close()
    result = bare_run("db", "upgrade")
    assert result.exit_code == 2
    assert "table accounts already exists" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_password_in_the_url_is_not_shown(bare_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_DATABASE_URL", "nonsense://me:hunter2@db/reelflow")
    result = bare_run("db", "upgrade")
    assert result.exit_code == 2
    assert "hunter2" not in result.output
