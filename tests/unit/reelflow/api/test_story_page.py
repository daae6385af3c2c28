from __future__ import annotations

from reelflow.api.story_page import story_page

POST = {
    "id": 7,
    "state": "REJECTED",
    "file_name": "clip\u202e.mp4",
    "reason": 'a "rule" & <b>more</b>',
    "link": 'https://www.tiktok.com/"onload=x',
    "violations": [{"rule": "duration", "value": "0 s", "limit": "3 s", "fix": "make it longer"}],
    "story": [{"at": "then", "actor": "me", "from": None, "to": "REJECTED", "why": "so"}],
    "publications": [],
}


def test_words_and_addresses_are_never_markup() -> None:
    page = story_page(POST, picture='/a"b', run="/runs/<1>")
    assert "a &quot;rule&quot; &amp; &lt;b&gt;more&lt;/b&gt;" in page
    assert "clip\ufffd.mp4" in page
    assert 'href="https://www.tiktok.com/&quot;onload=x"' in page
    assert 'src="/a&quot;b"' in page
    assert 'href="/runs/&lt;1&gt;"' in page


def test_what_there_is_nothing_of_is_left_out() -> None:
    page = story_page(POST)
    assert "Broken rules" in page
    assert "make it longer" in page
    assert "At TikTok" not in page
    assert "run in Airflow" not in page
    assert "<img" not in page
    assert "None" not in page
