"""Makes sure PostgreSQL's server programs are there; without them its tests are skipped."""

from __future__ import annotations

import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Final

from demo.system_package import SystemPackage

PROGRAMS: Final = ("initdb", "postgres")
#: Where packages put the server's programs, below the root; these are rarely on the path.
FOLDERS: Final = (
    "usr/lib/postgresql/*/bin",  # Debian
    "usr/pgsql-*/bin",  # PGDG on Red Hat
    "usr/libexec/postgresql*",  # Alpine
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
)
ROOT: Final = Path("/")


def program_folder(root: Path = ROOT) -> Path | None:
    """Return the folder of the server's programs, of the newest version, or None.

    :param root: below which packages are installed
    """
    found = (path for pattern in FOLDERS for path in root.glob(pattern))
    on_path = shutil.which("postgres")
    candidates = sorted(found, key=_version, reverse=True)
    if on_path is not None:
        candidates.insert(0, Path(on_path).resolve().parent)
    return next((folder for folder in candidates if _holds_programs(folder)), None)


def _version(folder: Path) -> float:
    numbers = re.findall(r"\d+(?:\.\d+)?", str(folder))
    return float(numbers[-1]) if numbers else 0.0


def _holds_programs(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in PROGRAMS)


def missing_programs(root: Path = ROOT) -> list[str]:
    """Name the programs that are nowhere to be found."""
    return [] if program_folder(root) else list(PROGRAMS)


_INSTALL_COMMANDS: Final = {
    "apt-get": [
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"],
    ],
    "dnf": [["dnf", "install", "-y", "postgresql-server"]],
    "apk": [["apk", "add", "--no-cache", "postgresql"]],
    "brew": [["brew", "install", "postgresql"]],
}


def main(root: Path = ROOT) -> int:
    """Install what is missing; where that is not possible say so, and let the rest go on."""
    package = SystemPackage("PostgreSQL", partial(missing_programs, root), _INSTALL_COMMANDS)
    trouble = package.install_missing()
    if trouble is not None:
        print(f"the tests on PostgreSQL will be skipped: {trouble}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
