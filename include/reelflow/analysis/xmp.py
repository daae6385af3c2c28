"""Reading XMP packets of strangers: no document type, no entities, and bounds on all they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from reelflow.domain.printable import printable

MAX_BYTES: Final = 1024 * 1024
#: Of all packets of a file together: elements and attributes, and characters of what is kept.
MAX_NODES: Final = 20_000
MAX_CHARS: Final = 4 * 1024 * 1024
_MAX_DEPTH: Final = 64
_MAX_PREFIXES: Final = 256
_NAME_MAX_CHARS: Final = 512
_VALUE_CHARS: Final = 64 * 1024
#: After an error of ours expat goes on to the end of what it was given, so it gets little at once.
_BLOCK_BYTES: Final = 16 * 1024
_SHOWN_MAX_CHARS: Final = 300
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_PACKET_END: Final = b"<?xpacket end"
_DOCTYPE: Final = b"<!DOCTYPE"

_Property = tuple[str, str]


class XmpError(ValueError):
    """A packet that is not read: no XML, too large, or with a document type."""


def read_properties(packets: Iterable[bytes]) -> tuple[list[_Property], list[str]]:
    """Return each simple property of a file's XMP packets: its ``namespace name`` and its value.

    Attributes, elements and items of lists are all properties; structure is flattened.

    :return: properties, and why packets could not be read
    """
    properties: list[_Property] = []
    unread: list[str] = []
    nodes_left, chars_left = MAX_NODES, MAX_CHARS
    for packet in packets:
        try:
            reading = _read(packet, nodes_left, chars_left)
        except XmpError as exc:
            unread.append(printable(str(exc), _SHOWN_MAX_CHARS))
        else:
            properties += reading.properties
            nodes_left, chars_left = reading.nodes_left, reading.chars_left
    return properties, unread


def _read(packet: bytes, nodes_left: int, chars_left: int) -> _Reading:
    if len(packet) > MAX_BYTES:
        raise XmpError(f"it has {len(packet)} bytes, more than {MAX_BYTES}")
    if _DOCTYPE in packet.replace(b"\0", b""):  # which makes ASCII of UTF-16
        # With it come entities, which may be bombs; XMP never has one (ISO 16684-1).
        raise XmpError("it has a document type")
    reading = _Reading(nodes_left, chars_left)
    # What follows the packet's end is padding, and may be anything.
    content = packet.partition(_PACKET_END)[0].strip(b"\0\t\r\n ")
    try:
        _parse(content, reading)
    except XmpError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as exc:
        raise XmpError(f"it is no XMP: {exc}") from None
    return reading


def _parse(content: bytes, reading: _Reading) -> None:
    # Without a separator, names come as they are written: expat would write each of them out with
    # its whole namespace, and a packet of 1 MiB can ask for 10 GiB of that.
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text.append
    for offset in range(0, len(content), _BLOCK_BYTES):
        parser.Parse(content[offset : offset + _BLOCK_BYTES], False)
    parser.Parse(b"", True)


@dataclass
class _Reading:
    """What the parser met so far; names in `path` are ``namespace name``."""

    nodes_left: int
    chars_left: int
    properties: list[_Property] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    #: Of each open element and, first, the outside: what its prefixes stand for.
    scopes: list[Mapping[str, str]] = field(default_factory=lambda: [{"": "", "xml": _XML}])

    def start(self, raw_name: str, attributes: dict[str, str]) -> None:
        """Keep an element's attributes, and remember where it stands."""
        self.nodes_left -= 1 + len(attributes)
        if self.nodes_left < 0 or len(self.path) >= _MAX_DEPTH:
            raise XmpError("it has too many elements")
        self.scopes.append(self._scope(attributes))
        self.path.append(self._expanded(raw_name))
        self.text.clear()
        for raw, value in attributes.items():
            if _declared_prefix(raw) is not None:
                continue
            # A name without a prefix is of no namespace, whatever that of the elements is.
            name = self._expanded(raw) if ":" in raw else raw
            if not name.startswith(_RDF):
                self._keep(name, value)
            elif name == f"{_RDF} resource":
                self._keep(self._property_name(), value)

    def end(self, _: str) -> None:
        """Keep the element's text, if it has any of its own."""
        text = "".join(self.text).strip()
        if text:
            self._keep(self._property_name(), text)
        self.text.clear()
        self.path.pop()
        self.scopes.pop()

    def _scope(self, attributes: Mapping[str, str]) -> Mapping[str, str]:
        """Return what prefixes stand for in an element with these attributes."""
        declared = {
            prefix: namespace
            for raw, namespace in attributes.items()
            if (prefix := _declared_prefix(raw)) is not None
        }
        if not declared:
            return self.scopes[-1]
        if len(self.scopes[-1]) + len(declared) > _MAX_PREFIXES:
            raise XmpError("it declares too many namespaces")
        return {**self.scopes[-1], **declared}

    def _keep(self, name: str, value: str) -> None:
        self.chars_left -= len(name) + min(len(value), _VALUE_CHARS)
        if self.chars_left < 0 or len(name) > _NAME_MAX_CHARS:
            raise XmpError("its names or values are too long")
        self.properties.append((name, value[:_VALUE_CHARS]))

    def _expanded(self, raw_name: str) -> str:
        """Return ``namespace name`` of a name as it is written (XML Namespaces 1.0, 6)."""
        prefix, _, local = raw_name.rpartition(":")
        namespace = self.scopes[-1].get(prefix)
        if namespace is None:
            raise XmpError(f"it is no XMP: the prefix {prefix} is not declared")
        if len(namespace) + len(local) >= _NAME_MAX_CHARS:
            raise XmpError("its names or values are too long")
        return f"{namespace} {local}" if namespace else local

    def _property_name(self) -> str:
        """Return the innermost name that is not of RDF's lists."""
        names = (name for name in reversed(self.path) if not name.startswith(_RDF))
        return next(names, self.path[-1])


def _declared_prefix(raw_name: str) -> str | None:
    """Return the prefix that an attribute declares, empty for the default; None of others."""
    if raw_name == "xmlns":
        return ""
    return raw_name.removeprefix("xmlns:") if raw_name.startswith("xmlns:") else None
