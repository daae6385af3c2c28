"""Reading XMP packets of strangers: no document type, no entities, no names from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

MAX_BYTES: Final = 1024 * 1024
_MAX_ELEMENTS: Final = 20_000
_MAX_DEPTH: Final = 64
_VALUE_CHARS: Final = 64 * 1024
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PACKET_END: Final = b"<?xpacket end"


class XmpError(ValueError):
    """A packet that is not read: no XML, too large, or with a document type."""


@dataclass
class _Reading:
    """What the parser met so far; names are ``namespace name``."""

    properties: list[tuple[str, str]] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    elements: int = 0
    chars: int = 0


def read_properties(packet: bytes) -> list[tuple[str, str]]:
    """Return each simple property of an XMP packet: its ``namespace name`` and its value.

    Attributes, elements and items of lists are all properties; structure is flattened.

    :raises XmpError: the packet cannot be read
    """
    if len(packet) > MAX_BYTES:
        raise XmpError(f"it has {len(packet)} bytes, more than {MAX_BYTES}")
    reading = _Reading()
    parser = _new_parser(reading)
    try:
        # What follows the packet's end is padding, and may be anything.
        parser.Parse(packet.partition(_PACKET_END)[0].strip(b"\0\t\r\n "), True)
    except XmpError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as exc:
        raise XmpError(f"it is no XMP: {exc}") from None
    return reading.properties


def _new_parser(reading: _Reading) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        reading.elements += 1
        if reading.elements > _MAX_ELEMENTS or len(reading.path) >= _MAX_DEPTH:
            raise XmpError("it has too many elements")
        reading.path.append(name)
        reading.text.clear()
        reading.properties.extend(
            (key, value[:_VALUE_CHARS])
            for key, value in attributes.items()
            if not key.startswith(_RDF)
        )
        resource = attributes.get(f"{_RDF} resource")
        if resource is not None:
            reading.properties.append((_property_name(reading.path), resource[:_VALUE_CHARS]))

    def end(_: str) -> None:
        text = "".join(reading.text).strip()
        if text:
            reading.properties.append((_property_name(reading.path), text[:_VALUE_CHARS]))
        reading.text.clear()
        reading.path.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = reading.text.append
    return parser


def _refuse_doctype(*_: object) -> None:
    # With it come entities, which may be bombs; XMP never has one (ISO 16684-1).
    raise XmpError("it has a document type")


def _property_name(path: list[str]) -> str:
    """Return the innermost name that is not of RDF's lists."""
    return next((name for name in reversed(path) if not name.startswith(_RDF)), path[-1])
