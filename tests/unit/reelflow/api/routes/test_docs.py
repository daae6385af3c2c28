from __future__ import annotations

import re
from html import unescape

from tests.unit.reelflow.api.conftest import Web


def test_the_page_names_every_address_and_needs_nothing_from_anywhere(web: Web) -> None:
    answer = web.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    schema = web.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in unescape(answer.text)
    assert "<script" not in answer.text
    assert re.findall(r'(?:src|href)="([^"]*)"', answer.text) == ["openapi.json"]
