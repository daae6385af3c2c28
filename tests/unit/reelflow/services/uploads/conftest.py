"""Uploads of a user, on a workspace in a tmp folder whose store can fail, or signs as a bucket."""

from __future__ import annotations

import pytest

from reelflow.services.workspace import Workspace
from tests.chunked_uploads import Uploads
from tests.frail_store import FrailStore, with_frail_store
from tests.presigning_folder import PresigningFolder, with_presigning_folder


@pytest.fixture
def frail(workspace: Workspace) -> tuple[Workspace, FrailStore]:
    return with_frail_store(workspace)


@pytest.fixture
def store(frail: tuple[Workspace, FrailStore]) -> FrailStore:
    return frail[1]


@pytest.fixture
def bucket(workspace: Workspace) -> Workspace:
    """The same workspace, on what signs forms and addresses."""
    return with_presigning_folder(workspace)[0]


@pytest.fixture
def bucket_store(bucket: Workspace) -> PresigningFolder:
    store = bucket.folders.store
    assert isinstance(store, PresigningFolder)
    return store


@pytest.fixture
def uploads(frail: tuple[Workspace, FrailStore]) -> Uploads:
    """Anna's."""
    return Uploads(frail[0])
