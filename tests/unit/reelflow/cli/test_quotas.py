"""``reelflow quotas``: what users may upload in a day."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from reelflow.services import quotas
from reelflow.services.workspace import Workspace
from tests.unit.reelflow.cli.conftest import Run

MIB = 1024 * 1024


def use(workspace: Workspace) -> None:
    """Let Anna have one upload of 2 MiB done and one of 1 MiB under way, by the machine's clock."""
    now = datetime.now(UTC)
    with workspace.ledger.write() as session:
        day = quotas.reserve(session, "anna", uploads=2, size_bytes=3 * MIB, now=now)
        quotas.take(session, "anna", day, uploads=1, reserved_bytes=2 * MIB, taken_bytes=2 * MIB)


def test_a_quota_is_set_and_shown_with_what_is_left(run: Run, workspace: Workspace) -> None:
    done = run("quotas", "set", "anna", "--uploads", 10, "--mib", 100)
    assert done.stdout == "anna: 10 uploads and 100 MiB a day.\n"
    use(workspace)
    found = json.loads(run("quotas", "show", "anna", "--json").stdout)
    assert found.pop("reset_at").endswith("T00:00:00+00:00")
    assert found == {
        "user_id": "anna",
        "uploads_left": 8,
        "bytes_left": 97 * MIB,
        "used_uploads": 1,
        "used_bytes": 2 * MIB,
        "reserved_uploads": 1,
        "reserved_bytes": MIB,
    }
    assert "anna may upload 8 files and 97 MiB more" in run("quotas", "show", "anna").stdout


def test_everybodys_quota_is_for_who_has_none(run: Run) -> None:
    run("quotas", "set", "*", "--uploads", 3)
    run("quotas", "set", "ben", "--mib", 5)
    assert json.loads(run("quotas", "show", "anna", "--json").stdout)["uploads_left"] == 3
    assert json.loads(run("quotas", "show", "ben", "--json").stdout)["uploads_left"] is None
    done = run("quotas", "set", "ben", "--as-everybody")
    assert done.stdout == "ben has no quota of its own any more.\n"
    assert json.loads(run("quotas", "show", "ben", "--json").stdout)["uploads_left"] == 3


def test_all_quotas_are_listed(run: Run) -> None:
    assert "without limit" in run("quotas", "show").stdout
    run("quotas", "set", "*", "--uploads", 3)
    shown = run("quotas", "show").stdout
    assert "no limit" in shown
    assert "person:mia" in shown
    (row,) = json.loads(run("quotas", "show", "--json").stdout)
    assert (row["user_id"], row["uploads_per_day"], row["bytes_per_day"]) == ("*", 3, None)


def test_a_quota_without_numbers_is_no_limit(run: Run) -> None:
    run("quotas", "set", "anna", "--uploads", 1)
    run("quotas", "set", "anna")
    assert json.loads(run("quotas", "show", "anna", "--json").stdout)["uploads_left"] is None


@pytest.mark.parametrize(
    "words",
    [
        ("set", "an/na", "--uploads", "1"),
        ("set", "anna", "--uploads", "-1"),
        ("set", "anna", "--mib", str(2**60)),
        ("set", "anna", "--uploads", "1", "--as-everybody"),
        ("show", "an/na"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_done(run: Run, words: tuple[str, ...]) -> None:
    result = run("quotas", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert run("quotas", "show", "--json").stdout == "[]\n"
