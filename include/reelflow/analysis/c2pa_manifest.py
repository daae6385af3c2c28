"""The C2PA manifests of a file, read by a limited child process, and what they declare."""

from __future__ import annotations

import importlib.util
import json
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from reelflow.analysis.base import Source, Subject
from reelflow.analysis.digital_source import GENERATED, term_of
from reelflow.exceptions import (
    AnalysisRefusedError,
    AnalysisUnavailableError,
    ConfigurationError,
    MediaToolError,
)

_CHILD: Final = Path(__file__).with_name("c2pa_child.py")
#: Containers that c2pa 0.38.1 reads, and their types.
_MIME_TYPES: Final = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/avi",
}
_REQUEST: Final = struct.Struct(">QI")
_READ_MAX_BYTES: Final = 4 * 1024 * 1024
_SOURCE_TYPE_KEYS: Final = frozenset({"digitalsourcetype"})
_MAX_NODES: Final = 50_000
_NOT_LOADED: Final = 3  # exit code of a child whose library cannot be loaded


class FinishedRun(Protocol):
    """How a limited run ended."""

    @property
    def return_code(self) -> int:
        """Zero when all went well; negative when a signal ended it."""

    @property
    def stdout(self) -> bytes:
        """What it printed."""


class RunLimited(Protocol):
    """Runs a program under limits; `reelflow.media.runner.run_tool` is one."""

    def __call__(self, argv: Sequence[str], *, pass_fds: Sequence[int]) -> FinishedRun:
        """Run it to its end."""


@dataclass(frozen=True)
class Declared:
    """What a file's manifests declare.

    :param has_manifest: whether there is any
    :param terms: digital source types that mean generated, in the order they were met
    :param details: for people: who signed, how the signature checks, what could not be read
    """

    has_manifest: bool
    terms: tuple[str, ...]
    details: dict[str, Any]


def read_declared(subject: Subject, run: RunLimited) -> Declared:
    """Return what the C2PA manifests of a file declare, valid or not.

    :raises AnalysisRefusedError: the library broke down over the file
    :raises ConfigurationError: c2pa is not installed
    """
    mime_type = _MIME_TYPES.get(subject.container)
    if mime_type is None:
        return Declared(False, (), {})
    return _declared(_read_store(subject.source, mime_type, run))


def _read_store(source: Source, mime_type: str, run: RunLimited) -> dict[str, Any]:
    ours, childs = socket.socketpair()
    failures: list[Exception] = []
    server = threading.Thread(target=_serve, args=(ours, source, failures), daemon=True)
    server.start()
    argv = [sys.executable, "-I", "-S", str(_CHILD), _library_folder()]
    argv += [str(childs.fileno()), str(source.size_bytes), mime_type]
    try:
        finished = run(argv, pass_fds=(childs.fileno(),))
    except MediaToolError as exc:
        raise AnalysisUnavailableError(f"the C2PA library could not run: {exc}") from exc
    finally:
        childs.close()
        server.join()
    if failures:
        raise failures[0]
    if finished.return_code == _NOT_LOADED:
        raise _not_installed()
    if finished.return_code != 0:
        raise AnalysisRefusedError(
            f"the C2PA library broke down over the file (exit code {finished.return_code}): look "
            "at the file, and at where it comes from"
        )
    return _json_object(finished.stdout)


def _json_object(printed: bytes) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        store = json.loads(printed)
        if isinstance(store, dict):
            return store
    return {"error": "what the C2PA library printed is no JSON"}


def _serve(channel: socket.socket, source: Source, failures: list[Exception]) -> None:
    """Read for the child until it is gone.

    :param failures: gets what kept the file from being read
    """
    with channel, channel.makefile("rb") as requests:
        while len(request := requests.read(_REQUEST.size)) == _REQUEST.size:
            offset, count = _REQUEST.unpack(request)
            try:
                piece = source.read_at(offset, min(count, _READ_MAX_BYTES))
            except Exception as exc:  # noqa: BLE001 - raised again where the child is waited for
                failures.append(exc)
                return
            with suppress(OSError):  # a child that was stopped hears nothing any more
                channel.sendall(struct.pack(">I", len(piece)) + piece)


def _library_folder() -> str:
    """Return where c2pa is installed; it is never loaded into this process."""
    found = importlib.util.find_spec("c2pa")
    if found is None or found.origin is None:
        raise _not_installed()
    return str(Path(found.origin).parents[1])


def _not_installed() -> ConfigurationError:
    return ConfigurationError(
        "c2pa-python is not installed, or its library cannot be loaded; install Reelflow's "
        "requirements again",
        code="c2pa_missing",
    )


def _declared(store: Mapping[str, Any]) -> Declared:
    if "error" in store:
        return Declared(False, (), {"error": _plain(store["error"])})
    if not store:
        return Declared(False, (), {})
    values = [value for key, value in _strings(store.get("manifests")) if key in _SOURCE_TYPE_KEYS]
    terms = tuple(dict.fromkeys(term for value in values if (term := term_of(value)) in GENERATED))
    return Declared(True, terms, _signature(store))


def _strings(node: object) -> Iterator[tuple[str, str]]:
    """Give each string in a JSON document with the local part of its key, in lower case."""
    waiting: list[tuple[str, object]] = [("", node)]
    for _ in range(_MAX_NODES):
        if not waiting:
            return
        key, value = waiting.pop()
        if isinstance(value, str):
            yield key.rpartition(":")[2].lower(), value
        elif isinstance(value, dict):
            waiting += reversed(value.items())
        elif isinstance(value, list):
            waiting += [(key, one) for one in reversed(value)]


def _signature(store: Mapping[str, Any]) -> dict[str, Any]:
    """Tell who signed the active manifest, and what the check of its signature says."""
    manifests = store.get("manifests")
    active = manifests.get(store.get("active_manifest")) if isinstance(manifests, dict) else None
    active = active if isinstance(active, dict) else {}
    signed_by, generators = active.get("signature_info"), active.get("claim_generator_info")
    codes = store.get("validation_status")
    return {
        # Invalid, Valid, or Trusted; Trusted needs a list of trust, which Reelflow ships none of.
        "validation_state": _plain(store.get("validation_state")),
        "validation_codes": [
            _plain(one.get("code"))
            for one in (codes if isinstance(codes, list) else [])[:20]
            if isinstance(one, dict)
        ],
        "signed_by": _plain(signed_by.get("issuer")) if isinstance(signed_by, dict) else "",
        "claim_generator": ", ".join(
            _plain(one.get("name"))
            for one in (generators if isinstance(generators, list) else [])[:5]
            if isinstance(one, dict)
        ),
    }


def _plain(value: object) -> str:
    """Return a stranger's text without what could act on a screen or a database."""
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text[:300] if char.isprintable())
