"""Where a store is, as a setting says it: ``s3://bucket/prefix?connection=aws_media``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reelflow.exceptions import ConfigurationError

DEFAULT_CONNECTION: Final = "aws_default"

#: Names of buckets as AmazonS3's user guide has them (bucketnamingrules); a prefix of plain names.
_URL: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
    r"(?:/(?P<prefix>(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*[A-Za-z0-9_~-][A-Za-z0-9._~-]*)?/?)?"
    r"(?:\?connection=(?P<connection>[A-Za-z0-9_.-]+))?",
    re.ASCII,
)


@dataclass(frozen=True)
class S3Location:
    """A place in a bucket.

    :param prefix: below which all objects lie; empty for none
    :param connection: the Airflow connection of type ``aws`` with host and credentials; None for
        ``aws_default``, or what AWS itself gives the machine when there is no such connection
    """

    bucket: str
    prefix: str = ""
    connection: str | None = None


def parse_storage_url(url: str) -> S3Location:
    """Return the place that a URL names.

    :raises ConfigurationError: it names none
    """
    match = _URL.fullmatch(url)
    if match is None:
        shown = "not shown, because it may hold a secret" if "@" in url else repr(url)
        raise ConfigurationError(
            f"REELFLOW_STORAGE_URL is {shown}: give s3://bucket/prefix?connection=aws_default; the"
            " prefix is names of letters, digits, '-', '.', '_' and '~', which do not begin with a"
            " '.'; keys belong into the connection",
            code="storage_url",
        )
    return S3Location(match["bucket"], match["prefix"] or "", match["connection"])
