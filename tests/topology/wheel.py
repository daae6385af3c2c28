"""The distribution as it is built for the image, and unpacked."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.topology.compose_file import REPOSITORY


def build_wheel(folder: Path) -> Path:
    """Build the wheel by the tool that installs it, and return it."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "build", "--quiet", "--wheel", "--out-dir", folder, REPOSITORY],
        check=True,
        env={**os.environ, "VIRTUAL_ENV": ""},
    )
    return next(folder.glob("*.whl"))


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def unpack(wheel: Path, folder: Path) -> Path:
    """Put a wheel's content into a folder, from where Python finds it and its entry points."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    compileall.compile_dir(folder, quiet=2)  # as in the image: no process there can write it
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder
