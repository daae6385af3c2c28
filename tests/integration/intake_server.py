"""Servers of the intake with users, each on a folder or a bucket of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import delete

from reelflow.domain.user import Scope
from reelflow.ledger.intake_models import ApiKey
from reelflow.ledger.models import Base
from reelflow.services.api_keys import create_key
from reelflow.services.workspace import Workspace
from reelflow.settings import Settings
from reelflow.storage.aws_variable import open_s3
from tests import factories
from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY
from tests.contract.storage.stores import S3Server
from tests.integration.airflow_server import AirflowServer
from tests.integration.simulator_process import Simulator
from tests.integration.web_process import WebProcess

#: Below what the objects lie, where they lie in a bucket.
PREFIX: Final = "reelflow"
#: Runs a test that has the fixture ``serving`` with its files in a folder, and in S3.
ON_BOTH_STORES: Final = pytest.mark.parametrize("serving", ["local", "s3"], indirect=True)
#: ... on `reelflow serve` and inside of Airflow's API server.
ON_BOTH_SERVERS: Final = pytest.mark.parametrize("serving", ["local", "plugin"], indirect=True)


@dataclass(frozen=True)
class IntakeServer:
    """A server that runs, and what its users know.

    :param process: `reelflow serve`, which can be killed and :func:`serving_intake` given the same
        home again; or Airflow's API server, by the plugin
    :param home: its data folder; its ledger is there also when its files are in S3
    :param settings: its environment, beside what every server has
    :param workspace: the same ledger and storage, from this process, by the machine's clock
    :param anna: key of a user who may write; so is Ben's
    :param carl: key of a user who may only read
    :param root: key of an admin
    :param bucket: where the files are; None where they are in ``home``
    """

    process: WebProcess | AirflowServer
    home: Path
    settings: Mapping[str, str]
    workspace: Workspace
    anna: str
    ben: str
    carl: str
    root: str
    bucket: str | None = None

    @property
    def api(self) -> str:
        """Address of the API, without a slash at its end."""
        return self.process.api


def headers_of(key: str) -> dict[str, str]:
    """Return the headers by which a key is shown."""
    return {"Authorization": f"Bearer {key}"}


def local_settings(home: Path, database_url: str) -> dict[str, str]:
    """Return the environment of a server whose files are in its data folder."""
    return {"REELFLOW_HOME": str(home), "REELFLOW_DATABASE_URL": database_url}


def s3_settings(home: Path, database_url: str, server: S3Server, bucket: str) -> dict[str, str]:
    """Return the environment of a server whose files are in a bucket."""
    extra = {
        "region_name": REGION,
        "endpoint_url": server.url,
        "config_kwargs": {
            "s3": {"addressing_style": "path"},
            "retries": {"mode": "standard", "total_max_attempts": 2},
        },
    }
    connection = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
    return local_settings(home, database_url) | {
        "REELFLOW_STORAGE_URL": f"s3://{bucket}/{PREFIX}",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
    }


def new_settings(
    home: Path, s3: S3Server | None, *, database_url: str | None = None
) -> tuple[dict[str, str], str | None]:
    """Return the environment of a server on a new ledger and store, and its bucket.

    :param s3: where the files are to lie; None for the data folder
    :param database_url: of the ledger; None for a new SQLite file
    """
    data, ledger = home / "data", home / "ledger"
    data.mkdir()
    ledger.mkdir()
    database_url = database_url or factories.migrated_sqlite(ledger)
    if s3 is None:
        return local_settings(data, database_url), None
    bucket = s3.new_bucket()
    return s3_settings(data, database_url, s3, bucket), bucket


def forget_everything(workspace: Workspace) -> None:
    """Empty ledger and store, of all but the users' keys."""
    with workspace.ledger.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != ApiKey.__tablename__:
                session.execute(delete(table))
    store = workspace.folders.store
    for upload in list(store.begun()):
        store.abort(upload)
    for found in list(store.list()):
        store.delete(found.key)


@contextmanager
def serving_intake(
    settings: Mapping[str, str],
    *,
    simulator: Simulator | None = None,
    bucket: str | None = None,
) -> Iterator[IntakeServer]:
    """Serve until the block ends, to users with keys of their own."""
    home, workspace = Path(settings["REELFLOW_HOME"]), open_workspace(settings)
    process = WebProcess(home, simulator, settings=settings)
    try:
        yield IntakeServer(
            process,
            home,
            settings,
            workspace,
            anna=_key(workspace, "anna", Scope.WRITE),
            ben=_key(workspace, "ben", Scope.WRITE),
            carl=_key(workspace, "carl", Scope.READ),
            root=_key(workspace, "root", Scope.ADMIN),
            bucket=bucket,
        )
    finally:
        process.kill()


def open_workspace(settings: Mapping[str, str]) -> Workspace:
    """Open what a server works with, in this process."""
    known = {
        name.removeprefix("REELFLOW_").lower(): value
        for name, value in settings.items()
        if name.startswith("REELFLOW_")
    }
    loaded = Settings(fernet_key=factories.FERNET_KEY, **known)  # type: ignore[arg-type]
    location = loaded.storage_location
    return loaded.open_workspace(partial(open_s3, location, settings) if location else None)


def _key(workspace: Workspace, user_id: str, scope: Scope) -> str:
    return create_key(workspace, user_id, "tests", frozenset({scope}), None, "tests")[1]
