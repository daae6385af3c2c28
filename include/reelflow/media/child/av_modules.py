"""Loading all of av before the seal, after which nothing can be loaded any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

import av

_SUFFIXES: Final = tuple(EXTENSION_SUFFIXES)


def extension_modules() -> Iterator[str]:
    """Name every compiled module of av, whichever this version has.

    Its plain modules are left out: the compiled ones import what they need of them, and the others
    are a command line and the data sets of its examples, which would load a client for the web.
    """
    root = next(iter(av.__path__))
    for folder, _, files in os.walk(root):
        package = (av.__name__, *Path(folder).relative_to(root).parts)
        for file in files:
            if file.endswith(_SUFFIXES):
                yield ".".join((*package, file.partition(".")[0]))


def load_all() -> None:
    """Load them all: av loads some only when a file is the first to have such a stream.

    :raises ImportError: this av does not work here
    """
    for name in extension_modules():
        import_module(name)
