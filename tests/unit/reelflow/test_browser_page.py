from reelflow.browser_page import Page, browser_page


def test_strangers_words_are_shown_and_never_run() -> None:
    page = browser_page(Page("<script>", 'a "b" <img src=x>\n\N{RIGHT-TO-LEFT OVERRIDE}c')).decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "a &quot;b&quot; &lt;img src=x&gt;" in page
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page


def test_the_page_needs_nothing_from_anywhere() -> None:
    page = browser_page(Page("Done", "You can close this page."))
    assert b"http" not in page
    assert b"<script" not in page
