"""Puts a program on this machine from the system's packages, or says the one line to run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

RUNS_AS_USER = frozenset({"brew"})


@dataclass(frozen=True)
class SystemPackage:
    """A package that the system's own tool installs.

    :param name: what it is called in messages
    :param missing: names the programs of it that are not here; empty when all are
    :param install_commands: package tool to the commands that install it, the first tool wins
    """

    name: str
    missing: Callable[[], Sequence[str]]
    install_commands: Mapping[str, Sequence[Sequence[str]]]

    def install_plan(self, *, is_root: bool) -> tuple[str, list[list[str]]] | None:
        """Choose how the package is installed here.

        :param is_root: whether this process may install packages itself
        :return: the package tool and its commands, ``sudo`` put in front where needed; ``None`` if
            this system has no tool that we know
        """
        for tool, commands in self.install_commands.items():
            if shutil.which(tool):
                prefix = [] if is_root or tool in RUNS_AS_USER else ["sudo"]
                return tool, [[*prefix, *command] for command in commands]
        return None

    def install_missing(self) -> str | None:
        """Install what is missing.

        :return: None when everything is here now, else a sentence with what to do
        """
        missing = " and ".join(self.missing())
        if not missing:
            return None
        is_root = os.geteuid() == 0
        plan = self.install_plan(is_root=is_root)
        if plan is None:
            return f"{missing} not found; install {self.name} and run this again"
        tool, commands = plan
        line = " && ".join(" ".join(command) for command in commands)
        if not can_install(tool, is_root=is_root):
            return f"{missing} not found; run this, then try again:\n  {line}"
        print(f"{missing} not found; running: {line}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in commands:
            if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode:
                return f"{' '.join(command)} failed; install {self.name} and run this again"
        still_missing = " and ".join(self.missing())
        return f"{still_missing} still not found after: {line}" if still_missing else None


def can_install(tool: str, *, is_root: bool) -> bool:
    """Say whether a package tool would run without asking for a password."""
    if is_root or tool in RUNS_AS_USER:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0


def refuse(sentence: str) -> int:
    """Print a sentence to stderr and return the exit code 1."""
    print(sentence, file=sys.stderr)
    return 1
