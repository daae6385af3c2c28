"""A whole run with every kind of trouble, and nothing it leaves behind has a credential in it."""

from __future__ import annotations

import logging
import traceback
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from reelflow.exceptions import ReelflowError
from reelflow.ledger import publications
from reelflow.ledger.models import Post
from tests.data_folder import data_folder
from tests.integration.publisher import Publisher, three_chunks


def try_to_upload(publisher: Publisher, post: Post, errors: list[str]) -> None:
    try:
        publisher.upload(post)
    except ReelflowError as error:
        errors += traceback.format_exception(error)  # with all that it was raised from
        errors += [repr(error), repr(error.__dict__)]
    publisher.clock.set(max(publisher.clock(), publisher.read(post).due_at))


def secrets_of(publisher: Publisher, *posts: Post) -> set[str]:
    """Return the access token, and each upload URL with the parts that make it a credential."""
    found = {publisher.simulator.accounts[0]["access_token"]}
    for post in posts:
        for publication in publisher.publications(post):
            if publication.upload_url_encrypted is not None:
                url = publications.upload_url(publication, publisher.workspace.ledger.cipher)
                found |= {url, parse_qs(urlsplit(url).query)["upload_token"][0]}
    return found


def test_no_token_and_no_upload_url_is_in_any_log_error_audit_row_or_file_of_a_run(
    publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator, errors = publisher.simulator, list[str]()
    post, cut_off, refused = (publisher.make_post(three_chunks()) for _ in range(3))
    simulator.fault("creator_info", "drop")
    simulator.fault("init", "drop", when="after")
    simulator.fault("put", "drop", when="before", chunk=0)
    simulator.fault("put", status=503, when="after", chunk=1)
    simulator.fault("put", status=416, chunk=1)
    simulator.fault("put", "drop", when="after", chunk=-1)
    for _ in range(5):
        try_to_upload(publisher, post, errors)
    publisher.assert_published_once(post)
    publisher.settle(post)
    try_to_upload(replace(publisher, host="http://127.0.0.1:1"), cut_off, errors)
    simulator.fault("put", status=404, chunk=1, times=9)
    try_to_upload(publisher, cut_off, errors)
    simulator.fault("creator_info", status=401, code="access_token_invalid")
    try_to_upload(publisher, refused, errors)
    publisher.pass_time(timedelta(minutes=20))
    publisher.sweep()

    secrets = secrets_of(publisher, post, cut_off, refused)
    assert len(secrets) >= 5
    assert len(errors) > 20
    story = [line for one in (post, cut_off, refused) for line in publisher.story(one)]
    logged = [f"{record.getMessage()} {record.args!r}" for record in caplog.records]
    root = data_folder(publisher.workspace).root
    files = [path for path in root.rglob("*") if path.is_file()]
    assert root / "reelflow.db" in files
    for secret in secrets:
        assert not any(secret in text for text in (*errors, *story, *logged, caplog.text))
        assert not [path.name for path in files if secret.encode() in path.read_bytes()]
