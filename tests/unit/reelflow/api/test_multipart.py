from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.api.chunk_body import Pace
from reelflow.api.errors import ApiError
from reelflow.api.multipart import FormField, FormFile, FormLimits, MultipartBody
from tests.unit.reelflow.api.body_sender import BodySender, pieces_of

BOUNDARY = "boundary-of-tests"
LIMITS = FormLimits(max_files=2, max_file_bytes=1000, max_fields=3, max_field_bytes=100)
Part = tuple[str, str | None, bytes]


def form(*parts: Part, end: bytes = b"--\r\n") -> bytes:
    """Return a form's body; a part is its name, its file name and its content."""
    body = b""
    for name, file_name, content in parts:
        file = "" if file_name is None else f'; filename="{file_name}"\r\nContent-Type: Video/MP4'
        head = f'Content-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += f"--{BOUNDARY}\r\n{head}".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}".encode() + end


def sender_of(body: bytes, *, piece_bytes: int = 100, **options: Any) -> BodySender:
    headers = {"Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'}
    return BodySender(pieces_of(body, piece_bytes), headers, **options)


def parts_of(
    sender: BodySender, *, limits: FormLimits = LIMITS, skip: bool = False, pace: Pace | None = None
) -> list[Part]:
    """Return what a form has."""

    async def take() -> list[Part]:
        found: list[Part] = []
        body = MultipartBody(sender.request, limits, pace=pace or Pace())
        async for part in body.parts():
            if isinstance(part, FormField):
                found.append((part.name, None, part.value.encode()))
            elif skip:
                found.append((part.name, part.file_name, b"skipped"))
            else:
                content = b"".join([block async for block in part.blocks()])
                found.append((part.name, part.file_name, content))
        return found

    return asyncio.run(take())


def refused(sender: BodySender, **options: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        parts_of(sender, **options)
    return caught.value.status, caught.value.reason


@pytest.mark.parametrize("piece_bytes", [1, 7, 100, 100_000])
def test_parts_come_in_their_order_and_as_they_were_sent(piece_bytes: int) -> None:
    parts: list[Part] = [
        ("post_id", None, b"7"),
        ("file", "a.mp4", b"\r\n--boundary-of-test\r\n" * 3),
        ("caption", None, "Grüße\r\n".encode()),
        ("file", "", b""),
    ]
    assert parts_of(sender_of(form(*parts), piece_bytes=piece_bytes)) == parts


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=2),
    st.integers(min_value=1, max_value=200),
    st.binary(max_size=40),
)
def test_any_content_in_any_pieces_comes_as_it_was_sent(
    contents: list[bytes], piece_bytes: int, ending: bytes
) -> None:
    contents = [content + b"\r\n--" + BOUNDARY.encode()[:9] + ending for content in contents]
    parts: list[Part] = [("file", f"{n}.mp4", content) for n, content in enumerate(contents)]
    assert parts_of(sender_of(form(*parts), piece_bytes=piece_bytes)) == parts


def test_a_file_tells_its_type_in_small_letters() -> None:
    async def types() -> list[str]:
        body = MultipartBody(sender_of(form(("file", "a", b"x"))).request, LIMITS)
        return [part.content_type async for part in body.parts() if isinstance(part, FormFile)]

    assert asyncio.run(types()) == ["video/mp4"]


def test_files_that_nobody_takes_are_skipped() -> None:
    parts: list[Part] = [("a", "1", b"x" * 900), ("b", "2", b"y"), ("c", None, b"z")]
    assert [name for name, _, _ in parts_of(sender_of(form(*parts)), skip=True)] == list("abc")


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x", "a;" * 50],
)
def test_a_body_that_does_not_say_it_is_a_form_is_refused_unread(content_type: str) -> None:
    sender = BodySender([b"x"], {"Content-Type": content_type})
    assert refused(sender) == (415, "unsupported_media_type")
    assert sender.taken == 0


@pytest.mark.parametrize(
    "body",
    [
        b"no form at all",
        f"--{BOUNDARY}\r\nno header\r\n\r\nx\r\n--{BOUNDARY}--".encode(),
        f"--{BOUNDARY}\r\nContent-Type: video/mp4\r\n\r\nx\r\n--{BOUNDARY}--".encode(),
        f"--{BOUNDARY}\r\nContent-Disposition: attachment; name=a\r\n\r\nx".encode(),
        f"--{BOUNDARY}\r\nA: {'b' * 10_000}\r\n\r\n".encode(),
        f"--{BOUNDARY}\r\n".encode() + b"A: b\r\n" * 100 + b"\r\n",
        form(("caption", None, b"\xff\xfe")),
    ],
)
def test_a_malformed_form_is_refused(body: bytes) -> None:
    assert refused(sender_of(body)) == (400, "invalid_multipart")


def test_a_boundary_without_end_is_refused() -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={'x' * 300}"}
    assert refused(BodySender([b"x"], headers)) == (400, "invalid_multipart")


@pytest.mark.parametrize("then", ["end", "leave"])
@pytest.mark.parametrize("cut_at", [0, 30, 100, 150, -1, -5])
def test_a_form_that_ends_early_is_cut(cut_at: int, then: str) -> None:
    body = form(("file", "a.mp4", b"x" * 50))[:-2]  # the last line break means nothing
    assert refused(sender_of(body[:cut_at], then=then)) == (400, "body_cut")


def test_a_form_that_falls_silent_is_given_up() -> None:
    body = form(("file", "a.mp4", b"x" * 50))[:-20]
    sender = sender_of(body, then="wait")
    assert refused(sender, pace=Pace(idle_s=0.05)) == (408, "body_too_slow")


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ([("f", "a", b"x" * 1001)], (413, "file_too_large")),
        ([("f", None, b"x" * 101)], (413, "field_too_large")),
        ([("f", "a", b"x")] * 3, (422, "too_many_parts")),
        ([("f", None, b"x")] * 4, (422, "too_many_parts")),
    ],
)
def test_more_than_is_taken_is_refused(parts: list[Part], answer: tuple[int, str]) -> None:
    assert refused(sender_of(form(*parts))) == answer


def test_a_body_beyond_all_limits_is_refused_unread() -> None:
    sender = sender_of(form())
    sender.request.scope["headers"].append((b"content-length", b"9" * 30))
    assert refused(sender) == (413, "body_too_large")
    assert sender.taken == 0


def test_what_follows_the_form_is_read_and_means_nothing() -> None:
    sender = sender_of(form(("a", None, b"x"), end=b"--\r\n" + b"epilogue" * 100))
    assert parts_of(sender) == [("a", None, b"x")]
    assert sender.taken == len(sender._messages)


def test_a_large_file_is_never_held_as_a_whole() -> None:
    limits = FormLimits(max_files=1, max_file_bytes=64 * 1024 * 1024)
    content = bytes(8 * 1024 * 1024)

    async def largest() -> int:
        sender = sender_of(form(("file", "a", content)), piece_bytes=65536)
        sizes = [0]
        async for part in MultipartBody(sender.request, limits).parts():
            assert isinstance(part, FormFile)
            sizes += [len(block) async for block in part.blocks()]
        assert sum(sizes) == len(content)
        return max(sizes)

    assert asyncio.run(largest()) < 2 * 1024 * 1024
