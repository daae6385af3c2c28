"""The page that a browser shows when TikTok's consent page sent it back, as an HTTP answer."""

from __future__ import annotations

from typing import Final

from starlette.responses import HTMLResponse

from reelflow.browser_page import Page, browser_page

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def page(title: str, text: str, *, status: int = 200) -> HTMLResponse:
    """Return a page that needs nothing from anywhere.

    :param title: what happened
    :param text: what it means and what to do; may have strangers' words in it
    """
    content = browser_page(Page(title, text))
    return HTMLResponse(content, status, {"Content-Security-Policy": _POLICY})
