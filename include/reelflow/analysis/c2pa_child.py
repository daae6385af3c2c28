"""The service of the child that reads C2PA manifests; see `reelflow.sandbox`.

It imports c2pa, and looks at a file only once it can open nothing any more.
"""

from __future__ import annotations

import io
from typing import Any, Final

import c2pa

from reelflow.sandbox.inside import parent
from reelflow.sandbox.inside.range_file import RangeFile

VERSION: Final = f"{c2pa.sdk_version()} (c2pa-python {c2pa.__version__})"

FAILURES: Final = (c2pa.C2paError, OSError, ValueError, MemoryError)
"""What a file was seen to raise. Anything else ends the process, which the parent survives."""


def _settings(*, is_checked: bool) -> dict[str, Any]:
    """Give c2pa's settings: nothing is fetched, neither a manifest nor a certificate's state."""
    return {
        "core": {"allowed_network_hosts": [], "max_decompressed_manifest_size_in_mb": 32},
        "verify": {
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            "verify_after_reading": is_checked,
        },
    }


c2pa.Stream(io.BytesIO())  # the first one opens files of /proc, which the seal forbids


class _ReadOnlyFile(RangeFile):
    """A file with all methods that c2pa wants to see."""

    def write(self, data: bytes) -> int:
        """Refuse to write."""
        raise OSError(f"{len(data)} bytes cannot be written: the file is for reading")

    def flush(self) -> None:
        """Do nothing: nothing is written."""


class Service:
    """Reads the manifest store of one file."""

    def answer(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Give the file's manifest store as JSON; none is empty.

        Where it is to be checked, with its ``validation_state``.
        """
        file = _ReadOnlyFile(parent.ask_range, question["size_bytes"])
        file.allow(question["most_bytes"])
        settings = _settings(is_checked=question["is_checked"])
        context = c2pa.Context(c2pa.Settings.from_dict(settings))
        try:
            with c2pa.Reader(question["mime_type"], file, context=context) as reader:
                return {"store": reader.json()}, []
        except c2pa.C2paError.ManifestNotFound:
            return {"store": "{}"}, []
