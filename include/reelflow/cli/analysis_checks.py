"""Checks of content analysis: the C2PA library, and the detection engine where accounts ask it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from reelflow.cli.findings import Finding, Status
from reelflow.exceptions import AnalysisLostError, AnalysisRefusedError, MediaToolError

if TYPE_CHECKING:
    from reelflow.analysis.connection import DetectionConnection
    from reelflow.settings import Settings

_TIMEOUT_S: Final = 10.0
#: An analysis that nobody began: an engine that does not know it is one that answers.
_NO_ANALYSIS: Final = "reelflow-doctor"


def check_c2pa() -> Iterator[Finding]:
    """Say whether content credentials can be read here: by the c2pa package, in a child process."""
    from reelflow.analysis.c2pa_manifest import C2PA
    from reelflow.sandbox.conversation import open_conversation
    from reelflow.sandbox.program import LibraryMissingError
    from reelflow.source import BytesSource

    try:
        with open_conversation(C2PA, BytesSource(b""), budget_bytes=0) as conversation:
            yield Finding("C2PA", Status.OK, f"the C2PA library {conversation.version}")
    except LibraryMissingError as error:
        message = f"content credentials cannot be read: {error}"
        fix = "pip install --force-reinstall c2pa-python"
        yield Finding("C2PA", Status.PROBLEM, message, fix)
    except MediaToolError as error:
        yield Finding("C2PA", Status.PROBLEM, str(error))


def check_detection(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Say whether the detection engine can be asked; silent where no account asks it.

    :raises ConfigurationError: the connection is malformed, or the engine refuses its key
    :raises AnalysisUnavailableError: it does not answer, or not as an engine does
    """
    from reelflow.analysis.connection import CONN_ID, VARIABLE, read_detection_connection

    asking = _accounts_that_ask(settings)
    if not asking:
        return
    connection = read_detection_connection(environment)
    if connection is None:
        message = (
            f"{', '.join(asking)} ask a detection engine, and {VARIABLE} is not set here; Airflow "
            f"may hold the connection {CONN_ID} itself"
        )
        fix = (
            f"see that Airflow has {CONN_ID} (Admin, Connections), or set {VARIABLE} for all: "
            "without it these accounts' posts fail"
        )
        yield Finding("detection", Status.WARNING, message, fix)
        return
    yield _engine_answers(connection)


def _accounts_that_ask(settings: Settings) -> list[str]:
    from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
    from reelflow.exceptions import ReelflowError
    from reelflow.ledger import accounts, engine

    database = engine.open_engine(settings.ledger_url)
    try:
        engine.check_revision(database)
    except ReelflowError:  # told by the check of the ledger
        return []
    with engine.transaction(database, writes=False) as session:
        known = accounts.list_all(session)
    return [
        one.name
        for one in known
        if one.analysis_engine == AnalysisEngine.HTTP
        and one.analysis_policy != AnalysisPolicy.IGNORE
    ]


def _engine_answers(connection: DetectionConnection) -> Finding:
    from reelflow.analysis.http_engine import HttpEngine
    from reelflow.analysis.http_transport import HttpLimits

    limits = HttpLimits(connect_timeout_s=_TIMEOUT_S, read_timeout_s=_TIMEOUT_S, attempts=1)
    where = connection.base_url
    with HttpEngine(connection, limits=limits) as engine:
        try:
            engine.poll(_NO_ANALYSIS)
        except (AnalysisLostError, AnalysisRefusedError):
            message = f"{where} answers and knows no analysis that nobody began"
            return Finding("detection", Status.OK, message)
    message = f"{where} tells of an analysis that nobody began, so its verdicts mean nothing"
    fix = "set the host of detection_default to the detection engine"
    return Finding("detection", Status.PROBLEM, message, fix)
