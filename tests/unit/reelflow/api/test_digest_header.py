from __future__ import annotations

import base64
import hashlib

import pytest

from reelflow.api.digest_header import declared_sha256
from reelflow.api.errors import ApiError
from tests.unit.reelflow.api.body_sender import BodySender

DIGEST = hashlib.sha256(b"chunk")
MEMBER = f"sha-256=:{base64.b64encode(DIGEST.digest()).decode()}:"


def declared(headers: dict[str, str]) -> str | None:
    return declared_sha256(BodySender([], headers).request)


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest", "REPR-DIGEST"])
@pytest.mark.parametrize(
    "text", [MEMBER, f"sha-512=:AAAA:, {MEMBER}", f" {MEMBER} , unixsum=:AA==:"]
)
def test_a_digest_is_read_from_either_header(header: str, text: str) -> None:
    assert declared({header: text}) == DIGEST.hexdigest()


def test_no_digest_is_none() -> None:
    assert declared({}) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha-256",
        "sha-256=abc",
        "sha-256=:!!!:",
        "sha-256=:AAAA:",
        "sha-256=:AAA:",
        f"sha-256=:{'A' * 43}=,",
        "sha-512=:AAAA:",
        MEMBER.replace("256", "512"),
        DIGEST.hexdigest(),
    ],
)
def test_a_digest_that_cannot_be_compared_is_refused_and_not_ignored(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        declared({"Content-Digest": text})
    assert (refused.value.status, refused.value.reason) == (422, "digest_malformed")
