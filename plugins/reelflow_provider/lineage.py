"""Which files a task read and what it made of them, for whoever collects lineage in Airflow.

Where no plugin reads hook lineage, nothing is done but to ask for that: even Airflow's collector
that collects nothing takes a quarter of a second of CPU to make, in each task.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from reelflow.exceptions import ReelflowError

if TYPE_CHECKING:
    from reelflow.ledger.models import Media, Post, Publication
    from reelflow.services.workspace import Workspace
    from reelflow_provider.operators.base import PostMixin

log = logging.getLogger(__name__)


class Files:
    """The files of one post, as addresses that other systems may know."""

    def __init__(
        self,
        workspace: Workspace,
        post: Post,
        media: Iterable[Media],
        cover: Media,
        publication: Publication | None,
    ) -> None:
        self._workspace = workspace
        self._post = post
        self._media = list(media)
        self._cover = cover
        self._publication = publication

    @property
    def inbox(self) -> list[str]:
        """Where they lay in the inbox, if they came by it."""
        if self._post.user_id is not None:
            return []
        return [self._address(f"inbox/{one.inbox_path}") for one in self._media]

    @property
    def sources(self) -> list[str]:
        """Where they lie now, or lay."""
        return [self._address(one.source_path) for one in self._media]

    @property
    def thumbnail(self) -> list[str]:
        """Where the cover picture lies."""
        path = self._cover.thumbnail_path
        return [self._address(path)] if path else []

    @property
    def on_tiktok(self) -> list[str]:
        """The post on TikTok: its link, or before it has one the name of its publish task."""
        from reelflow.domain.post import PostKind
        from reelflow.tiktok.addresses import post_url

        found, account = self._publication, self._post.account
        if found is None or not found.publish_id:
            return []
        is_photo = self._post.kind is PostKind.PHOTO
        link = post_url(account.username, found.tiktok_post_id, is_photo=is_photo)
        return [link or f"x-tiktok://{account.name}/{quote(found.publish_id, safe='')}"]

    def _address(self, key: str) -> str:
        shown = self._workspace.folders.store.shown(key)
        is_path = shown.startswith("/")
        return f"file://{quote(shown, safe='/%')}" if is_path else quote(shown, safe="/:")


def add_lineage(
    task: PostMixin,
    *,
    inputs: Callable[[Files], list[str]],
    outputs: Callable[[Files], list[str]],
) -> None:
    """Tell the collector what a task read and made; never a reason for a task to fail."""
    from airflow.sdk import plugins_manager

    if not plugins_manager.get_hook_lineage_readers_plugins():
        return
    from airflow.sdk.lineage import get_hook_lineage_collector

    try:
        files = _files(task)
        collector = get_hook_lineage_collector()
        for address in inputs(files):
            collector.add_input_asset(task, uri=address)  # type: ignore[arg-type]  # any context
        for address in outputs(files):
            collector.add_output_asset(task, uri=address)  # type: ignore[arg-type]
    except (ReelflowError, ValueError) as exc:
        log.warning("post %s: no lineage of its files: %s", task.post_id, exc)


def _files(task: PostMixin) -> Files:
    from reelflow.ledger import photo_images, posts, publications

    with task.workspace.ledger.read() as session:
        post = posts.get(session, task.post_id)
        return Files(
            task.workspace,
            post,
            photo_images.media_of(session, post),
            photo_images.cover_of(session, post),
            publications.current(session, task.post_id),
        )
