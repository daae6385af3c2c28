"""A broken rule, in words a person can act on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
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


def in_lines(violations: Sequence[Mapping[str, str]]) -> str:
    """Tell broken rules, a line each, and below all that one fix mends a line with that alone.

    So it can be copied whole: it may be a command.

    :param violations: as :meth:`Violation.as_dict` gives them
    """
    lines: list[str] = []
    for fix in dict.fromkeys(one["fix"] for one in violations):
        mended = [one for one in violations if one["fix"] == fix]
        lines += ["{rule}: {value} (allowed: {limit})".format_map(one) for one in mended]
        lines.append(f"To fix: {fix}")
    return "\n".join(lines)
