"""The marks that known generators leave in the files they make, each with its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from reelflow.json_text import read_json_object

_Texts = Sequence[tuple[str, str]]

#: Namespace of the label that China asks of generators (GB 45438-2025 and TC260's guides to it).
TC260_NAMESPACE: Final = "http://www.tc260.org.cn/ns/AIGC/1.0/"
_A1111_PARAMETERS: Final = re.compile(r"\bSteps: [0-9]{1,6}, Sampler: .{1,80}, CFG scale: ")
_JSON_MAX_CHARS: Final = 1024 * 1024


@dataclass(frozen=True)
class _Mark:
    """One generator's mark.

    :param source: where it is documented, or the code that writes it
    :param is_in: whether one text field, by its name in lower case and its value, is the mark
    """

    generator: str
    source: str
    is_in: Callable[[str, str], bool]


def _has_object(value: str, wanted: Callable[[dict[str, object]], bool]) -> bool:
    """Whether a value is a JSON object of the wanted kind."""
    if not value.startswith("{") or len(value) > _JSON_MAX_CHARS:
        return False
    document = read_json_object(value)
    return document is not None and wanted(document)


def _is_comfyui(name: str, value: str) -> bool:
    # In WebP the field's own name stands before its value, in EXIF tags of other meaning.
    prefix, _, rest = value.partition(":")
    if prefix.lower() in ("workflow", "prompt"):
        name, value = prefix.lower(), rest
    if name == "workflow":
        return _has_object(value, lambda found: "nodes" in found and "links" in found)
    return name == "prompt" and _has_object(
        value,
        lambda found: any(isinstance(one, dict) and "class_type" in one for one in found.values()),
    )


def _is_tc260(name: str, value: str) -> bool:
    # Label 1 is "generated", 2 "possibly", 3 "suspected" (GB 45438-2025, annex E); of TikTok's own
    # question, whether it is generated, only the first is an answer.
    return name in ("aigc", f"{TC260_NAMESPACE} AIGC".lower()) and _has_object(
        value, lambda found: str(found.get("Label")) == "1"
    )


_MARKS: Final[tuple[_Mark, ...]] = (
    _Mark(
        "ComfyUI",
        "docs.comfy.org/development/api-development/workflow-metadata",
        _is_comfyui,
    ),
    _Mark(
        "Stable Diffusion web UI",
        "github.com/AUTOMATIC1111/stable-diffusion-webui modules/processing.py",
        lambda name, value: (
            name in ("parameters", "usercomment")
            and _A1111_PARAMETERS.search(value.replace("\n", " ")) is not None
        ),
    ),
    _Mark(
        "InvokeAI",
        "github.com/invoke-ai/InvokeAI invokeai/app/services/image_files/image_files_disk.py",
        lambda name, value: (
            name in ("invokeai_metadata", "invokeai_graph")
            and _has_object(value, lambda found: bool(found))
        ),
    ),
    _Mark(
        "Fooocus",
        "github.com/lllyasviel/Fooocus modules/meta_parser.py",
        lambda name, value: name == "fooocus_scheme" and value in ("fooocus", "a1111"),
    ),
    _Mark(
        "NovelAI",
        "github.com/Eta0/naipng README.md, Technical Background",
        lambda name, value: name == "software" and value == "NovelAI",
    ),
    _Mark(
        "a generator that labels its files by GB 45438-2025",
        "GB 45438-2025, annex E",
        _is_tc260,
    ),
)


def find_generators(texts: _Texts) -> dict[str, str]:
    """Return the generators whose mark is among a file's text fields, with each mark's source.

    :param texts: names and values of fields, as :mod:`reelflow.analysis.embedded` finds them
    """
    return {
        mark.generator: mark.source
        for mark in _MARKS
        if any(mark.is_in(name.lower(), value) for name, value in texts)
    }
