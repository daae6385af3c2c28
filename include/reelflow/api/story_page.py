"""One post as a page for people: what it is, where it stands, what to do, every step it made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
img { float: right; max-width: 14rem; max-height: 20rem; margin: 0 0 1rem 1rem; }
table { border-collapse: collapse; } div { overflow-x: auto; clear: both; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0; }
th { font-weight: 600; white-space: nowrap; } td { overflow-wrap: anywhere; white-space: pre-line; }
div td:nth-child(-n + 3) { white-space: nowrap; }
"""
#: What is told of a post beside its links, under these names.
_FIELDS: Final = {
    "reason": "why",
    "fix": "what to do",
    "account": "account",
    "user_id": "made by",
    "title": "title",
    "caption": "caption",
    "mode": "mode",
    "privacy_level": "privacy",
    "publish_at": "wished for",
    "due_at": "due",
    "state_since": "so since",
    "size_bytes": "bytes",
    "sha256": "SHA-256",
    "publish_id": "publish_id",
}
_STEPS: Final = {"at": "when", "from": "from", "to": "to", "actor": "who", "why": "why"}
_ATTEMPTS: Final = {
    "created_at": "begun",
    "publish_id": "publish_id",
    "state": "state",
    "acknowledged_bytes": "bytes there",
    "tiktok_status": "TikTok says",
    "fail_reason": "failed because",
}
_TIMES: Final = frozenset({"publish_at", "due_at", "state_since", "at", "created_at"})
_SIZES: Final = frozenset({"size_bytes", "acknowledged_bytes"})
_RULES: Final = {"rule": "rule", "value": "value", "limit": "allowed", "fix": "fix"}


def story_page(
    post: Mapping[str, Any], *, picture: str | None = None, run: str | None = None
) -> str:
    """Return the page of a post; it needs nothing from anywhere but its picture.

    :param post: as of :func:`reelflow.services.post_pages.show`
    :param picture: address of its cover, where it has one
    :param run: address of the run in Airflow that took it last
    """
    title = f"Post {post['id']}: {post['state']}"
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_shown(title)}</title>\n<style>{_STYLE}</style>",
        f"<h1>{_shown(post['file_name'])}</h1>",
        f'<img src="{escape(picture)}" alt="cover">' if picture else "",
        f"<p><strong>{_shown(title)}</strong></p>",
        _fields(post, {"on TikTok": post["link"], "run in Airflow": run}),
        _table("Broken rules", _RULES, post.get("violations")),
        _table("Story", _STEPS, post.get("story")),
        _table("At TikTok", _ATTEMPTS, post.get("publications")),
    ]
    return "\n".join([*filter(None, parts), "</html>\n"])


def _fields(post: Mapping[str, Any], links: Mapping[str, str | None]) -> str:
    told = ((name, _shown(_in_words(key, post.get(key)))) for key, name in _FIELDS.items())
    linked = ((name, _anchor(url)) for name, url in links.items() if url)
    rows = (f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in (*told, *linked) if text)
    return f"<table>{''.join(rows)}</table>"


def _anchor(url: str) -> str:
    return f'<a href="{escape(url)}">{_shown(url)}</a>'


def _table(title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]] | None) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in columns.values())
    body = "".join(_row(_in_words(key, row.get(key)) for key in columns) for row in rows)
    return f"<div><h2>{title}</h2>\n<table><tr>{head}</tr>{body}</table></div>"


def _row(values: Iterable[object]) -> str:
    return f"<tr>{''.join(f'<td>{_shown(value)}</td>' for value in values)}</tr>"


def _in_words(key: str, value: object) -> object:
    """Return what a person reads sooner: a time of UTC to the second, digits in groups."""
    if key in _TIMES and isinstance(value, str):
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if key in _SIZES and isinstance(value, int):
        return f"{value:,}"
    return value


def _shown(value: object) -> str:
    """Return text as a page can show it: no markup, and nothing that turns its direction round."""
    text = "" if value is None else str(value)
    return escape(
        "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
    )
