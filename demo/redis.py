"""Makes sure Redis's server is there; without it the tests of production's topology are skipped."""

from __future__ import annotations

import shutil
import sys
from typing import Final

from demo.system_package import SystemPackage

PROGRAMS: Final = ("redis-server", "redis-cli")


def missing_programs() -> list[str]:
    """Name the programs that are not on the path."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


REDIS: Final = SystemPackage(
    "Redis",
    missing_programs,
    {
        "apt-get": [
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "redis-server"],
        ],
        "dnf": [["dnf", "install", "-y", "redis"]],
        "apk": [["apk", "add", "--no-cache", "redis"]],
        "brew": [["brew", "install", "redis"]],
    },
)


def main() -> int:
    """Install what is missing; where that is not possible say so, and let the rest go on."""
    trouble = REDIS.install_missing()
    if trouble is not None:
        print(f"the tests of the production topology will be skipped: {trouble}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
