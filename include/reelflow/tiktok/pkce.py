"""PKCE: the proof that who redeems a code is who asked for it."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Literal

ChallengeEncoding = Literal["hex", "base64url"]

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


def new_code_verifier() -> str:
    """Return a random verifier of 64 characters (43 to 128 are allowed); it is a secret."""
    return secrets.token_urlsafe(48)


def code_challenge(verifier: str, *, encoding: ChallengeEncoding = "hex") -> str:
    """Return the challenge of ``verifier`` for the authorize URL, by the method S256.

    :param encoding: ``hex`` is TikTok's own: lower-case hex of the SHA-256 (login-kit-desktop, read
        2026-09-11; base64url passes the browser's step and fails at the token call: observed,
        https://github.com/Lg0gs/react-native-tiktok/issues/38). ``base64url`` is RFC 7636's, which
        apps of the web type seem to accept.
    :raises ValueError: if ``verifier`` is none
    """
    if not _VERIFIER.fullmatch(verifier):
        raise ValueError("a PKCE verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~")
    digest = hashlib.sha256(verifier.encode("ascii"))
    if encoding == "hex":
        return digest.hexdigest()
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode("ascii")
