from __future__ import annotations

from reelflow.api.story_page import story_page

POST = {
    "id": 7,
    "state": "REJECTED",
    "file_name": "clip\u202e.mp4",
    "reason": 'a "rule" & <b>more</b>',
    "link": 'https://www.tiktok.com/"onload=x',
    "violations": [{"rule": "duration", "value": "0 s", "limit": "3 s", "fix": "make it longer"}],
    "story": [
        {
            "at": "2026-11-23T05:55:21.348099+01:00",
            "actor": "me",
            "from": None,
            "to": "REJECTED",
            "why": "so",
        }
    ],
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


def test_times_are_of_utc_to_the_second_and_sizes_in_groups_of_digits() -> None:
    page = story_page(POST | {"due_at": "2026-11-23T04:55:16.889788+00:00", "size_bytes": 541494})
    assert "<td>2026-11-23 04:55:21 UTC</td>" in page
    assert "2026-11-23 04:55:16 UTC" in page
    assert "541,494" in page
