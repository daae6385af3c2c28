"""The child's life: limits, imports, the seal, then questions about one file until there are none.

Everything that is loaded is loaded before the first byte of the file is seen. Then the process
gives up what it needs no more: no further descriptor, file or process can come to be in it,
whatever the file makes libav do.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Any, Final

from reelflow.media.child import parent

_STANDARD_FDS: Final = 3
_MAX_ERROR_CHARS: Final = 200


def main() -> None:
    """Serve the parent on standard input.

    Arguments: bytes of address space, seconds of computing time.
    """
    address_space_bytes, cpu_s = map(int, sys.argv[-2:])
    _limit(resource.RLIMIT_CORE, 0)
    # The soft limit's signal tells a greedy file from a kill by the system or a person.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 2))
    try:
        from reelflow.media.child import service
    except (ImportError, OSError) as error:
        parent.answer({"unusable": _short(error)})
        return
    _limit(resource.RLIMIT_AS, address_space_bytes)
    _seal()
    parent.answer({"libav": service.LIBAV_VERSION})
    serving = service.Service()
    while (question := parent.next_question()) is not None:
        try:
            content, pictures = serving.answer(question)
        except service.FAILURES as error:
            content, pictures = {"error": _short(error)}, []
        parent.answer(content, pictures)


def _seal() -> None:
    """Give up opening anything: files, sockets, pipes, processes; writing to files as well.

    With descriptors 0 to 2 taken, a limit of three leaves no number for a fourth.
    """
    os.closerange(_STANDARD_FDS, 64)  # Python keeps none, a library might
    _limit(resource.RLIMIT_NOFILE, _STANDARD_FDS)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NPROC, 0)  # not for root, whom the kernel does not count


def _limit(which: int, value: int) -> None:
    resource.setrlimit(which, (value, value))


def _short(error: BaseException) -> Any:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "".join(char for char in str(text) if char.isprintable())[:_MAX_ERROR_CHARS]
