"""Makes sure ffmpeg is there: from the system's packages, or by saying the one line to run."""

from __future__ import annotations

import shutil
import sys

from demo.system_package import SystemPackage, refuse

PROGRAMS = ("ffmpeg", "ffprobe")


def missing_programs() -> list[str]:
    """Name the programs that are not on the path."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


FFMPEG = SystemPackage(
    "ffmpeg",
    missing_programs,
    {
        "apt-get": [
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "ffmpeg"],
        ],
        "dnf": [["dnf", "install", "-y", "ffmpeg-free"]],
        "apk": [["apk", "add", "--no-cache", "ffmpeg"]],
        "brew": [["brew", "install", "ffmpeg"]],
    },
)


def main() -> int:
    """Install what is missing; return 1 with one line to run when that is not possible."""
    trouble = FFMPEG.install_missing()
    return 0 if trouble is None else refuse(trouble)


if __name__ == "__main__":
    sys.exit(main())
