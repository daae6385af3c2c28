from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.ledger.models import Media
from reelflow.services.workspace import Workspace
from tests.data_folder import data_folder
from tests.factories import Clock
from tests.unit.reelflow.api.conftest import CONTENT, Web

MakeSigned = Callable[[], str]


def test_a_signed_url_gives_the_very_bytes(web: Web, make_signed: MakeSigned) -> None:
    answer = web.get(make_signed())
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_tells_the_same_without_the_bytes(web: Web, make_signed: MakeSigned) -> None:
    path = make_signed()
    for headers in ({}, {"Range": "bytes=5-9"}):  # a range is for GET alone (RFC 9110, 14.2)
        answer = web.head(path, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        wanted = web.get(path).headers
        assert {**answer.headers} == {**wanted}


@pytest.mark.parametrize(
    ("wanted", "first", "last"), [("bytes=0-4", 0, 4), ("bytes=5-", 5, 999), ("bytes=-7", 993, 999)]
)
def test_a_part_is_sent_as_such(
    web: Web, make_signed: MakeSigned, wanted: str, first: int, last: int
) -> None:
    answer = web.get(make_signed(), headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1000"
    assert answer.headers["content-length"] == str(last - first + 1)


def test_a_part_beside_the_file_is_416(web: Web, make_signed: MakeSigned) -> None:
    answer = web.get(make_signed(), headers={"Range": "bytes=1000-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */1000"


def test_a_part_goes_on_only_with_the_same_file(web: Web, make_signed: MakeSigned) -> None:
    path = make_signed()
    etag = web.get(path).headers["etag"]
    for given_etag, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        headers = {"Range": "bytes=0-4", "If-Range": given_etag}
        assert web.get(path, headers=headers).status_code == status


def test_no_condition_is_answered_with_a_status_of_the_300s(
    web: Web, make_signed: MakeSigned
) -> None:
    path = make_signed()
    etag = web.get(path).headers["etag"]
    headers = {"If-None-Match": etag, "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    assert web.get(path, headers=headers).status_code == 200


def test_an_expired_url_is_refused(web: Web, make_signed: MakeSigned, clock: Clock) -> None:
    path = make_signed()
    clock.advance(timedelta(hours=2, seconds=1))
    answer = web.get(path)
    assert answer.status_code == 403
    assert answer.json() == {
        "reason": "public_media_expired",
        "message": "this URL has expired",
        "details": {},
    }


PART = st.text(st.characters(exclude_characters="/?#", codec="utf-8"), min_size=1, max_size=70)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    which=st.integers(0, 2),
    other=PART | st.from_regex(r"[0-9a-f]{64}|[0-9a-f]{32}|[0-9]{10}", fullmatch=True),
)
def test_a_url_with_any_other_part_is_forged(
    web: Web, make_signed: MakeSigned, signed: dict[str, str], which: int, other: str
) -> None:
    if not signed:
        signed["path"] = make_signed()
    root, _, rest = signed["path"].rpartition("/public/media/")
    parts = rest.split("/")
    if other in (parts[which], ".", "..") or not other.strip():
        return
    parts[which] = quote(other)
    answer = web.get(f"{root}/public/media/{'/'.join(parts)}")
    assert answer.status_code in (403, 404)
    assert answer.json()["reason"] in ("public_media_forged", "not_found")


@pytest.fixture
def signed() -> dict[str, str]:
    """The one URL that all examples change."""
    return {}


@pytest.mark.parametrize("trouble", ["deleted", "changed", "missing", "link", "unknown"])
def test_a_file_that_is_not_what_was_signed_is_gone_without_its_name(
    web: Web, workspace: Workspace, make_signed: MakeSigned, trouble: str
) -> None:
    path = make_signed()
    with workspace.ledger.write() as session:
        (media,) = session.query(Media)
        source = data_folder(workspace).path(media.source_path)
        if trouble == "deleted":
            media.deleted_at = workspace.ledger.now()
        elif trouble == "unknown":
            media.facts = {"container": "exe"}
    if trouble == "changed":
        source.write_bytes(b"another file")
    elif trouble in ("missing", "link"):
        source.unlink()
        if trouble == "link":
            source.symlink_to("/etc/passwd")
    answer = web.get(path)
    assert answer.status_code == 404
    assert answer.json() == {
        "reason": "public_media_gone",
        "message": "this file is not here any more",
        "details": {},
    }
