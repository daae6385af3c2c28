"""`docker compose up` without Docker: each service a process of this machine, in its order."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from demo.exceptions import StackError
from demo.processes import Component, end_processes, start_component, tail
from demo.waiting import wait_until
from tests.topology import database_image
from tests.topology.compose_file import Service
from tests.topology.database_image import DatabaseImage
from tests.topology.native import Native
from tests.topology.unprivileged import Confinement

UP_S: Final = 300.0
CHECK_S: Final = 60.0
RUN_S: Final = 180.0


class Topology:
    """The services of a Compose file, running.

    :param native: where they are
    :param database_programs: the folder of PostgreSQL's programs
    """

    def __init__(self, native: Native, database_programs: Path) -> None:
        self.native = native
        self.confinement = Confinement()
        self.running: dict[str, Component] = {}
        self._well: set[str] = set()
        self._database_programs = database_programs
        self.logs = native.root / "logs"
        for folder in (self.logs, native.root / "home"):
            folder.mkdir(parents=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(*self.running)

    def up(self) -> None:
        """Start every service as soon as what it depends on is as it asks."""
        waiting = {one.name: one for one in self.native.services.values() if one.is_started}

        def all_started() -> bool:
            for service in [one for one in waiting.values() if self._may_start(one)]:
                self._start(waiting.pop(service.name))
            return not waiting

        self.wait(all_started, "every service to be started")

    def wait_well(self) -> None:
        """Wait until every service's health check says that it is well."""
        for service in self.native.services.values():
            if service.is_started and service.health_check:
                self.wait(
                    lambda one=service: self.is_well(one.name),
                    f"the health check of {service.name}",
                )

    def wait(
        self, condition: Callable[[], bool], waiting_for: str, *, deadline_s: float = UP_S
    ) -> None:
        """Wait for a condition while every service runs; tell what they said if it never comes.

        :param waiting_for: what the error says was waited for
        """
        try:
            wait_until(
                condition,
                deadline_s=deadline_s,
                waiting_for=waiting_for,
                check=self.check_alive,
                interval_s=0.5,
            )
        except StackError as error:
            said = (f"{name}:\n{tail(self.log(name))}" for name in self.running)
            raise AssertionError("\n".join([str(error), *said])) from error

    def is_well(self, name: str) -> bool:
        """Whether a service's health check succeeds."""
        service = self.native.services[name]
        try:
            self._run(service, self.native.health_check(service), timeout_s=CHECK_S)
        except (AssertionError, subprocess.TimeoutExpired):
            return False
        return True

    def run(
        self, name: str, *command: str, told: str = "", shell: Mapping[str, str] | None = None
    ) -> str:
        """Run a command as `docker compose run` does, in a service's environment.

        :param told: its standard input
        :param shell: what the operator's shell has exported
        """
        service = self.native.services[name].started_with(shell or {})
        self.wait(lambda: self._may_start(service), f"what {name} depends on")
        return self._run(service, command, told=told, timeout_s=RUN_S)

    def log(self, name: str) -> str:
        """Return what a service has said."""
        return (self.logs / f"{name}.log").read_text(errors="replace")

    def check_alive(self) -> None:
        """Raise if a service ended that runs on, or failed."""
        for name, component in self.running.items():
            if self.native.services[name].runs_on or component.popen.poll():
                component.check_alive()

    def stop(self, *names: str) -> None:
        """End services with all that they started."""
        ended = [self.running.pop(name) for name in names if name in self.running]
        end_processes([one.identity for one in ended])
        for one in ended:
            one.popen.wait()

    def _may_start(self, service: Service) -> bool:
        return all(self._is_met(name, how) for name, how in service.conditions.items())

    def _is_met(self, name: str, condition: str) -> bool:
        if name not in self.running:
            return False
        if condition == "service_completed_successfully":
            return self.running[name].popen.poll() == 0
        assert condition == "service_healthy"
        if name not in self._well and self.is_well(name):
            self._well.add(name)
        return name in self._well

    def _start(self, service: Service) -> None:
        log_path = self.logs / f"{service.name}.log"
        if service.name == database_image.SERVICE:
            image = DatabaseImage(self.native, self._database_programs)
            self.running[service.name] = image.start(log_path)
            return
        self._make_folders(service)
        self.running[service.name] = start_component(
            service.name,
            [*self.confinement.prefix(service.name), *self.native.command(service)],
            environment=self.native.environment(service),
            folder=self.native.root / "home",
            log_path=log_path,
        )

    def _make_folders(self, service: Service) -> None:
        for mount in service.mounts:
            folder = self.native.folder(service, mount.target)
            if not folder.exists():
                self.confinement.give(service.name, folder)

    def _run(
        self, service: Service, command: Sequence[str], *, timeout_s: float, told: str = ""
    ) -> str:
        self._make_folders(service)
        done = subprocess.run(
            [*self.confinement.prefix(service.name), *command],
            env=self.native.environment(service),
            cwd=self.native.root / "home",
            input=told,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            start_new_session=True,  # no terminal to ask for a password
        )
        said = tail(done.stdout + done.stderr)
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{said}"
        return done.stdout
