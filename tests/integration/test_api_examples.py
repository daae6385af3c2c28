"""The examples of docs/api.md, run as they stand, and the table of errors beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from reelflow.api.statuses import STATUSES
from reelflow.domain.post import PostState
from reelflow.ledger.models import Post
from tests import factories, media_files
from tests.integration.intake_server import IntakeServer
from tests.photo_files import unique_image

DEADLINE_S: Final = 60
PAGE: Final = Path(__file__).parents[2] / "docs" / "api.md"
_FENCE: Final = re.compile(r"^```(bash|python)( setup| s3)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SETUP: Final = " setup"
_S3: Final = " s3"


@dataclass(frozen=True)
class Example:
    """One block of the page, with the lines that each of its language begins with."""

    name: str
    language: str
    code: str
    needs_s3: bool

    def run(self, serving: IntakeServer, folder: Path) -> str:
        """Run it beside the files that it speaks of, and return what it printed."""
        _put_files(folder)
        shell = ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run(
            [*(shell if self.language == "bash" else [sys.executable, "-c"]), self.code],
            cwd=folder,
            env=os.environ | {"REELFLOW_API_URL": serving.api, "REELFLOW_API_KEY": serving.anna},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _examples() -> Iterator[Example]:
    page = PAGE.read_text()
    blocks = list(_FENCE.finditer(page))
    setup = {block[1]: block[3] for block in blocks if block[2] == _SETUP}
    for block in blocks:
        if block[2] != _SETUP:
            title = page[: block.start()].rpartition("\n## ")[2].partition("\n")[0]
            code = setup[block[1]] + block[3]
            yield Example(f"{title} ({block[1]})", block[1], code, block[2] == _S3)


EXAMPLES: Final = list(_examples())
IN_A_FOLDER: Final = [one for one in EXAMPLES if not one.needs_s3]
IN_S3: Final = [one for one in EXAMPLES if one.needs_s3]


def _put_files(folder: Path) -> None:
    """Put the files of the page into a folder; the same content is the same post."""
    unused = uuid.uuid4().bytes * 400_000
    box = (8 + len(unused)).to_bytes(4, "big") + b"free" + unused
    (folder / "clip.mp4").write_bytes(media_files.h264_mp4().read_bytes() + box)
    for name in ("1.jpg", "2.jpg"):
        (folder / name).write_bytes(unique_image())


@pytest.fixture(scope="module", autouse=True)
def account(shared_serving: IntakeServer) -> None:
    factories.make_account(shared_serving.workspace, "my.brand")


def test_each_flow_has_an_example_in_both_languages() -> None:
    flows = [one.name.partition(" (")[0] for one in EXAMPLES]

    assert flows[::2] == flows[1::2]
    assert len(set(flows)) == 6
    assert [one.language for one in EXAMPLES] == ["bash", "python"] * 6


@pytest.mark.parametrize("example", IN_A_FOLDER, ids=lambda one: one.name)
def test_an_example_runs_as_it_stands(
    example: Example, shared_serving: IntakeServer, tmp_path: Path
) -> None:
    printed = example.run(shared_serving, tmp_path)

    assert printed.strip()


@pytest.mark.parametrize("serving", ["s3"], indirect=True)
@pytest.mark.parametrize("example", IN_S3, ids=lambda one: one.name)
def test_an_example_of_s3_runs_as_it_stands(
    example: Example, serving: IntakeServer, tmp_path: Path
) -> None:
    factories.make_account(serving.workspace, "my.brand")

    printed = example.run(serving, tmp_path)

    assert printed.strip()
    with serving.workspace.ledger.read() as session:
        assert [post.state for post in session.query(Post)] == [PostState.READY]


def test_the_page_names_every_reason_beside_its_status() -> None:
    rows = re.findall(r"^\| ([0-9]{3}) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    named = {
        reason: int(status) for status, reasons in rows for reason in re.findall("`(.*?)`", reasons)
    }

    assert named == STATUSES
