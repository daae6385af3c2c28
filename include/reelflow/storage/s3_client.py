"""How clients for S3 are made, so that what they are used for holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def client_config() -> Config:
    """Return how a client for a store is best made: ``boto3.client("s3", config=...)``."""
    return Config(
        signature_version="s3v4",  # the default presigns by version 2
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=10,
        read_timeout=60,
    )


def regional_client(make: Callable[[Config], S3Client]) -> S3Client:
    """Return a client that signs URLs of the bucket's own region, where S3 is Amazon's.

    By itself boto3 signs those of one host for all regions, which answers for some with a redirect
    (AmazonS3 user guide, Redirects), and TikTok takes that for a failure.

    :param make: makes a client with a configuration; called twice where S3 is Amazon's
    """
    client = make(client_config())
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return client
    return make(client_config().merge(Config(s3={"addressing_style": "virtual"})))
