"""The page that a browser shows when TikTok's consent page sent it back."""

from __future__ import annotations

import html
from typing import Final

from starlette.responses import HTMLResponse

_TEMPLATE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Reelflow</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 34rem; }}
body {{ margin: 18vh auto; padding: 0 1.5rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.5rem; line-height: 1.3; }}
</style>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def page(title: str, text: str, *, status: int = 200) -> HTMLResponse:
    """Return a page that needs nothing from anywhere.

    :param title: what happened
    :param text: what it means and what to do; may have strangers' words in it
    """
    content = _TEMPLATE.format(title=_shown(title), text=_shown(text))
    return HTMLResponse(content, status, {"Content-Security-Policy": _POLICY})


def _shown(text: str) -> str:
    """Return text as a page can show it: no markup, and nothing that turns its direction round."""
    return html.escape("".join(char if char.isprintable() else "\ufffd" for char in text))
