"""What runs in a child, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass


class LibraryMissingError(Exception):
    """What the child runs is not installed here, or cannot be loaded."""


@dataclass(frozen=True)
class Limits:
    """What one child may use, for all of its work on one file.

    :param wall_clock_s: its own time; what reading the source takes is not counted
    :param has_threads: whether its library computes in several threads
    """

    wall_clock_s: float
    cpu_s: int
    address_space_bytes: int
    has_threads: bool = False


@dataclass(frozen=True)
class Program:
    """What runs in a child.

    :param library: what people call the library that reads the file
    :param service: name of the module that answers questions with it; it has ``VERSION``,
        ``FAILURES`` (what a file was seen to make it raise) and ``Service``, whose ``answer`` takes
        a question and returns an answer and attachments
    :param packages: the packages that this module needs, besides Reelflow and Python's own
    :param max_answer_bytes: longest answer, as JSON
    """

    library: str
    service: str
    packages: tuple[str, ...]
    limits: Limits
    max_answer_bytes: int = 16 * 1024
