"""Asks questions about posts as a task does, with TikTok's creator info as a test says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PIL import Image

from reelflow.domain.analysis import AnalysisEngine
from reelflow.domain.post import APPROVAL, PostState
from reelflow.exceptions import ReelflowError
from reelflow.ledger import audit, verdicts
from reelflow.ledger.approval_models import ApprovalQuestion
from reelflow.ledger.models import Account, Media, Post, Verdict
from reelflow.services.accounts.tokens import AccessTokens
from reelflow.services.approval.asking import Asker, Question, ask
from reelflow.services.approval.finding import find_posts_to_approve
from reelflow.services.calls.account_client import AccountClients
from reelflow.services.workspace import Workspace
from reelflow.tiktok.models import CreatorInfo
from tests import factories
from tests.photo_files import image

RUN: Final = "asset_triggered__1"
PICTURES_AT: Final = "/reelflow/api/v1"
#: Of the pictures of a post that is asked about, the cover first, as they are kept and as they are
#: shown.
SIZES: Final = ((360, 640), (640, 360), (200, 100))
SHOWN: Final = ((180, 320), (320, 180), (200, 100))


@dataclass
class ScriptedCreator:
    """TikTok as far as it is asked what a creator offers."""

    levels: tuple[str, ...] = ("PUBLIC_TO_EVERYONE", "SELF_ONLY")
    comment_disabled: bool = False
    trouble: ReelflowError | None = None
    asked: list[str] = field(default_factory=list)

    def creator_info(self, token: str) -> CreatorInfo:
        self.asked.append(token)
        if self.trouble is not None:
            raise self.trouble
        off = self.comment_disabled
        return CreatorInfo("https://a", "aurora", "Aurora", self.levels, off, True, False, 60)


def held(workspace: Workspace, account: Account, **fields: Any) -> Post:
    """Make a post that waits for approval and has pictures to choose a cover from."""
    wanted = {"reason_code": APPROVAL, "wants_approval": True, **fields}
    post = factories.make_post(workspace, account, state=PostState.HELD, **wanted)
    folders = workspace.folders
    with workspace.ledger.write() as session:
        media = session.get_one(Media, post.media_id)
        cover, *candidates = (image(size=size) for size in SIZES)
        media.thumbnail_path = folders.put_thumbnail(media.id, cover)
        media.candidates = [
            {"at_ms": at_ms, "key": folders.put_candidate(media.id, number, candidate)}
            for number, (at_ms, candidate) in enumerate(zip((300, 900), candidates, strict=True), 1)
        ]
    return factories.read_post(workspace, post.id)


def asker(run_id: str = RUN) -> Asker:
    return Asker(run_id, f"approve_posts/{run_id}/ask_for_approval[0]")


def asked(
    workspace: Workspace,
    post: Post,
    tiktok: ScriptedCreator | None = None,
    *,
    by: Asker | None = None,
) -> Question:
    """Take a post for a run, and ask about it."""
    by = by or asker()
    find_posts_to_approve(workspace, run_id=by.run_id)
    scripted = tiktok or ScriptedCreator()

    @contextmanager
    def open_clients() -> Iterator[AccountClients]:
        tokens = AccessTokens(workspace, None, actor=by.actor)
        yield AccountClients(workspace, scripted, tokens)  # type: ignore[arg-type]

    return ask(workspace, post.id, asker=by, open_clients=open_clients, pictures_at=PICTURES_AT)


def row(workspace: Workspace, run_id: str = RUN, ordinal: int = 0) -> ApprovalQuestion:
    with workspace.ledger.read() as session:
        return session.get_one(ApprovalQuestion, (run_id, ordinal))


def analysis_of(workspace: Workspace, post: Post) -> int:
    """Begin an analysis of a post's file; return the id of the verdict that is to come."""
    with workspace.ledger.write() as session:
        now = workspace.ledger.now()
        engine, model_type = AnalysisEngine.PROVENANCE, "provenance"
        return verdicts.begin(
            session, post.media_id, engine=engine, model_type=model_type, analysis_id="a", now=now
        ).id


def found(workspace: Workspace, verdict_id: int, name: str = "v-1", **told: Any) -> None:
    """Let an analysis end."""
    finding = {"is_fake": True, "confidence": None, "seconds": 1.0, "details": {}, **told}
    with workspace.ledger.write() as session:
        verdict = session.get_one(Verdict, verdict_id)
        now = workspace.ledger.now()
        verdicts.record(session, verdict, verdict_id=name, now=now, **finding)


def approver_of(workspace: Workspace, verdict_id: int) -> str | None:
    with workspace.ledger.read() as session:
        return session.get_one(Verdict, verdict_id).approved_by


def last_step(workspace: Workspace, post: Post) -> tuple[str, str | None, str]:
    with workspace.ledger.read() as session:
        step = audit.story(session, post.id)[-1]
    return step.actor, step.to_state, step.why


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Return width and height of a picture."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
        return opened.size


def picture(path: str) -> tuple[str, ...]:
    """Return what an address of a picture names: file, number, end, signature."""
    return Path(path).with_suffix("").parts[-4:]
