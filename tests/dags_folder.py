"""A folder with some of the DAGs, for stacks that are about these: others would run beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_DAGS: Final = Path(__file__).resolve().parent.parent / "dags"


def dags_folder(folder: Path, *names: str) -> Path:
    """Return a new folder that has these DAGs alone.

    :param folder: not there yet
    :param names: of files, without ``.py``
    """
    folder.mkdir(parents=True)
    for name in names:
        (folder / f"{name}.py").symlink_to((_DAGS / f"{name}.py").resolve(strict=True))
    return folder
