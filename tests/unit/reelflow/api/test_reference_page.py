from __future__ import annotations

from typing import Any

from reelflow.api.reference_page import reference_page


def page_of(**operation: Any) -> str:
    schema = {
        "info": {"title": "T<script>", "version": "1", "description": "Say `hello`.\n\nAgain."},
        "paths": {"/things/{id}": {"post": operation}},
        "components": {
            "schemas": {
                "Thing": {
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "description": "<b>shown</b>"},
                        "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                        "kind": {"$ref": "#/components/schemas/Kind"},
                        "tags": {"type": "array", "items": {"type": "string"}},
                    },
                },
                "Kind": {"enum": ["video", "photo"]},
            }
        },
    }
    return reference_page(schema)


def test_a_body_is_shown_field_by_field_through_its_references() -> None:
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    page = page_of(requestBody=body)
    assert "<td><code>name</code></td><td>string</td>" in page
    assert "<td><code>size</code></td><td>integer | null</td><td>optional</td>" in page
    assert "video | photo" in page
    assert "list of string" in page


def test_parameters_and_statuses_are_listed() -> None:
    page = page_of(
        parameters=[{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
        responses={"404": {"description": "Nothing there"}},
    )
    assert "<td><code>id</code></td><td>string</td><td>in path</td>" in page
    assert "<td><code>404</code></td><td>Nothing there</td>" in page


def test_nothing_of_a_schema_is_taken_for_markup() -> None:
    page = page_of(description="a <b> & `c`")
    assert "<script>" not in page
    assert "a &lt;b&gt; &amp; <code>c</code>" in page
    assert "Say <code>hello</code>.</p>\n<p>Again." in page


def test_a_reference_that_leads_to_itself_ends() -> None:
    parameter = {"name": "x", "in": "query", "schema": {"$ref": "#/loop"}}
    schema = {
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {"get": {"parameters": [parameter]}}},
        "loop": {"$ref": "#/loop"},
    }
    assert "<code>x</code>" in reference_page(schema)
