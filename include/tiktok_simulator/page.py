"""The inspection page ``/_sim/``: what the platform has received, for a person to read."""

import html
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from tiktok_simulator.control import delivered
from tiktok_simulator.faults import Fault, Script
from tiktok_simulator.publication import Kind, Publication
from tiktok_simulator.state import World

_README = Path(__file__).with_name("README.md")
_STYLE = """
:root { color-scheme: light dark; --line: #8883; --dim: #888; --good: #2a9d5c; --bad: #d1345b;
  --busy: #c98a1b; --soft: #8881; }
* { box-sizing: border-box; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1180px; padding: 24px; }
header { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: baseline; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 15px; margin: 28px 0 8px; }
header span, .dim, th { color: var(--dim); } nav a { margin-right: 12px; }
.numbers { display: flex; flex-wrap: wrap; gap: 10px; margin: 18px 0; }
.numbers div { border: 1px solid var(--line); border-radius: 8px; padding: 8px 14px; }
.numbers b { display: block; font-size: 20px; } .wrap { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th { font-weight: 500; text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: 5px 10px 5px 0; vertical-align: top; }
code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere; }
.number { font-variant-numeric: tabular-nums; text-align: right !important; white-space: nowrap; }
progress { width: 120px; accent-color: var(--good); } .state { border-radius: 99px;
  background: var(--soft); padding: 1px 9px; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .busy { color: var(--busy); }
"""
_TONES = {
    "transfer": "busy",
    "processing": "busy",
    "failed": "bad",
    "cancelled": "bad",
    "inbox": "good",
    "published": "good",
}
_Cell = str | int


class PageRoutes:
    """Shows one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes, to be mounted under ``/_sim``."""
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/README.md", self.show_readme, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """Answer the page; it loads nothing from elsewhere and runs no script."""
        content = "".join(
            (
                self._header(),
                self._numbers(),
                _section("Posts", self._posts("direct")),
                _section("Drafts", self._posts("draft")),
                _section("Uploads and downloads", self._transfers()),
                _section("Armed trouble", self._trouble()),
                _section("Last calls", self._calls()),
            )
        )
        page = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>TikTok simulator</title><style>{_STYLE}</style></head>"
            f"<body>{content}</body></html>"
        )
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(page, headers=headers)

    async def show_readme(self, request: Request) -> Response:
        """Answer what is simulated, what is not, and the control API."""
        return PlainTextResponse(_README.read_text(encoding="utf-8"))

    def _header(self) -> str:
        return (
            "<header><h1>TikTok simulator</h1>"
            f"<span>its clock: {_moment(self._world.clock.now())} UTC</span>"
            '<nav><a href="README.md">control API</a><a href="posts">posts</a>'
            '<a href="uploads">uploads</a><a href="switches">switches</a></nav></header>'
        )

    def _numbers(self) -> str:
        world = self._world
        numbers = {
            "posts": len(delivered(world, "direct")),
            "drafts": len(delivered(world, "draft")),
            "publications begun": len(world.publications),
            "failed": sum(one.fail_reason is not None for one in world.publications.values()),
            "PUTs with a token they must not carry": world.authorization_violations,
        }
        boxes = (f"<div><b>{number}</b>{name}</div>" for name, number in numbers.items())
        return f'<div class="numbers">{"".join(boxes)}</div>'

    def _posts(self, kind: Kind) -> str:
        names = {one.open_id: one.username for one in self._world.accounts}
        rows = [
            (
                _text(names.get(one.open_id, one.open_id)),
                _state(one),
                _text(one.post_info.get("title", "")),
                _text(one.privacy_level or ""),
                _code(str(one.post_id) if one.is_listed else ""),
                one.received.size_bytes,
                _code(one.received.sha256 or "not kept"),
            )
            for one in delivered(self._world, kind)
        ]
        heads = ("creator", "state", "title", "seen by", "public id", "bytes", "SHA-256")
        return _table(heads, rows)

    def _transfers(self) -> str:
        rows = [
            (
                _code(one.publish_id),
                _moment(one.created_at),
                _state(one),
                _progress(one),
                one.received.size_bytes or one.downloaded_bytes,
                len(one.received.chunk_sizes),
                one.authorization_seen,
            )
            for one in reversed(self._world.publications.values())
        ]
        heads = ("publish_id", "begun", "state", "bytes there", "bytes", "chunks", "with a token")
        return _table(heads, rows)

    def _trouble(self) -> str:
        faults, lifecycle = self._world.faults, self._world.lifecycle
        rows = [*map(_fault, faults.armed), *map(_script, faults.scripts)]
        rows += [
            (
                "completion",
                _text(f"FAILED, {one.fail_reason}"),
                1,
                _code(one.open_id or "anybody"),
            )
            for one in lifecycle.failures
        ]
        if faults.is_holding:
            rows.append(("put", "held until released", 1, ""))
        return _table(("call", "what", "times", "whom"), rows)

    def _calls(self) -> str:
        rows = [
            (
                _moment(one.at),
                _text(one.method),
                _code(one.path),
                f'<span class="{"good" if one.status < 400 else "bad"}">{one.status}</span>',
            )
            for one in self._world.call_log.newest_first
        ]
        return _table(("time", "method", "path", "status"), rows)


def _section(title: str, content: str) -> str:
    return f'<h2>{title}</h2><div class="wrap">{content}</div>'


def _table(heads: Iterable[str], rows: Sequence[Sequence[_Cell]]) -> str:
    if not rows:
        return '<p class="dim">none</p>'
    kinds = [' class="number"' if isinstance(one, int) else "" for one in rows[0]]
    head = "".join(f"<th{kind}>{one}</th>" for kind, one in zip(kinds, heads, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: _Cell) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{value}</td>"


def _text(value: object) -> str:
    return html.escape(str(value))


def _code(value: str) -> str:
    return f"<code>{html.escape(value)}</code>"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _state(one: Publication) -> str:
    state = "deleted" if one.deleted_at else one.stage
    reason = f" · {_text(one.fail_reason)}" if one.fail_reason else ""
    return f'<span class="state {_TONES[one.stage]}">{state}{reason}</span>'


def _progress(one: Publication) -> str:
    total = one.plan.video_size if one.plan else 0
    if one.completed_at is not None:
        return '<progress value="1" max="1"></progress>'
    if not total:  # how large a download is nobody knows before its end
        return '<span class="dim">download</span>'
    percent = 100 * one.received.size_bytes / total
    return f'<progress value="{one.received.size_bytes}" max="{total}"></progress> {percent:.0f}%'


def _fault(one: Fault) -> tuple[_Cell, ...]:
    what = f"{one.kind} {one.when} its work"
    if one.kind == "error":
        what += f": {one.status}{f' {one.code}' if one.code else ''}"
    if one.chunk is not None:
        what += f", chunk {one.chunk}"
    return one.call, _text(what), one.times, _code(one.publish_id or one.open_id or "anybody")


def _script(one: Script) -> tuple[_Cell, ...]:
    whom = one.target.publish_id or one.target.open_id or "anybody"
    return one.target.call, "script", len(one.steps), _code(whom)
