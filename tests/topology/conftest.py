"""The services of `docker-compose.yaml`, running, as an operator sets them up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.postgresql import program_folder
from demo.redis import missing_programs
from deploy.environment_file import main as write_environment_file
from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY
from tests.contract.storage.stores import S3Server
from tests.e2e.conftest import ends_on_sigterm
from tests.integration.simulator_process import Simulator
from tests.postgresql import NOT_INSTALLED
from tests.s3_bucket import Bucket, new_bucket
from tests.topology.compose_file import FILE, REPOSITORY, services
from tests.topology.interpolation import read_environment_file
from tests.topology.native import Native
from tests.topology.running import Topology
from tests.topology.wheel import build_wheel, unpack
from tests.unprivileged import reachable_folder

__all__ = ["ends_on_sigterm"]

#: What an operator copies beside the image.
DEPLOYED = ("docker-compose.yaml", ".env.example", "deploy/databases.sql")
TUNING = {
    "REELFLOW_INBOX_QUIET_S": "2",
    "REELFLOW_WATCH_INTERVAL_S": "2",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
}


@dataclass(frozen=True)
class Code:
    """What the image has installed.

    :param programs: the folder of its programs
    :param python_path: what goes before what its interpreter knows; empty for nothing
    """

    programs: Path
    python_path: str


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A folder that the services' users get to."""
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def code(root: Path) -> Code:
    """The wheel before the tests' own environment; or what `make setup-image` installs."""
    if not os.environ.get("TOPOLOGY_IMAGE"):
        wheel = build_wheel(root / "dist")
        return Code(Path(sys.executable).parent, str(unpack(wheel, root / "code")))
    venv = root / "venv"
    subprocess.run(
        ["make", "--silent", "setup-image", f"VENV={venv}", f"PYTHON={sys.executable}"],
        cwd=REPOSITORY,
        check=True,
    )
    return Code(venv / "bin", "")


@pytest.fixture(scope="module")
def simulator_process() -> Iterator[Simulator]:
    """A simulator whose posts have their links at once."""
    simulator = Simulator("--link-polls", "0")
    try:
        yield simulator
    finally:
        simulator.stop()


@pytest.fixture(scope="module")
def bucket(s3_process: S3Server) -> Bucket:
    return new_bucket(s3_process)


@pytest.fixture(scope="module")
def project(root: Path, bucket: Bucket, s3_process: S3Server, simulator_process: Simulator) -> Path:
    """The folder from which the services are started, with `.env` as an operator writes it."""
    project = root / "project"
    for name in DEPLOYED:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, project / name)
    write_environment_file(project)
    s3 = {
        "conn_type": "aws",
        "login": ACCESS_KEY,
        "password": SECRET_KEY,
        "extra": {
            "region_name": REGION,
            "endpoint_url": s3_process.url,
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        },
    }
    app = {
        "conn_type": "tiktok",
        "host": simulator_process.api,
        "login": simulator_process.client_key,
        "password": simulator_process.client_secret,
    }
    answers = {
        "REELFLOW_BUCKET": bucket.name,
        "AIRFLOW_CONN_AWS_DEFAULT": f"'{json.dumps(s3)}'",
        "AIRFLOW_CONN_TIKTOK_APP": f"'{json.dumps(app)}'",
    }
    path = project / ".env"
    text = path.read_text()
    for name, value in answers.items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    path.write_text(text)
    tuning = {**TUNING, "REELFLOW_SIMULATOR_UPLOAD_HOSTS": simulator_process.upload_host}
    lines = [f"{name}={value}\n" for name, value in tuning.items()]
    (project / "settings.env").write_text("".join(lines))
    return project


@pytest.fixture(scope="module")
def topology(root: Path, project: Path, code: Code) -> Iterator[Topology]:
    """Every service, started in its order and well."""
    database_programs = program_folder()
    if database_programs is None:
        pytest.skip(NOT_INSTALLED)
    if missing_programs():
        pytest.skip("Redis is not installed: `make redis` (Debian: apt-get install redis-server)")
    path = [str(code.programs), str(database_programs), os.defpath]
    native = Native.place(
        services(read_environment_file(project / ".env"), project / FILE.name),
        root=root / "containers",
        project=project,
        programs=os.pathsep.join(path),
        python_path=code.python_path,
    )
    with Topology(native, database_programs) as topology:
        topology.up()
        topology.wait_well()
        yield topology
        topology.check_alive()
