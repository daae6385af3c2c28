"""The type of a file by its first bytes; names and declared types are never believed."""

from __future__ import annotations

from reelflow.media import ebml

HEAD_BYTES = 4096
"""How much of a file `sniff` wants to see."""

# First boxes of QuickTime files older than the ftyp box.
_QUICKTIME_BOXES = frozenset({b"moov", b"mdat", b"wide", b"pnot"})
_OTHER_FTYP_BRANDS = {
    b"heic": "heif", b"heix": "heif", b"hevc": "heif", b"heim": "heif", b"heis": "heif",
    b"mif1": "heif", b"msf1": "heif", b"avif": "avif", b"avis": "avif", b"crx ": "cr3",
    b"M4A ": "m4a", b"M4B ": "m4a",
}  # fmt: skip
_PREFIXES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"ffconcat", "other:playlist"),
    (b"#EXTM3U", "other:playlist"),
    (b"v=0", "other:playlist"),
    (b"GIF8", "other:gif"),
    (b"II*\0", "other:tiff"),
    (b"MM\0*", "other:tiff"),
    (b"\0\0\0\x0cjP  ", "other:jpeg2000"),
    (b"\0\0\0\x0cJXL ", "other:jpeg-xl"),
    (b"\xff\x0a", "other:jpeg-xl"),
    (b"%PDF", "other:pdf"),
    (b"PK\x03\x04", "other:zip"),
    (b"OggS", "other:ogg"),
    (b"FLV\x01", "other:flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "other:asf"),
    (b"\x00\x00\x01\xba", "other:mpeg-ps"),
    (b"\x00\x00\x01\xb3", "other:mpeg-video"),
    (b"ID3", "other:mp3"),
    (b"fLaC", "other:flac"),
    (b"\x7fELF", "other:program"),
    (b"MZ", "other:program"),
)
_RIFF_FORMS = {b"AVI ": "avi", b"WEBP": "webp", b"WAVE": "other:wav"}
_EBML_DOC_TYPES = {"webm": "webm", "matroska": "mkv"}
# Where the first packet of an MPEG-TS starts, and how long each is: Blu-ray and AVCHD put a time
# before each.
_TS_PACKETS = ((0, 188), (4, 192))


def sniff(head: bytes) -> str:
    """Name the type of a file from its first `HEAD_BYTES`.

    :return: ``mp4|mov|webm|mkv|avi|jpeg|png|webp``, or ``other:<what>``
    """
    if not head:
        return "other:empty"
    if head.startswith(b"RIFF"):
        return _RIFF_FORMS.get(head[8:12], "other:riff")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _EBML_DOC_TYPES.get(ebml.doc_type(head) or "", "other:ebml")
    if len(head) >= 12 and head[4:8] == b"ftyp":
        return _by_brand(head[8:12])
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head.startswith(b"BM") and head[6:10] == bytes(4):  # two letters alone may be a text
        return "other:bmp"
    if head[4:8] in _QUICKTIME_BOXES:
        return "mov"
    # Three packets in turn, where there is room for them: two may be letters of a text.
    if any(
        head[start : start + 2 * length + 1 : length] in (b"GGG", b"GG")
        for start, length in _TS_PACKETS
    ):
        return "other:mpeg-ts"
    return _text_or_unknown(head)


def _by_brand(brand: bytes) -> str:
    if brand == b"qt  ":
        return "mov"
    other = _OTHER_FTYP_BRANDS.get(brand)
    return "mp4" if other is None else f"other:{other}"


def _text_or_unknown(head: bytes) -> str:
    if any(byte < 32 and byte not in b"\t\n\f\r\x1b" for byte in head):
        return "other:unknown"
    text = head.decode("utf-8", "ignore")
    if len(text.encode()) < len(head) - 3:  # the last character may be cut in the middle
        return "other:unknown"
    return (
        "other:html" if text.lstrip().lower().startswith(("<!doctype", "<html")) else "other:text"
    )
