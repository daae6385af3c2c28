"""Every test of the contract runs on both adapters: a folder, and S3 over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.storage.s3 import S3Store
from tests.contract.storage.stores import Place, S3Server, Store, open_store


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        root = tmp_path / "store"
        root.mkdir()
        where = {"root": str(root)}
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        where = {"url": server.url, "bucket": server.new_bucket(), "prefix": "reelflow/test"}
    return Place(open_store(where), where)


@pytest.fixture
def store(place: Place) -> Store:
    return place.store


@pytest.fixture
def s3_store(s3_server: S3Server) -> S3Store:
    store = open_store({"url": s3_server.url, "bucket": s3_server.new_bucket(), "prefix": "a"})
    assert isinstance(store, S3Store)
    return store
