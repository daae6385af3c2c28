"""A stack whose tasks run on two workers that share no folder, only databases and a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.processes import start_component
from demo.stack import Stack

WORKERS = ("one", "two")
#: How many tasks each may run at once: too few for all, so that there is always work for the other.
TASKS_AT_ONCE = 2


class TwoWorkers(Stack):
    """Two schedulers, each with a LocalExecutor of its own: with folders of its own for its tasks.

    Airflow calls a task's host what the worker calls itself, which is the folder that it works in.

    :param metadata_url: Airflow's database, which must be one that several schedulers may use
    """

    def __init__(
        self, folder: Path, *, metadata_url: str, extra_environment: dict[str, str], **options: Any
    ) -> None:
        settings = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata_url,
            "AIRFLOW__CORE__PARALLELISM": str(TASKS_AT_ONCE),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "os.getcwd",
            **extra_environment,
        }
        super().__init__(folder, extra_environment=settings, **options)
        self.workers = {name: self.folders.root / f"worker-{name}" for name in WORKERS}

    def home(self, worker: str) -> Path:
        """Return the data root that a worker's settings name; it is the worker's to make."""
        return self.workers[worker] / "home"

    def _start_component(self, name: str, argv: Sequence[str | Path]) -> None:
        if name != "scheduler":
            super()._start_component(name, argv)
            return
        for worker, folder in self.workers.items():
            temporary = folder / "tmp"
            temporary.mkdir(parents=True)
            own = {"REELFLOW_HOME": str(self.home(worker)), "TMPDIR": str(temporary)}
            component = start_component(
                f"scheduler-{worker}",
                argv,
                environment={**self.environment, **own},
                folder=folder,
                log_path=self.folders.logs / f"scheduler-{worker}.log",
            )
            self.components.append(component)
            self._record().write()
