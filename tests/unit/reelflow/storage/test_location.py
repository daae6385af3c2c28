"""Storage URLs: what they name, and which name nothing."""

from __future__ import annotations

import pytest

from reelflow.exceptions import ConfigurationError
from reelflow.storage.location import S3Location, parse_storage_url


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("s3://media", S3Location("media")),
        ("s3://media/", S3Location("media")),
        ("s3://my.media-1/a/b.c", S3Location("my.media-1", "a/b.c")),
        ("s3://media/a/", S3Location("media", "a")),
        ("s3://media/a?connection=aws_x", S3Location("media", "a", "aws_x")),
        ("s3://media?connection=aws_x", S3Location("media", "", "aws_x")),
    ],
)
def test_a_url_names_a_place(url: str, location: S3Location) -> None:
    assert parse_storage_url(url) == location


@pytest.mark.parametrize(
    "url",
    [
        *("", "media", "https://media", "s3://", "s3://ab", "s3://Media", "s3://key:secret@media"),
        *("s3://media//a", "s3://media/../a", "s3://media/a b", "s3://media/a?region=x"),
        *("s3://media/a?connection=", "s3://media/a?connection=x&y=z", "s3://media/a#b"),
        *("s3://media\n", "s3://media/ä"),
    ],
)
def test_what_names_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="give s3://bucket/prefix") as caught:
        parse_storage_url(url)
    assert "secret@" not in str(caught.value)
