"""The C2PA manifests of a file, read by a fenced-in child process, and what they declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any, Final

from reelflow.analysis.base import Subject
from reelflow.analysis.digital_source import GENERATED, term_of
from reelflow.block_source import BlockSource
from reelflow.domain.printable import printable
from reelflow.exceptions import (
    AnalysisRefusedError,
    AnalysisUnavailableError,
    ConfigurationError,
    MediaToolError,
)
from reelflow.json_text import read_json_object
from reelflow.sandbox.conversation import FileRefusedError, LibraryBrokenError, open_conversation
from reelflow.sandbox.program import LibraryMissingError, Limits, Program
from reelflow.source import Source

C2PA: Final = Program(
    library="the C2PA library",
    service="reelflow.analysis.c2pa_child",
    packages=("c2pa",),
    # Most of its work is the SHA-256 of a file that is checked, which it holds in memory, and of a
    # manifest it takes eight times the size. One thread reads while another hashes: where it gets
    # none, it says of a good signature that it is broken.
    limits=Limits(
        wall_clock_s=120, cpu_s=60, address_space_bytes=320 * 1024 * 1024, has_threads=True
    ),
    # As JSON, which may take 30 times as much memory once it is read; real ones have 10 to 100 KiB.
    max_answer_bytes=2 * 1024 * 1024,
)
"""What reads manifests."""

#: Containers that c2pa 0.38.1 reads, and their types.
_MIME_TYPES: Final = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/avi",
}
#: Of a signed file c2pa holds two blocks of up to 256 MiB while it checks whether it is as signed.
_CHECKED_MAX_BYTES: Final = 128 * 1024 * 1024
_UNCHECKED: Final = {"validation_state": "not checked: more than 128 MiB", "validation_status": []}
#: It goes over a file more than once, but not without end.
_READINGS_MAX: Final = 4
_SPARE_BYTES: Final = 4 * 1024 * 1024
#: Of a signed file it hashes every byte, and asks for 256 KiB at a time: too many requests of S3.
_READ_AHEAD_BYTES: Final = 4 * 1024 * 1024
_SOURCE_TYPE_KEYS: Final = frozenset({"digitalsourcetype"})
_SHOWN_MAX_CHARS: Final = 300
_MAX_NODES: Final = 50_000


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


def read_declared(subject: Subject, *, program: Program = C2PA) -> Declared:
    """Return what the C2PA manifests of a file declare, valid or not.

    :raises AnalysisRefusedError: the library broke down over the file
    :raises AnalysisUnavailableError: it could not run to its end here and now
    :raises ConfigurationError: c2pa is not installed
    """
    mime_type = _MIME_TYPES.get(subject.container)
    if mime_type is None:
        return Declared(False, (), {})
    try:
        return _declared(_read_store(subject.source, mime_type, program))
    except LibraryMissingError as exc:
        raise ConfigurationError(
            f"content credentials cannot be read: {exc}; install Reelflow's requirements again: "
            "pip install --force-reinstall c2pa-python",
            code="c2pa_missing",
        ) from exc
    except LibraryBrokenError as exc:
        raise AnalysisRefusedError(
            f"no content credentials can be read: {exc}; look at the file, and at where it comes "
            "from"
        ) from exc
    except FileRefusedError as exc:
        return Declared(False, (), {"error": str(exc)})
    except MediaToolError as exc:
        raise AnalysisUnavailableError(f"content credentials could not be read: {exc}") from exc


def _read_store(source: Source, mime_type: str, program: Program) -> dict[str, Any]:
    most_bytes = _READINGS_MAX * source.size_bytes + _SPARE_BYTES
    is_checked = source.size_bytes <= _CHECKED_MAX_BYTES
    ahead = BlockSource(source, block_max_bytes=_READ_AHEAD_BYTES)
    with open_conversation(program, ahead, budget_bytes=most_bytes) as conversation:
        told = conversation.ask(
            "read", mime_type=mime_type, most_bytes=most_bytes, is_checked=is_checked
        )
    store = _json_object(told.get("store"))
    # What is not checked c2pa calls invalid.
    return store if is_checked or "manifests" not in store else store | _UNCHECKED


def _json_object(text: object) -> dict[str, Any]:
    store = read_json_object(text) if isinstance(text, str) else None
    return {"error": "what the C2PA library says is no JSON object"} if store is None else store


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
    for key, value in islice(_nodes(node), _MAX_NODES):
        if isinstance(value, str):
            yield key.rpartition(":")[2].lower(), value


def _nodes(root: object) -> Iterator[tuple[str, object]]:
    """Give all in a JSON document, in its order; what is in a list by the key of the list."""
    open_ones: list[Iterator[tuple[str, object]]] = [iter([("", root)])]
    while open_ones:
        found = next(open_ones[-1], None)
        if found is None:
            open_ones.pop()
            continue
        yield found
        key, value = found
        if isinstance(value, dict):
            open_ones.append(iter(value.items()))
        elif isinstance(value, list):
            open_ones.append(zip(repeat(key), value, strict=False))


def _signature(store: Mapping[str, Any]) -> dict[str, Any]:
    """Tell who signed the active manifest, and what the check of its signature says."""
    manifests = store.get("manifests")
    active = manifests.get(store.get("active_manifest")) if isinstance(manifests, dict) else None
    active = active if isinstance(active, dict) else {}
    signed_by, generators = active.get("signature_info"), active.get("claim_generator_info")
    codes = store.get("validation_status")
    return {
        # Invalid, Valid, Trusted or not checked; Trusted needs a list of trust: none is shipped.
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
    return printable(value, _SHOWN_MAX_CHARS) if isinstance(value, str) else ""
