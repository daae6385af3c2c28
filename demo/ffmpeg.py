"""Makes sure ffmpeg is there: from the system's packages, or by saying the one line to run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PROGRAMS = ("ffmpeg", "ffprobe")

# Package tool -> the commands that install ffmpeg with it.
INSTALL_COMMANDS: dict[str, list[list[str]]] = {
    "apt-get": [
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "ffmpeg"],
    ],
    "dnf": [["dnf", "install", "-y", "ffmpeg-free"]],
    "apk": [["apk", "add", "--no-cache", "ffmpeg"]],
    "brew": [["brew", "install", "ffmpeg"]],
}
RUNS_AS_USER = frozenset({"brew"})


def missing_programs() -> list[str]:
    """Name the programs that are not on the path."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def install_plan(*, is_root: bool) -> tuple[str, list[list[str]]] | None:
    """Choose how ffmpeg is installed here.

    :param is_root: whether this process may install packages itself
    :return: the package tool and its commands, ``sudo`` put in front where needed; ``None`` if
        this system has no tool that we know
    """
    for tool, commands in INSTALL_COMMANDS.items():
        if shutil.which(tool):
            prefix = [] if is_root or tool in RUNS_AS_USER else ["sudo"]
            return tool, [[*prefix, *command] for command in commands]
    return None


def can_install(tool: str, *, is_root: bool) -> bool:
    """Say whether the plan's commands would run without asking for a password."""
    if is_root or tool in RUNS_AS_USER:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0


def main() -> int:
    """Install what is missing; return 1 with one line to run when that is not possible."""
    missing = missing_programs()
    if not missing:
        return 0
    is_root = os.geteuid() == 0
    plan = install_plan(is_root=is_root)
    if plan is None:
        return _refuse(f"{' and '.join(missing)} not found; install ffmpeg and run this again")
    tool, commands = plan
    line = " && ".join(" ".join(command) for command in commands)
    if not can_install(tool, is_root=is_root):
        return _refuse(f"{' and '.join(missing)} not found; run this, then try again:\n  {line}")
    print(f"{' and '.join(missing)} not found; running: {line}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode:
            return _refuse(f"{' '.join(command)} failed; install ffmpeg and run this again")
    still_missing = missing_programs()
    if still_missing:
        return _refuse(f"{' and '.join(still_missing)} still not found after: {line}")
    return 0


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
