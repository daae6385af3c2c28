"""The note a running stack leaves on disk, so that a later command can find and stop it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.processes import ProcessId, end_processes

FILE_NAME = "stack.json"


@dataclass(frozen=True)
class StackRecord:
    """Which processes make up a stack, and how to reach it.

    :param folder: the stack's own folder, which holds the note
    :param url: address of Airflow's UI
    :param web_url: address of `reelflow serve`, with the path of its API
    :param api_key: by which it knows the user
    """

    folder: Path
    url: str
    user: str
    password: str
    web_url: str
    api_key: str
    processes: tuple[ProcessId, ...]

    @classmethod
    def read(cls, folder: Path) -> StackRecord | None:
        """Read the note of a folder; ``None`` if there is none, or none that can be read."""
        try:
            told = json.loads((folder / FILE_NAME).read_text())
            return cls(
                folder=folder,
                url=told["url"],
                user=told["user"],
                password=told["password"],
                web_url=told["web_url"],
                api_key=told["api_key"],
                processes=tuple(ProcessId(**one) for one in told["processes"]),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self) -> None:
        """Write the note, whole or not at all, readable by this user only."""
        told = {
            "url": self.url,
            "user": self.user,
            "password": self.password,
            "web_url": self.web_url,
            "api_key": self.api_key,
            "processes": [asdict(process) for process in self.processes],
        }
        temporary = self.folder / f"{FILE_NAME}.new"
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(told, indent=2))
        temporary.replace(self.folder / FILE_NAME)

    def remove(self) -> None:
        """Remove the note."""
        (self.folder / FILE_NAME).unlink(missing_ok=True)

    def running(self) -> list[ProcessId]:
        """Return the processes that still run."""
        return [process for process in self.processes if process.find() is not None]

    def stop(self) -> list[str]:
        """End all processes of the stack and remove the note; return the names that ran."""
        names = [process.name for process in self.running()]
        end_processes(self.processes)
        self.remove()
        return names
