from __future__ import annotations

from collections.abc import Callable

import pytest

from reelflow.api.media_record import media_record
from reelflow.ledger.models import Account, Media, Post

Change = Callable[[Media], None]


def break_rule(media: Media) -> None:
    media.violations = [{"rule": "size", "value": "2", "limit": "1", "fix": "shrink it"}]


def delete(media: Media) -> None:
    media.deleted_at = media.created_at


@pytest.fixture
def media(account: Account, make_post: Callable[..., Post]) -> Media:
    return make_post(account).media


@pytest.mark.parametrize(("change", "state"), [(break_rule, "rejected"), (delete, "deleted")])
def test_what_happened_to_a_file_comes_before_what_is_known_of_it(
    media: Media, change: Change, state: str
) -> None:
    assert media_record(media, post_ids=[1]).state == "ready"
    change(media)
    assert media_record(media, post_ids=[1]).state == state


def test_a_file_that_nobody_looked_into_is_what_its_key_says(
    account: Account, make_post: Callable[..., Post]
) -> None:
    media = make_post(account, validated=False, file_name="clip.MOV").media
    record = media_record(media, post_ids=[])
    assert (record.content_type, record.media_type) == ("video/quicktime", "video")
    assert (record.metadata, record.sha256) == (None, None)


def test_a_file_without_a_known_extension_is_told_all_the_same(media: Media) -> None:
    media.facts, media.source_path = None, "media/0"
    record = media_record(media, post_ids=[])
    assert (record.content_type, record.media_type) == ("application/octet-stream", None)


def test_addresses_are_those_of_whoever_asks(media: Media) -> None:
    record = media_record(media, post_ids=[], media_path="/airflow/reelflow/api/v1/media")
    assert record.links.self == f"/airflow/reelflow/api/v1/media/{media.id}"


def test_what_to_do_is_told_to_users_of_the_api(media: Media) -> None:
    gone = {"rule": "gone", "value": "gone", "limit": "a file"}
    media.violations = [{**gone, "fix": "put the file into the inbox again"}]
    (told,) = media_record(media, post_ids=[]).violations
    assert told.fix == "upload the file again"


def test_tags_of_the_file_do_not_get_out(media: Media) -> None:
    media.facts = {**(media.facts or {}), "gps": "52.5", "probe_error": "in /srv/x"}
    told = media_record(media, post_ids=[]).model_dump_json()
    assert "52.5" not in told
    assert "/srv" not in told
