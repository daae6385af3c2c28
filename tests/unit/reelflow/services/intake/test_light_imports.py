"""What looks for new uploads and judges files asks TikTok nothing, and loads nothing for it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["reelflow.services.discover", "reelflow.services.intake.prepare"]
)
def test_taking_and_judging_files_loads_no_http_client(module: str) -> None:
    script = (
        f"import sys, {module}\n"
        "heavy = {'requests', 'httpx', 'reelflow.tiktok.client'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
