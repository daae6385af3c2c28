import io
import subprocess
import sys

import pytest
from PIL import Image

from reelflow.exceptions import MediaRejectedError
from reelflow.media.thumbnail import make_thumbnail
from reelflow.source import BytesSource


def test_an_image_gets_a_cover() -> None:
    written = io.BytesIO()
    Image.new("RGB", (1280, 960), "red").save(written, "PNG")
    made = make_thumbnail(BytesSource(written.getvalue()))
    with Image.open(io.BytesIO(made.jpeg)) as cover:
        assert (cover.format, cover.size) == ("JPEG", (640, 480))
    assert (made.width, made.height) == (640, 480)


def test_of_what_cannot_be_decoded_there_is_none() -> None:
    with pytest.raises(MediaRejectedError, match="cannot be decoded"):
        make_thumbnail(BytesSource(b"\x89PNG\r\n\x1a\n broken"))


def test_services_can_import_it_without_loading_pillow() -> None:
    code = (
        "import sys, reelflow.media.inspection, reelflow.media.thumbnail\n"
        "sys.exit('PIL' in sys.modules)"
    )
    paths = "\n".join(f"import sys; sys.path.insert(0, {entry!r})" for entry in sys.path if entry)
    assert subprocess.run([sys.executable, "-c", f"{paths}\n{code}"], check=False).returncode == 0
