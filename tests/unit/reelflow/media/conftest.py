"""What tests of media share."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def no_libav(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose av package cannot be loaded."""
    (tmp_path / "av").mkdir()
    (tmp_path / "av" / "__init__.py").write_text("raise ImportError('libavcodec.so: not found')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "av", raising=False)  # where tests of the child left it
