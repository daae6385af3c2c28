"""What a scheduler compiles before it forks its tasks is all that the tasks of a post run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reelflow.ledger import photo_images, publications
from reelflow.services.cleanup import announcement, clean_up_files, mark_announced
from reelflow.services.intake.analyse import engine_asked
from reelflow.services.intake.prepare import extract_metadata, generate_thumbnail, validate
from reelflow.services.stage import begin
from reelflow.services.warmup import warm_up
from reelflow.services.workspace import Workspace
from tests import media_files
from tests.integration.publisher import OWNER, RUN, Publisher
from tests.postgresql import ON_BOTH_DATABASES

pytestmark = ON_BOTH_DATABASES


def compiled(workspace: Workspace) -> dict[Any, Any]:
    """Return the statements that are compiled for a ledger's engine, by what they are found by."""
    return dict(workspace.ledger.engine._compiled_cache)


def test_no_stage_of_a_post_compiles_a_statement(publisher: Publisher) -> None:
    workspace = publisher.workspace
    post = publisher.make_post(media_files.h264_mp4().read_bytes(), validated=False)
    post_id = post.id
    workspace.ledger.engine._compiled_cache.clear()  # of the tests before
    warm_up(workspace)
    known = compiled(workspace)

    def label() -> None:
        with workspace.ledger.read() as session:
            photo_images.outline_of(session, post_id)

    def wait() -> None:
        begin(workspace, post_id, run_id=RUN)
        with workspace.ledger.read() as session:
            assert publications.current(session, post_id)

    stages: dict[str, Callable[[], object]] = {
        "label": label,
        "validate": lambda: validate(workspace, post_id, run_id=RUN, actor=OWNER),
        "ask for an engine": lambda: engine_asked(workspace, post_id),
        "extract_metadata": lambda: extract_metadata(workspace, post_id, run_id=RUN),
        "generate_thumbnail": lambda: generate_thumbnail(
            workspace, post_id, run_id=RUN, actor=OWNER
        ),
        "upload_to_tiktok": lambda: publisher.upload(post),
        "wait_for_publish": wait,
        "settle": lambda: publisher.settle(post),
        "clean_up_files": lambda: clean_up_files(workspace, post_id),
        "announce": lambda: announcement(workspace, post_id),
        "mark as announced": lambda: mark_announced(workspace, [post_id]),
    }
    late: dict[str, list[str]] = {}
    for name, work in stages.items():
        work()
        now = compiled(workspace)
        late[name] = [str(one) for key, one in now.items() if key not in known]
        known = now
    assert {name: statements for name, statements in late.items() if statements} == {}
    assert publisher.read(post).announced_at is not None
