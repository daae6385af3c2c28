"""URLs and forms with which others read and write a bucket with their own hands."""

from __future__ import annotations

from typing import Final

from reelflow.exceptions import ConfigurationError, InvalidObjectKeyError
from reelflow.storage.base import PresignedPost
from reelflow.storage.s3_bucket import S3Bucket
from reelflow.storage.s3_errors import s3_errors

#: AmazonS3 user guide, using-presigned-url: signature version 4 allows no longer.
_LIFETIME_MAX_S: Final = 7 * 24 * 3600
#: A form sends a file in one go, which nothing resumes: larger ones come in parts.
POST_MAX_BYTES: Final = 2_000_000_000


class S3Presigning(S3Bucket):
    """A :class:`~reelflow.storage.base.PresigningStore` of a bucket; nothing is asked of S3."""

    def object_name(self, key: str) -> str:
        """See :meth:`PresigningStore.object_name`, of ``reelflow.storage.base``."""
        return self._raw_key(key)

    def presigned_get(self, key: str, *, lifetime_s: int, content_type: str | None = None) -> str:
        """See :meth:`PresigningStore.presigned_get`, of ``reelflow.storage.base``."""
        _check_lifetime(lifetime_s)
        raw_key = self._raw_key(key)
        said = {} if content_type is None else {"ResponseContentType": content_type}
        with s3_errors(self._bucket, raw_key):
            url = self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket, "Key": raw_key, **said},
                ExpiresIn=lifetime_s,
            )
        if "X-Amz-Signature=" not in url:
            raise _old_signature()
        return url

    def presigned_post(
        self, key: str, *, size_bytes: int, content_type: str, lifetime_s: int
    ) -> PresignedPost:
        """See :meth:`PresigningStore.presigned_post`, of ``reelflow.storage.base``."""
        _check_lifetime(lifetime_s)
        if not 1 <= size_bytes <= POST_MAX_BYTES:
            raise ValueError(
                f"a form for {size_bytes} bytes: choose 1 to {POST_MAX_BYTES}, and let larger"
                " files come in parts"
            )
        raw_key = self._raw_key(key)
        if "${filename}" in raw_key:
            # S3 would put the name of the user's file there (sigv4-HTTPPOSTForms).
            raise InvalidObjectKeyError(
                f"{key} stands for many names in a form of S3: leave '${{filename}}' out", key=key
            )
        with s3_errors(self._bucket, raw_key):
            post = self._client.generate_presigned_post(
                self._bucket,
                raw_key,
                Fields={"Content-Type": content_type},
                Conditions=[
                    {"Content-Type": content_type},
                    ["content-length-range", size_bytes, size_bytes],
                ],
                ExpiresIn=lifetime_s,
            )
        if "x-amz-signature" not in post["fields"]:
            raise _old_signature()
        return PresignedPost(post["url"], post["fields"])


def _check_lifetime(lifetime_s: int) -> None:
    if not 1 <= lifetime_s <= _LIFETIME_MAX_S:
        raise ValueError(f"a lifetime of {lifetime_s} s: choose 1 to {_LIFETIME_MAX_S}")


def _old_signature() -> ConfigurationError:
    # Boto3's default for presigning, which newer regions refuse.
    return ConfigurationError(
        "the S3 client signs URLs by signature version 2: make it with"
        " Config(signature_version='s3v4'), or write that into the connection's config_kwargs",
        code="s3_signature",
    )
