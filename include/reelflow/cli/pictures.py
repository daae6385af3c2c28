"""Where a person finds the pictures of a post."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reelflow.exceptions import ConfigurationError
from reelflow.services.workspace import Workspace


def with_locations(workspace: Workspace, post: Mapping[str, Any]) -> dict[str, Any]:
    """Return a post with where its thumbnail and each of its candidates lie, to be opened there.

    That is an absolute path, or a URI as the tools of AWS take it. Where the storage's connection
    is not set, it is the key: all else that is known of a post is in the ledger.

    :param post: as :func:`reelflow.services.report.show_post` gives it
    """

    def location_of(key: str) -> str:
        try:
            return workspace.folders.store.shown(key)
        except ConfigurationError:
            return key

    thumbnail = post["thumbnail_path"]
    return {
        **post,
        "thumbnail_location": None if thumbnail is None else location_of(thumbnail),
        "candidates": [{**one, "location": location_of(one["key"])} for one in post["candidates"]],
    }
