"""A service's command and environment as a process of this machine gets them.

Only what a container has of its own is replaced: names and ports of the network, mounted folders,
and the place of the DAGs in the image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.environment import ADDRESS, free_port
from tests.topology.compose_file import REPOSITORY, Service

DAGS_IN_IMAGE: Final = "/opt/reelflow/dags"


@dataclass(frozen=True)
class Native:
    """Where the services' ports and folders are on this machine.

    :param root: holds the services' folders, each below its service's name
    :param project: the folder of the Compose file
    :param programs: what the image has on its path
    :param python_path: code that goes before what is installed; empty for none
    """

    services: Mapping[str, Service]
    root: Path
    project: Path
    programs: str
    python_path: str
    ports: Mapping[tuple[str, int], int]

    @classmethod
    def place(
        cls,
        services: Mapping[str, Service],
        *,
        root: Path,
        project: Path,
        programs: str,
        python_path: str = "",
    ) -> Native:
        """Find a free port for each at which a service listens."""
        wanted = [(one.name, port) for one in services.values() for port in one.ports]
        ports: dict[tuple[str, int], int] = {}
        while len(set(ports.values())) < len(wanted):
            ports = {key: free_port() for key in wanted}
        return cls(services, root, project, programs, python_path, ports)

    def folder(self, service: Service, target: str) -> Path:
        """Return what is mounted at a path of the service's container."""
        mount = next(one for one in service.mounts if one.target == target)
        if mount.is_bind:
            return (self.project / mount.source).resolve(strict=True)
        return self.root / service.name / target.strip("/").replace("/", "-")

    def url(self, service: str, port: int) -> str:
        """Return the address of a service that speaks HTTP."""
        return f"http://{ADDRESS}:{self.ports[service, port]}"

    def command(self, service: Service) -> list[str]:
        """Return the service's command."""
        return [self._own(service, word) for word in service.command]

    def health_check(self, service: Service) -> list[str]:
        """Return the command that says whether the service is well."""
        return [self._own(service, word) for word in service.health_check]

    def environment(self, service: Service) -> dict[str, str]:
        """Return what the service's processes get, and nothing of whoever runs the tests."""
        image = {
            "PATH": self.programs,
            "HOME": str(self.root / "home"),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",  # the image's file system is read-only
            "TMPDIR": str(self.folder(service, "/tmp")),
            "LOGNAME": service.name,  # the image has a user of its own, this machine may not
            **({"PYTHONPATH": self.python_path} if self.python_path else {}),
        }
        return image | {
            name: self._value(service, value) for name, value in service.environment.items()
        }

    def _value(self, service: Service, value: str) -> str:
        own = {str(port): str(self.ports[service.name, port]) for port in service.ports}
        return own.get(value) or self._network(self._paths(service, value))

    def _own(self, service: Service, word: str) -> str:
        """Replace what a service says of itself: where it listens."""
        for port in service.ports:
            word = re.sub(rf"(?<!\d){port}(?!\d)", str(self.ports[service.name, port]), word)
        return self._network(self._paths(service, word.replace("0.0.0.0", ADDRESS)))

    def _network(self, text: str) -> str:
        names = "|".join(sorted(map(re.escape, self.services), key=len, reverse=True))

        def here(match: re.Match[str]) -> str:
            return f"{ADDRESS}:{self.ports[match['name'], int(match['port'])]}"

        return re.sub(rf"(?<=[/@])(?P<name>{names}):(?P<port>\d+)", here, text)

    def _paths(self, service: Service, text: str) -> str:
        places = {one.target: str(self.folder(service, one.target)) for one in service.mounts}
        places[DAGS_IN_IMAGE] = str(REPOSITORY / "dags")
        targets = "|".join(sorted(map(re.escape, places), key=len, reverse=True))
        return re.sub(
            rf"(?<![\w/.-])(?P<target>{targets})(?![\w.-])",
            lambda match: places[match["target"]],
            text,
        )
