"""How a process is started with no more rights than its container gives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

#: Users that nobody else has: each service its own, so that none can read another's folders.
FIRST_USER: Final = 731_000


#: No rights; or none but to read what lies where only root gets to, as an interpreter may.
RIGHTS: Final = (
    ("--inh-caps=-all", "--bounding-set=-all"),
    ("--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"),
)


class Confinement:
    """Starts programs as users without rights, where whoever runs the tests may do that.

    Without root, or where such a user cannot run our Python, programs run as who we are.
    """

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._rights: tuple[str, ...] = ()
        self.is_possible = os.geteuid() == 0 and shutil.which("setpriv") is not None
        if self.is_possible:
            self.is_possible = any(self._can_run_python(rights) for rights in RIGHTS)

    def _can_run_python(self, rights: tuple[str, ...]) -> bool:
        self._rights = rights
        program = "import sys, reelflow; print(sys.base_prefix)"
        probe = [*self.prefix("probe"), sys.executable, "-c", program]
        done = subprocess.run(probe, cwd="/", capture_output=True, text=True)
        return done.stdout.strip() == sys.base_prefix

    @property
    def users(self) -> list[int]:
        """Every user that something was started as."""
        return list(self._users.values())

    def prefix(self, service: str) -> list[str]:
        """Return what comes before a command: who runs it, and that it can gain no rights."""
        if not self.is_possible:
            return []
        user = str(self._user(service))
        return [
            *("setpriv", "--reuid", user, "--regid", user, "--clear-groups"),
            *("--no-new-privs", *self._rights),
        ]

    def give(self, service: str, folder: Path) -> None:
        """Make a folder that only the service may use."""
        folder.mkdir(mode=0o700, parents=True)
        if self.is_possible:
            user = self._user(service)
            os.chown(folder, user, user)

    def _user(self, service: str) -> int:
        return self._users.setdefault(service, FIRST_USER + len(self._users))
