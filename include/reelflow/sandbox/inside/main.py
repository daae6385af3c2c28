"""The child's life: limits, imports, the seal, then questions about one file until there are none.

Everything that is loaded is loaded before the first byte of the file is seen. Then the process
gives up what it needs no more: no further descriptor, file or process can come to be in it,
whatever the file makes its library do.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from importlib import import_module
from typing import Any, Final, NamedTuple

from reelflow.domain.printable import printable
from reelflow.sandbox import wire
from reelflow.sandbox.inside import parent

STANDARD_FDS: Final = 3


class Arguments(NamedTuple):
    """What the process was started with.

    :param module: name of the module that answers
    :param has_threads: whether there may be threads
    """

    module: str
    address_space_bytes: int
    cpu_s: int
    has_threads: bool

    @classmethod
    def read(cls) -> Arguments:
        """Read the last ones of the command line."""
        module, address_space_bytes, cpu_s, has_threads = sys.argv[-4:]
        return cls(module, int(address_space_bytes), int(cpu_s), has_threads == "True")


def main() -> None:
    """Serve the parent on standard input."""
    arguments = Arguments.read()
    limit_computing(arguments)
    try:
        service = import_module(arguments.module)
    except (ImportError, OSError, RuntimeError) as error:
        parent.answer({"unusable": _short(error)})
        return
    serve(service, arguments)


def limit_computing(arguments: Arguments) -> None:
    """Limit the computing time, and let no crash write a file, nor Python explain a signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _limit(resource.RLIMIT_CORE, 0)
    # The soft limit's signal tells a greedy file from a kill by the system or a person.
    resource.setrlimit(resource.RLIMIT_CPU, (arguments.cpu_s, arguments.cpu_s + 2))


def serve(service: Any, arguments: Arguments) -> None:
    """Limit the memory, seal the process, and answer questions until there are none."""
    _limit(resource.RLIMIT_AS, arguments.address_space_bytes)
    _seal(has_threads=arguments.has_threads)
    parent.answer({"version": service.VERSION})
    serving = service.Service()
    while (question := parent.next_question()) is not None:
        try:
            content, attachments = serving.answer(question)
        except service.FAILURES as error:
            content, attachments = {"error": _short(error)}, []
        parent.answer(content, attachments)


def _seal(*, has_threads: bool) -> None:
    """Give up opening anything: files, sockets, pipes, processes; writing to files as well.

    With descriptors 0 to 2 taken, a limit of three leaves no number for a fourth.
    """
    os.closerange(STANDARD_FDS, 64)  # Python keeps none, a library might
    _limit(resource.RLIMIT_NOFILE, STANDARD_FDS)
    _limit(resource.RLIMIT_FSIZE, 0)
    if not has_threads:  # which the kernel counts as processes
        _limit(resource.RLIMIT_NPROC, 0)  # not for root, whom it does not count at all


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))


def _short(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(str(text), wire.MAX_ERROR_CHARS)
