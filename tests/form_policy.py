"""The policy of a signed form, evaluated as S3 does it (sigv4-HTTPPOSTConstructPolicy).

Nothing here knows boto3: a form that is signed for more than it should be is seen in its policy.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.contract.storage.credentials import ACCESS_KEY, REGION, SECRET_KEY


def check_form(
    fields: Mapping[str, str], *, bucket: str, key: str, content_type: str, size_bytes: int
) -> None:
    """Fail unless a form is signed for one object, of one size, one type and one hour."""
    policy = json.loads(base64.b64decode(fields["policy"], validate=True))
    assert set(policy) == {"expiration", "conditions"}
    expires_at = datetime.strptime(policy["expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    left = expires_at - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert _as_set(policy["conditions"]) == _as_set(
        [
            {"bucket": bucket},
            {"key": key},
            {"Content-Type": content_type},
            ["content-length-range", size_bytes, size_bytes],
            {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
            {"x-amz-credential": fields["x-amz-credential"]},
            {"x-amz-date": fields["x-amz-date"]},
        ]
    )
    assert (fields["key"], fields["Content-Type"]) == (key, content_type)
    assert fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    day = fields["x-amz-date"][:8]
    assert fields["x-amz-credential"] == f"{ACCESS_KEY}/{day}/{REGION}/s3/aws4_request"
    assert fields["x-amz-signature"] == _signature(fields["policy"], day)


def _as_set(conditions: list[Any]) -> set[str]:
    told = [json.dumps(condition) for condition in conditions]
    assert len(set(told)) == len(told), "a condition is there twice"
    return set(told)


def _signature(policy: str, day: str) -> str:
    """Sign a policy step by step, as Amazon says (sigv4-authentication-HTTPPOST)."""
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, policy.encode(), hashlib.sha256).hexdigest()
