import pytest

from reelflow.api.pages import page


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x>', "' onload='x", "&lt;b&gt;", "{title}"]
)
def test_strangers_words_are_text_and_never_markup(hostile: str) -> None:
    body = bytes(page(hostile, hostile).body).decode()
    assert hostile not in body or hostile == "{title}"
    assert "<script" not in body
    assert "<img" not in body


def test_control_characters_and_turned_directions_are_not_shown() -> None:
    body = bytes(page("a\u202eb", "c\x1b[2Jd\x00").body).decode()
    assert "a\ufffdb" in body
    assert "c\ufffd[2Jd\ufffd" in body


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    response = page("Done", "All is well", status=503)
    assert response.status_code == 503
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    assert response.headers["content-security-policy"] == policy
    assert response.headers["content-type"] == "text/html; charset=utf-8"
