"""What an address says: its host, and no more than can be shown of it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]{2,45}\])"
    r"(?P<port>:[0-9]{1,5})?"
    r"(?P<rest>[/?][!$-\[\]-~]*)?",  # printable ASCII; no backslash, on which parsers disagree
    re.IGNORECASE | re.ASCII,
)
_LONGEST_CHARS: Final = 4096  # TikTok's for uploads have 256; presigned ones of S3 up to 3000
_SHOWN_CHARS: Final = 100


@dataclass(frozen=True)
class Address:
    """The parts of an http or https address.

    :param scheme: ``http`` or ``https``
    :param host: in lower case; an IPv6 address in its brackets
    :param port: with its colon; empty where the address has none
    :param rest: path and query as they were written
    """

    scheme: str
    host: str
    port: str
    rest: str

    @property
    def origin(self) -> str:
        """All before the path."""
        return f"{self.scheme}://{self.host}{self.port}"

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        return self.scheme == "https"

    @property
    def is_this_machine(self) -> bool:
        """Whether what is sent never leaves this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def parse_address(url: str) -> Address | None:
    """Split ``url``; None if it has userinfo, a fragment or anything else that we never need."""
    match = _ADDRESS.fullmatch(url) if len(url) <= _LONGEST_CHARS else None
    if match is None or int((match["port"] or ":0")[1:]) > 65_535:
        return None
    return Address(
        match["scheme"].lower(), match["host"].lower(), match["port"] or "", match["rest"] or ""
    )


def shown_address(text: str) -> str:
    """Cut ``text`` for a message, without what may be a secret: userinfo and query."""
    return re.sub(r"//[^/@]*@", "//…@", text).partition("?")[0][:_SHOWN_CHARS]
