"""Which tests stay together when processes share them: those of a file, or of a few files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from xdist.scheduler import LoadFileScheduling

REPOSITORY: Final = Path(__file__).parents[1]
#: By what they share, files that find it running if the process that has one has them all.
SHARING: Final = {
    "the end-to-end stack": (
        "tests/e2e/test_prepare_media.py",
        "tests/e2e/test_publish_to_tiktok.py",
    ),
    "Airflow's API server": (
        "tests/integration/test_dags_in_airflow.py",
        "tests/integration/test_foreign_ids.py",
        "tests/integration/test_many_clients.py",
        "tests/integration/test_plugin_api.py",
        "tests/integration/test_schema_fuzzed.py",
    ),
}
_SHARED: Final = {file: shared for shared, files in SHARING.items() for file in files}


class WorkUnits(LoadFileScheduling):
    """Hands out files in their order, and those that share something as one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        gone = [file for file in _SHARED if not (REPOSITORY / file).is_file()]
        assert not gone, f"{gone}: say here what they are called now"

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return _SHARED.get(file, file)
