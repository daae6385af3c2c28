"""How ffmpeg and PostgreSQL are put on a machine that lacks them.

Fake programs stand on a path of their own.
"""

from pathlib import Path

import pytest

from demo import ffmpeg, postgresql
from demo.ffmpeg import FFMPEG
from demo.system_package import can_install


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, script: str = "exit 0") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_nothing_is_done_where_both_programs_are(path: Path) -> None:
    put(path, "ffmpeg")
    put(path, "ffprobe")
    put(path, "apt-get", "echo must not run >&2; exit 1")

    assert ffmpeg.main() == 0


def test_ffprobe_alone_may_be_missing(path: Path) -> None:
    put(path, "ffmpeg")

    assert ffmpeg.missing_programs() == ["ffprobe"]


def test_root_installs_from_the_systems_packages(path: Path) -> None:
    put(path, "apt-get")

    plan = FFMPEG.install_plan(is_root=True)
    assert plan is not None
    assert plan[1][-1] == ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "ffmpeg"]
    assert can_install("apt-get", is_root=True)


def test_a_user_installs_through_sudo_only_if_it_asks_for_no_password(path: Path) -> None:
    put(path, "apk")
    plan = FFMPEG.install_plan(is_root=False)
    assert plan == ("apk", [["sudo", "apk", "add", "--no-cache", "ffmpeg"]])

    assert not can_install("apk", is_root=False)
    put(path, "sudo", "exit 1")
    assert not can_install("apk", is_root=False)
    put(path, "sudo", "exit 0")
    assert can_install("apk", is_root=False)


def test_brew_never_runs_as_root(path: Path) -> None:
    put(path, "brew")

    assert FFMPEG.install_plan(is_root=False) == ("brew", [["brew", "install", "ffmpeg"]])
    assert can_install("brew", is_root=False)


def test_without_a_package_tool_one_sentence_says_what_to_do(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ffmpeg.main() == 1
    assert capsys.readouterr().err == (
        "ffmpeg and ffprobe not found; install ffmpeg and run this again\n"
    )


def test_a_user_without_sudo_gets_the_one_line_to_run(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, "apk")
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert ffmpeg.main() == 1
    assert "  sudo apk add --no-cache ffmpeg\n" in capsys.readouterr().err


def test_what_the_package_tool_installed_is_checked(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    put(path, "apk")

    assert ffmpeg.main() == 1
    assert "still not found after: apk add --no-cache ffmpeg" in capsys.readouterr().err

    install = f"for name in ffmpeg ffprobe; do : > {path}/$name; /bin/chmod +x {path}/$name; done"
    put(path, "apk", install)
    assert ffmpeg.main() == 0


def test_a_machine_without_postgresql_skips_its_tests_and_says_so_in_one_line(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(path, "postgres")  # a client alone, or a half of the server

    assert postgresql.main(root=path) == 0
    assert capsys.readouterr().err == (
        "the tests on PostgreSQL will be skipped: initdb and postgres not found; "
        "install PostgreSQL and run this again\n"
    )

    put(path, "initdb")
    assert postgresql.main(root=path) == 0
    assert capsys.readouterr().err == ""


def test_the_newest_installed_postgresql_is_used(path: Path) -> None:
    packages = path / "usr" / "lib" / "postgresql"
    for version in ("9.6", "15", "17"):
        folder = packages / version / "bin"
        folder.mkdir(parents=True)
        put(folder, "postgres")
        if version != "17":  # one without the server's maker is none
            put(folder, "initdb")

    assert postgresql.program_folder(root=path) == packages / "15" / "bin"
