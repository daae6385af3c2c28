"""A broken rule, in words a person can act on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One broken rule of one file.

    :param rule: stable slug of the rule
    :param value: what was measured
    :param limit: what the rule allows
    :param fix: what to do; an exact command line where ffmpeg can repair the file
    """

    rule: str
    value: str
    limit: str
    fix: str

    def of(self, file_name: str) -> Violation:
        """Give the same violation naming its file: one of several that are judged together."""
        return dataclasses.replace(self, value=f"{file_name}: {self.value}")

    def as_dict(self) -> dict[str, str]:
        """Give the four strings as a JSON-safe mapping."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"{self.rule}: {self.value} (allowed: {self.limit}). To fix: {self.fix}"
