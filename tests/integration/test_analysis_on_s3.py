"""Content analysis of files in S3: in few requests, and by an engine that fetches them itself."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import requests

from reelflow.analysis.base import Subject
from reelflow.analysis.connection import DetectionConnection
from reelflow.analysis.http_engine import HttpEngine
from reelflow.analysis.provenance import NO_EVIDENCE, ProvenanceEngine
from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.exceptions import ConfigurationError
from reelflow.ledger.models import Account, Media, Post
from reelflow.services.intake.analyse import analyse
from reelflow.services.intake.engines import open_engines
from reelflow.services.workspace import Workspace
from reelflow.storage.base import MediaStore
from reelflow.storage.folders import Folders
from tests import content_credentials, media_files
from tests.contract.storage.stores import S3Server, open_store
from tests.detection_server import DetectionServer
from tests.factories import ACTOR, change_account

KEY = "media/picture"
MIB = 1024 * 1024


@pytest.fixture
def store(s3_server: S3Server) -> MediaStore:
    where = {"url": s3_server.url, "bucket": s3_server.new_bucket(), "prefix": "reelflow"}
    return open_store(where)


@pytest.fixture
def detector() -> Iterator[DetectionServer]:
    with DetectionServer() as server:
        yield server


def chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png_of_small_parts() -> bytes:
    """Five MiB in 640 parts, as libpng writes them."""
    header = struct.pack(">IIBBBBB", 1300, 1300, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", bytes(8192)) * 640
        + chunk(b"IEND", b"")
    )


def padded_video() -> bytes:
    """Twelve MiB more than its frames need, all of which a signature covers."""
    video = media_files.h264_mp4().read_bytes()
    return video + struct.pack(">I4s", 8 + 12 * MIB, b"mdat") + bytes(12 * MIB)


def provenance_of(store: MediaStore, content: bytes, container: str) -> object:
    store.put(KEY, content, size_bytes=len(content))
    engine = ProvenanceEngine()
    with store.open(KEY) as source:
        started = engine.start(Subject(source, container, "0" * 64), model_type="provenance")
    return engine.read(started.id).details["summary"]


def requests_made(server: S3Server) -> list[str | None]:
    return [call["range"] for call in server.calls() if call["method"] == "GET"]


def test_the_declarations_of_a_picture_in_many_parts_take_few_requests(
    s3_server: S3Server, store: MediaStore
) -> None:
    assert provenance_of(store, png_of_small_parts(), "png") == NO_EVIDENCE
    assert len(requests_made(s3_server)) <= 30


def test_the_declarations_of_a_signed_video_take_few_requests(
    s3_server: S3Server, store: MediaStore
) -> None:
    signed = content_credentials.sign(padded_video(), "video/mp4")
    assert "C2PA" in str(provenance_of(store, signed, "mp4"))
    assert len(requests_made(s3_server)) <= 15


@pytest.fixture
def post(
    workspace: Workspace,
    account: Account,
    make_post: Callable[..., Post],
) -> Post:
    """A post whose account asks the engine."""
    change_account(
        workspace,
        account.id,
        analysis_policy=AnalysisPolicy.LABEL,
        analysis_engine=AnalysisEngine.HTTP,
        analysis_model_type="cnn",
    )
    return make_post(account, content=b"the video")


def ask(workspace: Workspace, post: Post, detector: DetectionServer) -> None:
    connection = DetectionConnection(detector.url, sends_url=True)
    with open_engines(connection) as engines:
        analyse(
            workspace, post.id, engines=engines, run_id="run", actor=ACTOR, sleep=lambda _: None
        )


def test_an_engine_gets_an_address_that_works_for_a_quarter_of_an_hour(
    s3_server: S3Server,
    store: MediaStore,
    workspace: Workspace,
    post: Post,
    detector: DetectionServer,
) -> None:
    kept = store.put(post.media.source_path, b"the video", size_bytes=9)
    with workspace.ledger.write() as session:
        session.get_one(Media, post.media.id).source_identity = kept.identity
    ask(replace(workspace, folders=Folders(lambda: store)), post, detector)
    url = json.loads(detector.calls[0].body)["url"]
    assert requests.get(url, timeout=30).content == b"the video"
    s3_server.advance(15 * 60 + 1)
    assert requests.get(url, timeout=30).status_code == 403


def test_an_engine_gets_the_bytes_of_a_file_by_one_request(
    s3_server: S3Server, store: MediaStore, detector: DetectionServer
) -> None:
    content = bytes(range(256)) * 4096 * 3 + b"end"
    store.put(KEY, content, size_bytes=len(content))
    with store.open(KEY) as source, HttpEngine(DetectionConnection(detector.url)) as engine:
        engine.start(Subject(source, "mp4", "0" * 64), model_type="cnn")
    assert detector.calls[0].body == content
    assert requests_made(s3_server) == [f"bytes=0-{len(content) - 1}"]


def test_files_in_a_folder_have_no_address(
    workspace: Workspace, post: Post, detector: DetectionServer
) -> None:
    with pytest.raises(ConfigurationError, match="keep the media in S3") as caught:
        ask(workspace, post, detector)
    assert caught.value.code == "analysis_no_address"
    assert detector.calls == []
