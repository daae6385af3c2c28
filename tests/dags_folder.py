"""A folder with some of the DAGs, for stacks that are about these: others would run beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_REPOSITORY: Final = Path(__file__).resolve().parent.parent
_PLACES: Final = (_REPOSITORY / "dags", _REPOSITORY / "docs" / "examples")


def dags_folder(folder: Path, *names: str) -> Path:
    """Return a new folder that has these DAGs alone.

    :param folder: not there yet
    :param names: of files, without ``.py``; also of examples of the documentation
    """
    folder.mkdir(parents=True)
    for name in names:
        found = next(place / f"{name}.py" for place in _PLACES if (place / f"{name}.py").exists())
        (folder / found.name).symlink_to(found)
    return folder
