"""What ``reelflow accounts set`` says of content analysis: policy, engine, model type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from reelflow.domain.analysis import MODEL_TYPES, AnalysisEngine, AnalysisPolicy, check_model_type

if TYPE_CHECKING:
    from reelflow.services.workspace import Workspace

POLICY_HELP: Final = (
    "What happens to generated media: label them, hold them for approval, reject them, or ignore "
    "and do not ask."
)
ENGINE_HELP: Final = (
    "Who says what is generated: the file's own provenance, or the detection engine of the "
    "connection detection_default."
)
MODEL_HELP: Final = f"Model of the detection engine: {', '.join(MODEL_TYPES[AnalysisEngine.HTTP])}."


def store_analysis(
    workspace: Workspace,
    name: str,
    *,
    policy: AnalysisPolicy | None,
    engine: AnalysisEngine | None,
    model_type: str | None,
) -> None:
    """Change what is given, and say how the account stands now.

    :raises ConfigurationError: the engine has no such model type
    """
    from reelflow.ledger import accounts

    with workspace.ledger.write() as session:
        account = accounts.by_name(session, name)
        if engine is not None or model_type is not None:
            account.analysis_engine = engine or account.analysis_engine
            account.analysis_model_type = check_model_type(account.analysis_engine, model_type)
        account.analysis_policy = policy or account.analysis_policy
        account.updated_at = workspace.ledger.now()
        told = describe(
            account.analysis_policy, account.analysis_engine, account.analysis_model_type
        )
    typer.echo(f"Generated media of {name}: {told}.")


def describe(policy: str, engine: str, model_type: str) -> str:
    """Say in a few words what an account wants."""
    if policy == AnalysisPolicy.IGNORE:
        return "ignored"
    who = engine if model_type == engine else f"{engine}/{model_type}"
    return f"{policy}, told by {who}"
