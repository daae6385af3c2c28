"""The page that a creator's browser shows at the end of connecting an account."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Page:
    """What a page says. Texts may have strangers' words in them.

    :param title: what happened
    :param text: what it means, and what to do
    """

    title: str
    text: str
    http_status: int = 200


_TEMPLATE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Reelflow</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.05rem/1.6 system-ui, sans-serif; }}
body {{ max-width: 34rem; margin: 18vh auto; padding: 0 1.5rem; }}
h1 {{ font-size: 1.5rem; line-height: 1.3; }}
p {{ overflow-wrap: anywhere; }}
</style>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""


def browser_page(page: Page) -> bytes:
    """Return the page as HTML that needs nothing from anywhere."""
    return _TEMPLATE.format(title=_shown(page.title), text=_shown(page.text)).encode()


def _shown(text: str) -> str:
    """Return text as a page can show it: no markup, and nothing that turns its direction round."""
    return html.escape("".join(char if char.isprintable() else "\ufffd" for char in text))
