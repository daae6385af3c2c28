"""Addresses of posts: whole, or none."""

import pytest

from reelflow.tiktok.addresses import post_url

POST_ID = "7678907398077074696"


@pytest.mark.parametrize(("is_photo", "kind"), [(False, "video"), (True, "photo")])
def test_a_post_is_found_by_its_creators_handle(is_photo: bool, kind: str) -> None:
    url = post_url("aurora.kitchen", POST_ID, is_photo=is_photo)
    assert url == f"https://www.tiktok.com/@aurora.kitchen/{kind}/{POST_ID}"


@pytest.mark.parametrize(("name", "post_id"), [(None, POST_ID), ("", POST_ID), ("aurora", None)])
def test_half_an_address_is_none(name: str | None, post_id: str | None) -> None:
    assert post_url(name, post_id, is_photo=False) is None


def test_a_handle_cannot_lead_elsewhere() -> None:
    url = post_url("a/?b#c \n<x>", POST_ID, is_photo=False)
    assert url == f"https://www.tiktok.com/@a%2F%3Fb%23c%20%0A%3Cx%3E/video/{POST_ID}"
