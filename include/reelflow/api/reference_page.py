"""An OpenAPI schema as a page for people: plain HTML, without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1.05rem; margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem; }
code { font: 0.95em ui-monospace, monospace; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.15rem 1rem 0.15rem 0; }
th { font-weight: 600; }
"""
_REF_DEPTH: Final = 20


def reference_page(schema: Mapping[str, Any]) -> str:
    """Return the page of a schema."""
    info = schema["info"]
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])} API</title>\n<style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>",
        f"<p>{_prose(info.get('description', ''))}</p>",
        '<p>For programs: <a href="openapi.json">openapi.json</a>.</p>',
    ]
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            parts += _operation(schema, f"{method.upper()} {path}", operation)
    return "\n".join([*parts, "</html>\n"])


def _operation(
    schema: Mapping[str, Any], title: str, operation: Mapping[str, Any]
) -> Iterator[str]:
    yield f"<h2><code>{escape(title)}</code></h2>"
    yield f"<p>{_prose(operation.get('description') or operation.get('summary', ''))}</p>"
    parameters = [
        (item["name"], item.get("schema", {}), bool(item.get("required")), f"in {item['in']}")
        for item in operation.get("parameters", [])
    ]
    yield from _table(schema, "parameter", parameters)
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        body = _resolved(schema, content.get("schema", {}))
        needed = body.get("required", [])
        fields = [
            (name, one, name in needed, "") for name, one in body.get("properties", {}).items()
        ]
        yield f"<p>Body: <code>{escape(kind)}</code></p>"
        yield from _table(schema, "field", fields)
    answers = [
        f"<tr><td><code>{escape(status)}</code></td><td>{_prose(answer['description'])}</td></tr>"
        for status, answer in sorted(operation.get("responses", {}).items())
    ]
    yield f"<table><tr><th>status</th><th></th></tr>{''.join(answers)}</table>"


def _table(
    schema: Mapping[str, Any], what: str, rows: list[tuple[str, Mapping[str, Any], bool, str]]
) -> Iterator[str]:
    """Give a table of named values, or nothing where there are none."""
    if not rows:
        return
    yield f"<table><tr><th>{what}</th><th>type</th><th></th></tr>"
    for name, stated, is_needed, note in rows:
        value = _resolved(schema, stated)
        notes = [note, "" if is_needed else "optional", value.get("description", "")]
        yield (
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type(schema, value))}</td>"
            f"<td>{_prose('; '.join(filter(None, notes)))}</td></tr>"
        )
    yield "</table>"


def _type(schema: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    if "enum" in value:
        return " | ".join(str(item) for item in value["enum"])
    if "anyOf" in value:
        kinds = [_type(schema, _resolved(schema, item)) for item in value["anyOf"]]
        return " | ".join(dict.fromkeys(kinds))
    if value.get("type") == "array":
        return f"list of {_type(schema, _resolved(schema, value.get('items', {})))}"
    return str(value.get("format") or value.get("type") or "any")


def _resolved(schema: Mapping[str, Any], value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference points to; anything else as it is."""
    for _ in range(_REF_DEPTH):
        if "$ref" not in value:
            break
        found: Any = schema
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def _prose(text: str) -> str:
    """Return text with its paragraphs, and what stands in backticks as code."""
    pieces = escape(text).split("`")
    marked = "".join(
        f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces)
    )
    return marked.replace("\n\n", "</p>\n<p>")
