"""Links that Airflow shows on the tasks of a post.

The plugin registers them for our operators, and then Airflow's API server makes them when somebody
looks at a task: they are there while it runs, they name what was learned of the post since, and
they cost a task nothing. Declared on the operators, each would be a call of the API for each task.
"""

from __future__ import annotations

import importlib
import logging
from abc import abstractmethod
from functools import cache
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from reelflow.exceptions import ReelflowError
from reelflow_provider import preload

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from reelflow_provider.web.linked_post import LinkedPost

log = logging.getLogger(__name__)


class PostLink(BaseOperatorLink):
    """A link of the post that a task works on; no link where there is nothing to see yet."""

    @property
    def operators(self) -> list[type[BaseOperator]]:  # type: ignore[override]  # only read
        """The operators that work on one post; loaded where Airflow reads DAGs to show them."""
        return _post_operators()

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or an empty string while there is none."""
        # The plugin loads this module in every task of every DAG: what is heavy waits until here.
        from sqlalchemy.exc import SQLAlchemyError

        from reelflow_provider.web.linked_post import linked_post

        try:
            post = linked_post(ti_key)
            return (post and self.address(post)) or ""
        except (ReelflowError, SQLAlchemyError) as exc:
            # No reason to show nothing else of the task.
            log.warning("no link %r: %s", self.name, exc)
            return ""

    @abstractmethod
    def address(self, post: LinkedPost) -> str | None:
        """Return where the link of a post leads; None while it leads nowhere."""


class TikTokPostLink(PostLink):
    """The post on TikTok, once it is public and has a link."""

    name = "Post on TikTok"

    def address(self, post: LinkedPost) -> str | None:
        """Return TikTok's address of the post."""
        return post.tiktok_url


class ThumbnailLink(PostLink):
    """The picture that stands for the post, once it is made."""

    name = "Thumbnail"

    def address(self, post: LinkedPost) -> str | None:
        """Return where Airflow's own server gives the picture."""
        return post.page(f"/media/{post.picture_of}/thumbnail") if post.picture_of else None


class PostStoryLink(PostLink):
    """All that is known of the post: where it stands, what to do, every step it made."""

    name = "Post's story"

    def address(self, post: LinkedPost) -> str | None:
        """Return where Airflow's own server shows it."""
        return post.page(f"/posts/{post.post_id}/page")


class SimulatorLink(PostLink):
    """What the simulator has received, where it stands in for TikTok."""

    name = "TikTok simulator"

    def address(self, post: LinkedPost) -> str | None:
        """Return the simulator's page for people."""
        from reelflow_provider.web.linked_post import simulator_url

        return simulator_url()


#: All of them, as the plugin registers them.
POST_LINKS = (TikTokPostLink(), ThumbnailLink(), PostStoryLink(), SimulatorLink())


@cache
def _post_operators() -> list[type[BaseOperator]]:
    """Return the operators and sensors that work on one post."""
    for name in preload.TASKS:
        importlib.import_module(name)
    from reelflow_provider.operators.base import PostMixin

    return [one for one in _below(PostMixin) if one.__module__ in preload.TASKS]


def _below(kind: type) -> list[type]:
    """Return all classes that are made of one, however far below."""
    children: list[type] = kind.__subclasses__()
    return list(dict.fromkeys([*children, *(one for child in children for one in _below(child))]))
