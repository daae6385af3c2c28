"""What there is to see of the post that a task instance works on, for links in Airflow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from airflow.configuration import conf

from reelflow.api.intake import API_PATH
from reelflow.domain.post import PostKind
from reelflow.exceptions import PostNotFoundError
from reelflow.ledger import photo_images, posts, publications
from reelflow.settings import Settings
from reelflow.tiktok.addresses import post_url
from reelflow.tiktok.hosts import TIKTOK_HOST, normalise_host
from reelflow_provider.hooks.tiktok import TikTokHook
from reelflow_provider.storage import open_workspace
from reelflow_provider.web.given_post import given_post_id

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

    from reelflow.services.workspace import Workspace

_SIMULATORS_PAGE: Final = "/_sim/"


@dataclass(frozen=True)
class LinkedPost:
    """What there is to see of a post.

    :param picture_of: the file whose picture stands for the post; None while it has none
    """

    post_id: int
    tiktok_url: str | None
    picture_of: str | None

    def page(self, path: str) -> str:
        """Return the address of a path of the web application that Airflow's server has."""
        base_url: str = conf.get("api", "base_url", fallback="")
        return f"{base_url.rstrip('/')}{API_PATH}{path}"


def linked_post(ti_key: TaskInstanceKey) -> LinkedPost | None:
    """Return the post of a task instance; None where it has none.

    :raises ReelflowError: the ledger cannot be read
    """
    workspace = open_workspace(Settings.load())
    post_id = given_post_id(ti_key, names_of=partial(_names, workspace))
    if post_id is None:
        return None
    try:
        with workspace.ledger.read() as session:
            post = posts.get(session, post_id)
            publication = publications.current(session, post_id)
            cover = photo_images.cover_of(session, post)
    except PostNotFoundError:
        return None
    is_photo = post.kind is PostKind.PHOTO
    tiktok_id = publication.tiktok_post_id if publication is not None else None
    return LinkedPost(
        post_id,
        post_url(post.account.username, tiktok_id, is_photo=is_photo),
        cover.id if cover.thumbnail_path else None,
    )


def simulator_url() -> str | None:
    """Return the simulator's page; None where it is TikTok that gets the posts.

    :raises ConfigurationError: a setting or the connection is wrong
    """
    if not Settings.load().simulator_upload_hosts:
        return None
    origin = normalise_host(TikTokHook().get_app().host)
    return None if origin == f"https://{TIKTOK_HOST}" else f"{origin}{_SIMULATORS_PAGE}"


def _names(workspace: Workspace, post_ids: Collection[int]) -> dict[int, str]:
    with workspace.ledger.read() as session:
        return photo_images.names_of(session, post_ids)
