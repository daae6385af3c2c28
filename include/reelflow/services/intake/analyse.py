"""Analysing a post's media, and doing what its account wants done with what was generated."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from reelflow.analysis.base import Engine
from reelflow.domain.analysis import AnalysisEngine, AnalysisPolicy
from reelflow.domain.post import PostState
from reelflow.ledger import photo_images, verdicts
from reelflow.ledger.models import Post, Verdict
from reelflow.services.intake.asking import ask_engine
from reelflow.services.intake.refusal import refused_if_unreadable
from reelflow.services.intake.verdict_policy import follow_policy
from reelflow.services.stage import begin
from reelflow.services.workspace import Workspace

#: How long a task waits for verdicts before it leaves them to its next try.
WAIT_S: Final = 120.0


def engine_asked(workspace: Workspace, post_id: int) -> AnalysisEngine | None:
    """Return the engine that a post's account asks; None where it wants nothing analysed."""
    with workspace.ledger.read() as session:
        return verdicts.engine_asked(session, post_id)


def analyse(
    workspace: Workspace,
    post_id: int,
    *,
    engines: Mapping[AnalysisEngine, Engine],
    run_id: str | None,
    actor: str,
    wait_s: float = WAIT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Sequence[Verdict]:
    """Let the account's engine judge what it has not judged yet, and follow the account's policy.

    A post past READY is left as it is, and one that is HELD, whose media are judged ahead of time,
    too: whoever is to release it sees the verdicts. What an engine was asked before a crash is
    asked for again, not anew.

    :param engines: those that this process can reach
    :param wait_s: longest wait for verdicts of all the post's files together
    :return: a verdict for each file, in their order; nothing where the account does not ask
    :raises AnalysisPendingError: verdicts are still to come
    :raises AnalysisUnavailableError: the engine cannot be asked now
    :raises ConfigurationError: the account's engine is not set up
    :raises PostHeldError: the post is now HELD until a person approves
    :raises MediaRejectedError: the post is now REJECTED and its files in the quarantine, also when
        one is gone or changed; ahead of time, one that is HELD stays HELD then
    """
    post = begin(workspace, post_id, run_id=run_id)
    is_to_be_judged = post.state in (PostState.READY, PostState.HELD)
    if post.account.analysis_policy is AnalysisPolicy.IGNORE or not is_to_be_judged:
        return []
    with refused_if_unreadable(workspace, post, run_id=run_id, actor=actor):
        found = obtain_verdicts(workspace, post, engines=engines, wait_s=wait_s, sleep=sleep)
    follow_policy(workspace, post_id, actor=actor)
    return found


def obtain_verdicts(
    workspace: Workspace,
    post: Post,
    *,
    engines: Mapping[AnalysisEngine, Engine],
    wait_s: float = WAIT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Sequence[Verdict]:
    """Return what the account's engine says of each file of a post, asking where it must.

    The post keeps its state, whatever that is; errors as of :func:`analyse`.
    """
    with workspace.ledger.read() as session:
        files = photo_images.media_of(session, post)
    return ask_engine(
        workspace,
        files,
        engine=post.account.analysis_engine,
        model_type=post.account.analysis_model_type,
        engines=engines,
        wait_s=wait_s,
        sleep=sleep,
        post_id=post.id,
    )
