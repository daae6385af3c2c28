"""A plugin of somebody else beside Reelflow: it reads lineage, and hears of what needs people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reelflow.domain.post import PostState
from reelflow.tiktok.addresses import post_url
from tests.proof.ledger import LedgerPost
from tests.proof.play import ENDLESS_S, Play
from tests.proof.plugins import keeps_what_it_hears as plugin
from tests.proof.stack import HEALTHY_S, ProofStack

NOTIFIER = {
    "class": f"{Path(plugin.__file__).stem}.Notifier",
    "kwargs": {"text": "{{ alert.event }} of {{ alert.file_name }}: {{ alert.post_url }}"},
}


@dataclass(frozen=True)
class Kept:
    """What the plugin has kept."""

    path: Path

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return what it has kept of one kind."""
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [line for line in lines if line["kind"] == kind]

    def lineage(self, stage: str) -> list[tuple[list[str], list[str]]]:
        """Return what each task of a stage read and what it made of that."""
        task_id = f"publish_post.{stage}"
        lines = [line for line in self.of("lineage") if line["task_id"] == task_id]
        return sorted((line["inputs"], line["outputs"]) for line in lines)


@pytest.fixture(scope="module")
def kept(stack: ProofStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """What is kept on a stack whose plugins folder is somebody else's."""
    path = tmp_path_factory.mktemp("kept") / "kept.jsonl"
    path.touch()
    Play(stack).begin()  # a run of another case would not end here
    settings = {
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(Path(plugin.__file__).parent),
        plugin.FILE: str(path),
        "REELFLOW_ALERT_NOTIFIER": json.dumps(NOTIFIER),
        "REELFLOW_LATE_AFTER_MIN": "1",
    }
    with stack.settings(settings, "scheduler", "dag-processor", "triggerer"):
        stack.wait_healthy(HEALTHY_S)
        yield Kept(path)


def test_it_reads_the_way_of_every_file_from_the_inbox_to_tiktok(kept: Kept, play: Play) -> None:
    videos = play.drop(20)
    play.finish()
    inbox = [f"file://{play.stack.inbox}/{one.account}/{one.file_name}" for one in videos]
    validated = kept.lineage("validate")
    assert sorted(read for read, _ in validated) == sorted([one] for one in inbox)
    sources = sorted(made for _, made in validated)
    assert len({source for (source,) in sources}) == len(videos)
    pictures = kept.lineage("generate_thumbnail")
    assert [read for read, _ in pictures] == sources
    assert len({made for _, (made,) in pictures}) == len(videos)

    posts = play.ledger.posts()
    named = sorted([f"x-tiktok://{one.account}/{one.publish_id}"] for one in posts)
    links = sorted([_link(one)] for one in posts)
    for stage, made_of_them in (("upload_to_tiktok", named), ("clean_up_files", links)):
        told = kept.lineage(stage)
        assert [read for read, _ in told] == sources
        assert sorted(made for _, made in told) == made_of_them


def test_its_notifier_is_told_once_of_what_the_triggerer_and_what_tasks_tell_of(
    kept: Kept, play: Play
) -> None:
    def told(what: str) -> list[str]:
        texts = [line["text"] for line in kept.of("alert")]
        return [text for text in texts if what in text]

    def is_held() -> bool:
        return {one.file_name: one.state for one in play.ledger.posts()}.get(waiting) == "HELD"

    play.process_for(ENDLESS_S)
    videos = play.drop(20, sidecars=[{"approval": True}], broken=1)
    waiting, broken = videos[0].file_name, videos[-1].file_name
    play.wait_told(is_held, "the post that asks for approval to be held")
    (held,) = (one.id for one in play.ledger.posts() if one.file_name == waiting)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with play.mid_stage(states={PostState.PROCESSING}):
        play.ledger.change_posts([held], created_at=an_hour_ago, due_at=an_hour_ago)
        play.wait_told(lambda: bool(told(waiting)), "the triggerer to tell of the late post")
    play.stack.run_reelflow("posts", "release", str(held))
    play.let_go()
    play.finish()
    play.wait_told(lambda: bool(told(broken)), "a task to tell of the broken file")

    ids = {one.file_name: one.id for one in play.ledger.posts()}
    for event, name in (("post.late", waiting), ("post.rejected", broken)):
        page = f"{play.stack.url}/reelflow/api/v1/posts/{ids[name]}/page"
        assert told(name) == [f"{event} of {name}: {page}"]


def _link(post: LedgerPost) -> str:
    return str(post_url(post.account, post.tiktok_post_id, is_photo=False))
