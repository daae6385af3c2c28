from pathlib import Path

import pytest

from reelflow.cli.workspace import open_workspace
from reelflow.exceptions import LedgerNotMigratedError
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.unit.reelflow.cli.conftest import Run


def test_the_workspace_is_the_one_of_the_environment(run: Run, workspace: Workspace) -> None:
    opened = open_workspace()
    assert data_folder(opened).root == data_folder(workspace).root
    assert opened.ledger.engine.url == workspace.ledger.engine.url


def test_a_ledger_that_is_not_migrated_is_not_opened(bare_run: Run, tmp_path: Path) -> None:
    with pytest.raises(LedgerNotMigratedError, match="reelflow db upgrade"):
        open_workspace()
