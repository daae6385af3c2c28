"""A worker as a process of its own: it examines one hostile file after another, and measures.

Its arguments are a good file and a folder; it prints a JSON object for each file of the folder.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

from reelflow.domain.media import INTAKE, violations
from reelflow.domain.media_facts import MediaFacts
from reelflow.domain.photos import image_violations, is_picture
from reelflow.exceptions import MediaRejectedError
from reelflow.media.decoder import LIBAV
from reelflow.media.inspection import examine
from reelflow.media.prepared_photo import prepare_photo
from reelflow.media.repair_line import repair_line
from reelflow.sandbox.fork_server import fork_server
from reelflow.source import open_file

#: What one file may take of this process before the system ends it; its child has its own limit.
CPU_S: Final = 8
#: What a file may not make Python do (docs.python.org/3/library/audit_events.html).
_WATCHED: Final = (
    *("open", "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"),
    *("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"),
)
_seen: list[str] = []


def main() -> None:
    """Examine the good file, then each of the folder, and the good file again after each."""
    good, folder = Path(sys.argv[1]), Path(sys.argv[2])
    expected = examined(good)  # what is loaded late is loaded by now
    sys.addaudithook(_note)
    for path in sorted(folder.iterdir()):
        used_s = int(time.process_time()) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + CPU_S, resource.RLIM_INFINITY))
        _seen.clear()
        told = {"name": path.name, **examined(path), "opened": _opened(path)}
        told["peak_bytes"] = _peak_bytes()
        told["child_peak_bytes"] = _child_peak_bytes()
        told["is_good_after"] = examined(good) == expected
        print(json.dumps(told), flush=True)  # noqa: T201 - what it is for


def examined(path: Path) -> dict[str, Any]:
    """Give the rules that a file breaks for intake, and whether it has a cover."""
    with open_file(path) as source, examine(source, with_covers=True) as examination:
        facts = examination.facts
        rules = {one.rule for one in _broken(facts, path.name)}
        try:
            has_cover = examination.cover().width > 0
        except MediaRejectedError:
            has_cover = False
        if facts.kind == "image" and not rules:
            prepare_photo(source, io.BytesIO())
    return {"rules": sorted(rules), "has_cover": has_cover}


def _broken(facts: MediaFacts, name: str) -> list[Any]:
    if is_picture(facts):
        return image_violations(facts, name)
    return violations(facts, name, INTAKE, repair_line)


def _note(event: str, details: tuple[Any, ...]) -> None:
    if event.startswith(_WATCHED):
        _seen.append(f"{event} {details[0]!r}")


def _opened(path: Path) -> list[str]:
    """Give what was opened or started besides the file itself and the child that reads a video."""
    ours = {
        *(f"open {str(path)!r}", f"subprocess.Popen {sys.executable!r}"),
        *("open '/dev/null'", "open '/proc/self/statm'"),  # of a child, of the memory fence
    }
    return [one for one in _seen if one not in ours and not one.endswith((".py'", ".pyc'"))]


def _child_peak_bytes() -> int:
    """Give the most memory a child had: those of a server are counted with it, once it ended."""
    server = fork_server(LIBAV)
    if server is not None:
        server.stop()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _peak_bytes() -> int:
    """Give the most memory this program had: the one who started it is not counted."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
