"""Which uploads were begun from this machine, so that they are gone on with: a cache, no more.

One small file an upload, named by a hash of what is uploaded where. Whoever loses them sends bytes
again; that nothing is posted twice is the server's word, not theirs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_KEPT_S: Final = 7 * 24 * 3600
_UPLOAD_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_READ_BYTES: Final = 200


class UploadJournal:
    """Ids of uploads by what they are of. A folder that cannot be used is as good as an empty one.

    :param folder: made when it is first needed
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> str | None:
        """Return the id of the upload that was begun for this, if any is known."""
        try:
            with self._path(key).open("rb") as file:
                text = file.read(_READ_BYTES).decode("ascii", "replace").strip()
        except OSError:
            return None
        return text if _UPLOAD_ID.fullmatch(text) else None

    def keep(self, key: str, upload_id: str) -> None:
        """Remember an upload that was begun."""
        part = self._folder / f".{key}.{os.getpid()}"
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._drop_old()
            part.write_text(upload_id, "ascii")
            part.replace(self._path(key))

    def forget(self, key: str) -> None:
        """Forget an upload that has ended."""
        with suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self._folder / key

    def _drop_old(self) -> None:
        """Remove what no server knows any more."""
        for path in self._folder.iterdir():
            if path.lstat().st_mtime < time.time() - _KEPT_S:
                path.unlink()


def journal_folder(environment: Mapping[str, str]) -> Path:
    """Return where state of programs belongs (XDG Base Directory Specification), for uploads."""
    base = environment.get("XDG_STATE_HOME", "")
    # A relative path is to be ignored, says the specification.
    state = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return state / "reelflow" / "uploads"
