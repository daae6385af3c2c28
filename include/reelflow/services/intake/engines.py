"""The engines that a process can reach, made once for a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from reelflow.analysis.base import Engine
from reelflow.analysis.connection import DetectionConnection
from reelflow.domain.analysis import AnalysisEngine


@contextmanager
def open_engines(
    connection: DetectionConnection | None,
) -> Iterator[Mapping[AnalysisEngine, Engine]]:
    """Give the engines by their names, for as long as the block lasts.

    :param connection: of the external engine; without one, only what is embedded can be asked
    """
    # Loaded where media are analysed, which is not in every task.
    from reelflow.analysis.http_engine import HttpEngine
    from reelflow.analysis.provenance import ProvenanceEngine

    engines: dict[AnalysisEngine, Engine] = {AnalysisEngine.PROVENANCE: ProvenanceEngine()}
    if connection is None:
        yield engines
        return
    with HttpEngine(connection) as external:
        yield engines | {AnalysisEngine.HTTP: external}
