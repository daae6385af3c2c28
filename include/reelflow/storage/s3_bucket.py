"""A bucket and a prefix in it: which S3 key is whose."""

from __future__ import annotations

import logging
import os
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from reelflow.exceptions import ConfigurationError, InvalidObjectKeyError, ReelflowError
from reelflow.storage.base import ObjectInfo
from reelflow.storage.keys import KEY_MAX_BYTES, key_of, raw_names_in
from reelflow.storage.s3_errors import bucket_missing, code_of, s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

log = logging.getLogger(__name__)

_PREFIX: Final = re.compile(r"([A-Za-z0-9._~-]+/)*[A-Za-z0-9._~-]+", re.ASCII)


class S3Bucket:
    """What all capabilities of S3 have in common.

    Nothing is asked of S3 by making one.

    :param client: boto3's, of ``boto3.client("s3")`` or an Airflow connection; threads may share it
    :param prefix: below which all objects lie, ``a/b`` without slashes at its ends; empty for none
    :raises ConfigurationError: the prefix is none
    """

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        if prefix and (not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/"))):
            raise ConfigurationError(
                f"the prefix {prefix!r} of the bucket {bucket!r} is none: write names of letters,"
                " digits, '-', '.', '_' and '~', with a slash between each two",
                code="storage_prefix",
            )
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._bucket_was_seen = False
        self._told: set[str] = set()

    def _raw_key(self, key: str) -> str:
        """Return the S3 key of an object.

        :raises InvalidObjectKeyError: S3 has none for it
        """
        names = self._prefix.encode() + b"/".join(raw_names_in(key))
        if len(names) > KEY_MAX_BYTES:
            raise InvalidObjectKeyError(
                f"{key[:200]!r}... makes an S3 key of {len(names)} bytes: at most {KEY_MAX_BYTES}"
                " are possible; give it a shorter name",
                key=key,
            )
        try:
            return names.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise InvalidObjectKeyError(
                f"{key!r} is no UTF-8, which S3 keys are: rename it", key=key
            ) from exc

    def _key_at(self, raw_key: str) -> str | None:
        """Return the key of an S3 key; None for one that has none, which is logged once.

        Nothing is logged of the empty object that ends in a slash: it marks a folder.
        """
        names = raw_key.removeprefix(self._prefix).encode("utf-8").split(b"/")
        try:
            return key_of(*(os.fsdecode(name) for name in names))
        except ReelflowError:
            if not raw_key.endswith("/") and raw_key not in self._told:
                self._told.add(raw_key)
                log.warning(
                    "%r in the bucket %r is seen by nobody, because no file can have this name:"
                    " give it one without an empty part, '.' or '..'",
                    raw_key,
                    self._bucket,
                )
            return None

    def stat(self, key: str) -> ObjectInfo | None:
        """See :meth:`ObjectStore.stat <reelflow.storage.base.ObjectStore.stat>`."""
        head = self._head(key)
        return None if head is None else head_info(key, head)

    def _head(self, key: str) -> HeadObjectOutputTypeDef | None:
        """Return what S3 knows of an object; None when there is none."""
        raw_key = self._raw_key(key)
        with s3_errors(self._bucket, raw_key):
            try:
                return self._client.head_object(Bucket=self._bucket, Key=raw_key)
            except ClientError as exc:
                if code_of(exc) not in ("404", "NoSuchKey"):
                    raise
        self._check_bucket()
        return None

    def _check_bucket(self) -> None:
        """Tell an object that is missing from a bucket that is, which a HEAD does not.

        :raises StorageAccessError: the bucket does not exist
        """
        if self._bucket_was_seen:
            return
        with s3_errors(self._bucket):
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except ClientError as exc:
                if code_of(exc) in ("404", "NoSuchBucket"):
                    raise bucket_missing(self._bucket) from exc
                if code_of(exc) != "403":  # it exists, and only its listing is not for us
                    raise
        self._bucket_was_seen = True


def answered_at(metadata: Any) -> datetime:
    """Return when S3 answered, which is when it modified the object, to the second or so.

    :param metadata: the answer's ``ResponseMetadata``
    """
    date = metadata.get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)


def info_of(key: str, *, etag: str, size_bytes: int, modified_at: datetime) -> ObjectInfo:
    """Return an object with its ETag as its identity."""
    return ObjectInfo(key, size_bytes, modified_at.astimezone(UTC), etag.strip('"'))


def head_info(key: str, head: HeadObjectOutputTypeDef) -> ObjectInfo:
    """Return an object as the answer to a HEAD says it is."""
    return info_of(
        key,
        etag=head["ETag"],
        size_bytes=head["ContentLength"],
        modified_at=head["LastModified"],
    )
