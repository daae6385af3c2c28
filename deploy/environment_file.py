"""Writes ``.env``, which ``docker-compose.yaml`` reads: fresh secrets, and names left for a person.

It needs nothing but Python, because it runs where only Docker is.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent


def _password() -> str:
    """Return what stands in a URL as it is."""
    return secrets.token_urlsafe(32)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _jwt_secret() -> str:
    return secrets.token_urlsafe(64)  # HS512 needs 64 bytes


#: What nobody has to choose, with how it is made.
GENERATED: Final[Mapping[str, Callable[[], str]]] = {
    "POSTGRES_PASSWORD": _password,
    "AIRFLOW_DATABASE_PASSWORD": _password,
    "CELERY_DATABASE_PASSWORD": _password,
    "LEDGER_DATABASE_PASSWORD": _password,
    "REDIS_PASSWORD": _password,
    "AIRFLOW__CORE__FERNET_KEY": _fernet_key,
    "AIRFLOW__API_AUTH__JWT_SECRET": _jwt_secret,
    "AIRFLOW__API__SECRET_KEY": _password,
    "REELFLOW_FERNET_KEY": _fernet_key,
}
#: What only a person knows, and without which nothing starts.
ASKED: Final = ("REELFLOW_BUCKET", "AIRFLOW_CONN_AWS_DEFAULT", "AIRFLOW_CONN_TIKTOK_APP")


def filled(text: str) -> str:
    """Return the text of an environment file with a fresh secret at each name that lacks one.

    Every other line stays as it is.
    """
    return "".join(_filled_line(line) for line in text.splitlines(keepends=True))


def _filled_line(line: str) -> str:
    name, equals, value = line.partition("=")
    if equals and not value.strip() and name in GENERATED:
        return f"{name}={GENERATED[name]()}\n"
    return line


def names_in(text: str) -> dict[str, str]:
    """Return what an environment file sets, each value as it is written."""
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in lines if equals}


def completed(text: str, example: str) -> str:
    """Return an environment file with the names that only the example has, at its end."""
    known = names_in(text)
    missing = [f"{name}=\n" for name in names_in(example) if name not in known]
    if text and missing and not text.endswith("\n"):
        text += "\n"
    return text + "".join(missing)


def write(path: Path, text: str) -> None:
    """Put a file in the place of another in one step, readable by this user only."""
    descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(new).replace(path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


def main(folder: Path = REPOSITORY) -> int:
    """Make ``.env``, or complete the one that is there; say what is left to be filled in."""
    path, example = folder / ".env", (folder / ".env.example").read_text()
    before = path.read_text() if path.exists() else example
    after = filled(completed(before, example))
    if not path.exists() or after != before:
        write(path, after)
    values = names_in(after)
    left = [name for name in ASKED if not values.get(name)]
    print(f"{path} has every secret that can be generated; what was there is unchanged.")
    if left:
        print(f"Fill in yourself: {', '.join(left)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
