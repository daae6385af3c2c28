"""What tests of media share."""

from pathlib import Path

import pytest

from tests.first_files import break_libav


@pytest.fixture
def no_libav(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine whose av package cannot be loaded."""
    break_libav(monkeypatch, tmp_path, loading="raise ImportError('libavcodec.so: not found')")
