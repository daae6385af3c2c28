"""The stores under test, each with a way for another process to open the same one."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config

from reelflow.storage.base import MultipartUpload
from reelflow.storage.local_store import LocalStore
from reelflow.storage.s3 import S3Store
from reelflow.storage.s3_client import client_config
from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY

REPOSITORY = Path(__file__).parents[3]
DEADLINE_S = 30.0
BLOCK_BYTES = 1024 * 1024

Store = LocalStore | S3Store


def s3_client(url: str, *, attempts: int = 1, **config: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        config=client_config().merge(
            Config(
                s3={"addressing_style": "path"},
                retries={"mode": "standard", "total_max_attempts": attempts},
                read_timeout=DEADLINE_S,
                **config,
            )
        ),
    )


def open_store(where: dict[str, str]) -> Store:
    """Open a store as :attr:`Place.where` names it."""
    if "root" in where:
        return LocalStore(Path(where["root"]))
    return S3Store(s3_client(where["url"]), where["bucket"], where["prefix"])


def put_part(
    store: Store, upload: MultipartUpload, number: int, content: bytes, *, sha256: str | None = None
) -> str | None:
    """Store a part as a request's body comes: in blocks."""
    with store.open_part(upload, number, sha256=sha256) as part:
        for start in range(0, len(content), BLOCK_BYTES):
            part.write(memoryview(content)[start : start + BLOCK_BYTES])
        return part.commit()


@dataclass(frozen=True)
class Place:
    """A store, and its address for another process."""

    store: Store
    where: dict[str, str]

    @property
    def is_s3(self) -> bool:
        return isinstance(self.store, S3Store)


class S3Server:
    """One running ``python -m tests.contract.storage.s3_server``.

    :param page_keys: most keys in an answer; so few that each listing has pages
    """

    def __init__(self, *, page_keys: int = 7) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.storage.s3_server"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=REPOSITORY,
            env={
                "PYTHONPATH": ":".join(sys.path),
                "MOTO_S3_DEFAULT_MAX_KEYS": str(page_keys),
            },
        )
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(DEADLINE_S) else b""
        if not line:
            self.stop()
            raise AssertionError("the S3 server printed no ready line")
        self.url: str = json.loads(line)["url"]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def new_bucket(self) -> str:
        bucket = f"bucket-{uuid.uuid4().hex}"
        s3_client(self.url).create_bucket(Bucket=bucket)
        return bucket

    def fault(self, method: str, contains: str = "", *, times: int = 1, **fault: Any) -> None:
        """Order a fault for the next calls whose URL contains something.

        :param fault: ``status``, ``code`` and ``headers`` of a refusal; or ``kind``: ``cut`` gives
            half of the answer, ``lost`` does what was asked and gives none, ``overtaken`` puts
            another object under the S3 key ``key`` first, ``rangeless`` gives the whole object,
            ``unconditional`` writes or copies whatever is there; and ``range``, which the call's
            own contains
        """
        order = {"kind": "", **fault, "method": method, "contains": contains, "times": times}
        requests.post(f"{self.url}/_control/fault", json=order, timeout=DEADLINE_S)

    def give_content(self, bucket: str, key: str, path: Path) -> None:
        """Make a local file the content of an object that is there; a sparse one costs nothing."""
        order = {"bucket": bucket, "key": key, "path": str(path)}
        answer = requests.post(f"{self.url}/_control/content", json=order, timeout=DEADLINE_S)
        answer.raise_for_status()

    def date(self, bucket: str, key: str, *, days_ago: float) -> None:
        """Make it as if an object had been put some days ago."""
        order = {"bucket": bucket, "key": key, "days_ago": days_ago}
        answer = requests.post(f"{self.url}/_control/date", json=order, timeout=DEADLINE_S)
        answer.raise_for_status()

    def advance(self, seconds: float) -> None:
        """Move the server's clock."""
        order = {"advance_s": seconds}
        requests.post(f"{self.url}/_control/clock", json=order, timeout=DEADLINE_S)

    def calls(self) -> list[dict[str, Any]]:
        """What was asked since the last reset, in order: method, url, range and sha256."""
        answer = requests.get(f"{self.url}/_control/calls", timeout=DEADLINE_S)
        return list(answer.json())

    def reset(self) -> None:
        requests.post(f"{self.url}/_control/reset", timeout=DEADLINE_S)
