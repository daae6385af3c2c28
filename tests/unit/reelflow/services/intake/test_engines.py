"""The engines of a process: the embedded one always, the external one where it is connected."""

from collections.abc import Callable

from reelflow.analysis.connection import DetectionConnection
from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.ledger.models import Account, Post
from reelflow.services.intake.analyse import analyse
from reelflow.services.intake.engines import open_engines
from reelflow.services.workspace import Workspace
from tests.detection_server import DetectionServer
from tests.factories import ACTOR, change_account, read_post


def test_without_a_connection_there_is_what_is_embedded() -> None:
    with open_engines(None) as engines:
        assert [(name, one.name) for name, one in engines.items()] == [
            (AnalysisEngine.PROVENANCE, "provenance")
        ]


def test_with_a_connection_the_external_engine_judges_over_http(
    workspace: Workspace, account: Account, make_post: Callable[..., Post]
) -> None:
    change_account(
        workspace,
        account.id,
        analysis_policy=AnalysisPolicy.LABEL,
        analysis_engine=AnalysisEngine.HTTP,
        analysis_model_type="enhanced",
    )
    post = make_post(account, content=b"what is judged")
    with DetectionServer() as server:
        connection = DetectionConnection(server.url)
        with open_engines(connection) as engines:
            (found,) = analyse(
                workspace, post.id, engines=engines, run_id="run", actor=ACTOR, sleep=lambda _: None
            )
        assert server.calls[0].path == "/v1/analyses?model_type=enhanced"
        assert server.calls[0].body == b"what is judged"
    assert (found.model_type, found.confidence) == ("enhanced", 0.93)
    assert read_post(workspace, post.id).is_aigc
