"""What S3's refusals and a broken network mean for an object in a bucket.

Codes are those of the API reference (AmazonS3 API, ErrorResponses). A HEAD has no body, so its code
is the HTTP status alone. S3's own messages are not passed on: some of them hold keys or signatures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from urllib3.exceptions import HTTPError

from reelflow.exceptions import (
    ConfigurationError,
    ObjectNotFoundError,
    ReelflowError,
    StorageAccessError,
    StorageThrottledError,
    StorageUnavailableError,
)

#: Something is there, or is not what it must be.
PRECONDITION: Final = frozenset({"PreconditionFailed", "412"})
_NOT_FOUND: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_THROTTLED: Final = frozenset(
    {"SlowDown", "429", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
    | {"KMS.ThrottlingException"}
    | {"TooManyRequests", "TooManyRequestsException", "BandwidthLimitExceeded"}
)
#: Refusals that another attempt may get past.
_PASSING: Final = frozenset(
    {"ConditionalRequestConflict", "OperationAborted", "RequestTimeout"}
    | {"BadDigest", "XAmzContentSHA256Mismatch", "InternalError", "ServiceUnavailable"}
)
#: It does not know what a header asks for (AmazonS3 API, ErrorResponses), and never will.
_UNKNOWN: Final = frozenset({"NotImplemented", "501"})
_FIXES: Final = {
    "InvalidAccessKeyId": "the access key is unknown: set the connection's login",
    "SignatureDoesNotMatch": "the secret key is wrong: set the connection's password",
    "ExpiredToken": "the credentials have expired: renew them",
    "TokenRefreshRequired": "the credentials have expired: renew them",
    "400": "S3 says no more to a HEAD: renew the credentials if they have expired, or set the"
    " connection's region_name",
    "InvalidToken": "the session token is wrong: renew the connection's credentials",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "InvalidObjectState": "it is archived: restore it from its storage class first",
    "PermanentRedirect": "the bucket is in another region: set the connection's region_name",
    "AuthorizationHeaderMalformed": "the region is wrong: set the connection's region_name",
    "301": "the bucket is in another region: set the connection's region_name",
}
#: What is wrong with the key that encrypts an object, which AWS KMS tells S3, and S3 us, as 400.
#: What they mean: AWS KMS developer guide, key-state; observed:
#: https://github.com/aws/aws-cli/issues/4507 and https://github.com/localstack/localstack/issues/8422
_KMS: Final = "KMS."
_KMS_FIXES: Final = {
    "KMS.DisabledException": "is disabled: enable it",
    "KMS.NotFoundException": "does not exist in the bucket's region: set one that does as the"
    " bucket's default encryption; what a deleted key encrypted is lost",
    "KMS.KMSInvalidStateException": "waits for its deletion or its key material: cancel the"
    " deletion, or import the material; then enable it",
}
_UNTOLD: Final = "; or keys or clock are wrong: `reelflow doctor` says which"
#: The last is what botocore lets through of a body whose TLS breaks.
_NETWORK: Final = (
    *(HTTPClientError, ConnectionError, IncompleteReadError, FlexibleChecksumError),
    HTTPError,
)
_LONGEST_WAIT_S: Final = 3600.0


@contextmanager
def s3_errors(bucket: str, raw_key: str = "") -> Iterator[None]:
    """Raise errors of S3, its client and the network as ours, each with the key and the fix.

    :param raw_key: as S3 knows it, with the prefix, so that people find it there
    """
    try:
        yield
    except ClientError as exc:
        raise _refusal(exc, bucket, raw_key) from exc
    except (BotoCoreError, HTTPError) as exc:
        raise _trouble(exc, bucket, raw_key) from exc


def code_of(exc: ClientError) -> str:
    """Return S3's error code."""
    return str(exc.response.get("Error", {}).get("Code", ""))


def bucket_missing(bucket: str) -> StorageAccessError:
    """Return the error for a bucket that does not exist."""
    return StorageAccessError(
        f"the bucket {bucket!r} does not exist: create it, or correct REELFLOW_STORAGE_URL",
        code="storage_missing",
        bucket=bucket,
    )


def _refusal(exc: ClientError, bucket: str, key: str) -> ReelflowError:
    code, status = code_of(exc), _status_of(exc)
    what = f"s3://{bucket}/{key}" if key else f"the bucket {bucket!r}"
    context = {"bucket": bucket, "key": key, "s3_code": code}
    if code == "NoSuchBucket":
        return bucket_missing(bucket)
    if code in _NOT_FOUND:
        return ObjectNotFoundError(f"{what} does not exist: it was moved or deleted", **context)
    if code in _THROTTLED or status == 429:
        return StorageThrottledError(
            f"{what}: S3 asks to slow down ({code}): try again later",
            retry_after_s=_retry_after_s(exc),
            **context,
        )
    if code in _PASSING or (status >= 500 and code not in _UNKNOWN):
        return StorageUnavailableError(
            f"{what}: S3 could not do it now ({code}, HTTP {status}): try again later",
            retry_after_s=_retry_after_s(exc),
            **context,
        )
    if code in _FIXES:
        return StorageAccessError(f"{what} cannot be used ({code}): {_FIXES[code]}", **context)
    if code.startswith(_KMS) and "AccessDenied" not in code:
        fix = _KMS_FIXES.get(code, "cannot be used: see what state it is in")
        return StorageAccessError(
            f"{what} cannot be used ({code}): the KMS key that encrypts it {fix}", **context
        )
    if status in (401, 403) or code.startswith(_KMS):
        return StorageAccessError(
            f"{what} may not be used ({code}): allow these credentials s3:GetObject, PutObject,"
            " DeleteObject, AbortMultipartUpload and ListMultipartUploadParts below the prefix,"
            " s3:ListBucket and ListBucketMultipartUploads on the bucket, and kms:Decrypt and"
            f" GenerateDataKey where a key of theirs encrypts it{_UNTOLD if code == '403' else ''}",
            **context,
        )
    return ConfigurationError(
        f"{what}: S3 refuses the request ({code}, HTTP {status}): check that it is an S3 that knows"
        " conditional writes and SHA-256 checksums",
        code="s3_refused",
        **context,
    )


def _trouble(exc: BotoCoreError | HTTPError, bucket: str, key: str) -> ReelflowError:
    what, kind = f"s3://{bucket}/{key}", type(exc).__name__
    if isinstance(exc, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return StorageAccessError(
            f"{what}: there are no credentials ({kind}): set login and password of the connection",
            bucket=bucket,
            key=key,
        )
    if isinstance(exc, _NETWORK):
        return StorageUnavailableError(
            f"{what}: S3 cannot be reached, or the answer was cut off ({kind}): check network,"
            " certificate and endpoint_url of the connection, and try again later",
            bucket=bucket,
            key=key,
        )
    return ConfigurationError(
        f"{what}: the S3 client cannot send the request ({kind}): check the connection's extra",
        code="s3_client",
        bucket=bucket,
        key=key,
    )


def _status_of(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _retry_after_s(exc: ClientError) -> float | None:
    metadata: Any = exc.response.get("ResponseMetadata", {})
    said = str(metadata.get("HTTPHeaders", {}).get("retry-after", ""))
    return min(float(said), _LONGEST_WAIT_S) if said.isascii() and said.isdigit() else None
