from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from deploy.environment_file import ASKED, GENERATED, REPOSITORY, main, names_in

EXAMPLE = (REPOSITORY / ".env.example").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    return tmp_path


def values(folder: Path) -> dict[str, str]:
    return names_in((folder / ".env").read_text())


def test_the_example_names_everything_and_gives_no_value() -> None:
    named = names_in(EXAMPLE)
    assert {*GENERATED, *ASKED} <= set(named)
    assert not any(named.values())


def test_every_secret_is_generated_and_no_two_are_alike(folder: Path) -> None:
    assert main(folder) == 0
    secrets = [values(folder)[name] for name in GENERATED]
    assert len(set(secrets)) == len(GENERATED)
    assert all(len(secret) >= 43 for secret in secrets)
    assert len(values(folder)["AIRFLOW__API_AUTH__JWT_SECRET"].encode()) >= 64
    for name in ("AIRFLOW__CORE__FERNET_KEY", "REELFLOW_FERNET_KEY"):
        Fernet(values(folder)[name])


def test_two_files_have_no_secret_in_common(folder: Path) -> None:
    main(folder)
    first = values(folder)
    (folder / ".env").unlink()
    main(folder)
    assert not {first[name] for name in GENERATED} & set(values(folder).values())


def test_only_its_owner_can_read_it(folder: Path) -> None:
    main(folder)
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600


def test_what_is_there_stays_and_only_what_is_missing_is_added(folder: Path) -> None:
    kept = "# mine\nREDIS_PASSWORD=chosen\nREELFLOW_FERNET_KEY=old-key\nEXTRA='a b'"
    (folder / ".env").write_text(kept)
    main(folder)
    assert (folder / ".env").read_text().startswith(kept)
    after = values(folder)
    assert (after["REDIS_PASSWORD"], after["REELFLOW_FERNET_KEY"]) == ("chosen", "old-key")
    assert set(names_in(EXAMPLE)) <= set(after)
    assert all(after[name] for name in GENERATED)


def test_a_second_time_changes_nothing(folder: Path) -> None:
    main(folder)
    before = (folder / ".env").stat().st_ino, (folder / ".env").read_text()
    main(folder)
    assert ((folder / ".env").stat().st_ino, (folder / ".env").read_text()) == before


def test_it_says_what_only_a_person_can_fill_in_and_no_secret(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".env").write_text("REELFLOW_BUCKET=media\n")
    main(folder)
    said = capsys.readouterr().out
    assert "Fill in yourself: AIRFLOW_CONN_AWS_DEFAULT, AIRFLOW_CONN_TIKTOK_APP." in said
    assert not any(values(folder)[name] in said for name in GENERATED)
