"""What lies in a bucket, as those see it who put files into it by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.contract.storage.stores import S3Server, s3_client


@dataclass(frozen=True)
class Bucket:
    """A bucket, seen by its owner.

    :param client: of S3
    :param folder: all keys are below it; with a slash at its end
    """

    client: Any
    name: str
    folder: str

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=f"{self.folder}{key}", Body=content)

    def get(self, key: str) -> bytes:
        answer = self.client.get_object(Bucket=self.name, Key=f"{self.folder}{key}")
        content: bytes = answer["Body"].read()
        return content

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=f"{self.folder}{key}")

    def list(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return sorted(key.removeprefix(self.folder) for key in found)


def new_bucket(server: S3Server, folder: str = "") -> Bucket:
    """Make a bucket of a test's own."""
    return Bucket(s3_client(server.url), server.new_bucket(), folder)
