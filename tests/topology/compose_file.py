"""`docker-compose.yaml` as the services that it says there are, each with all that is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.environment_file import ASKED, GENERATED
from tests.topology.interpolation import interpolated, read_environment_file

REPOSITORY: Final = Path(__file__).parents[2]
FILE: Final = REPOSITORY / "docker-compose.yaml"
#: A value for each name of `.env` that has to have one.
VALUES: Final = {name: f"value-of-{name}" for name in (*GENERATED, *ASKED)} | {
    "REELFLOW_BUCKET": "value-of-bucket"
}


@dataclass(frozen=True)
class Mount:
    """A place of a container's that is not its image's.

    :param source: a named volume, or a path of the host's; empty for one of the container's own
    """

    source: str
    target: str
    mode: str = ""

    @property
    def is_bind(self) -> bool:
        return self.source.startswith((".", "/", "~"))


@dataclass(frozen=True)
class Service:
    """One service, interpolated.

    :param raw: all that the file says of it
    :param environment: what its processes get, ``env_file`` included
    """

    name: str
    raw: Mapping[str, Any]
    environment: Mapping[str, str]

    def started_with(self, shell: Mapping[str, str]) -> Service:
        """Return the service with what it takes from the shell that starts it."""
        taken = {name: shell[name] for name in self.from_shell if name in shell}
        return replace(self, environment={**self.environment, **taken})

    @property
    def from_shell(self) -> list[str]:
        """The names that the file gives no value."""
        environment = self.raw.get("environment", {})
        return [name for name, value in environment.items() if value is None]

    @property
    def command(self) -> list[str]:
        command = self.raw["command"]
        assert isinstance(command, list), f"{self.name}: a command is a list of arguments"
        return [str(word) for word in command]

    @property
    def health_check(self) -> list[str]:
        """The command that says whether it is well; empty for a service without one."""
        kind, *words = self.raw.get("healthcheck", {}).get("test", ["NONE"])
        match kind:
            case "CMD":
                return [str(word) for word in words]
            case "CMD-SHELL":
                return ["sh", "-c", *words]
        return []

    @property
    def ports(self) -> list[int]:
        """Where it listens."""
        return [int(port) for port in self.raw.get("expose", [])]

    @property
    def mounts(self) -> list[Mount]:
        volumes = [_mount(text) for text in self.raw.get("volumes", [])]
        return [*volumes, *(Mount("", target) for target in self.raw.get("tmpfs", []))]

    @property
    def conditions(self) -> dict[str, str]:
        """What must be true of others before it starts."""
        depends_on = self.raw.get("depends_on", {})
        return {name: one["condition"] for name, one in depends_on.items()}

    @property
    def runs_on(self) -> bool:
        """Whether it runs until it is stopped."""
        return self.raw["restart"] == "unless-stopped"

    @property
    def is_started(self) -> bool:
        """Whether `docker compose up` starts it."""
        return not self.raw.get("profiles")


def _mount(text: str) -> Mount:
    parts = text.split(":")
    return Mount("", *parts) if len(parts) == 1 else Mount(*parts)


@cache
def parsed(path: Path = FILE) -> dict[str, Any]:
    """Return the file as it is written, its anchors and merges resolved."""
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def services(environment: Mapping[str, str], path: Path = FILE) -> dict[str, Service]:
    """Return the services by their names.

    :param environment: what `.env` says
    :raises MissingVariableError: it lacks what the file asks for
    """
    content = interpolated(parsed(path), environment)
    return {name: _service(name, raw, path.parent) for name, raw in content["services"].items()}


def _service(name: str, raw: Mapping[str, Any], folder: Path) -> Service:
    environment: dict[str, str] = {}
    for file in raw.get("env_file", []):
        path = folder / file["path"]
        if file["required"] or path.exists():
            environment |= read_environment_file(path)
    given = raw.get("environment", {}).items()
    environment |= {name: str(value) for name, value in given if value is not None}
    return Service(name, raw, environment)
