"""Uploads of a user, on a workspace in a tmp folder."""

from __future__ import annotations

import pytest

from reelflow.services.workspace import Workspace
from tests.chunked_uploads import Uploads


@pytest.fixture
def uploads(workspace: Workspace) -> Uploads:
    """Anna's."""
    return Uploads(workspace)
