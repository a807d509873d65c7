"""The dashboard's types are those of the OpenAPI document."""

from pathlib import Path
from typing import Any

from web.api_types import PATH, api_types
from web.http.typescript import types_of

ROOT = Path(__file__).parents[4]


def test_the_types_of_the_dashboard_are_current() -> None:
    """If this fails: python -m web.api_types"""
    assert (ROOT / PATH).read_text() == api_types()


def answered(properties: dict[str, Any], required: list[str]) -> str:
    """The interface of an answer with these fields."""
    thing = {"type": "object", "properties": properties, "required": required}
    page = {"properties": {"items": {}, "next": {"type": "string"}}, "required": ["items"]}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    text = types_of(
        {
            "paths": {"/api/v1/things/{id}": {"get": {"responses": {"200": {"content": content}}}}},
            "components": {"schemas": {"Thing": thing, "Asked": thing, "Page_Thing_": page}},
        }
    )
    assert '  "/things/{id}": Thing;\n' in text
    return text


def test_an_answer_has_what_has_a_default_and_a_request_need_not() -> None:
    text = answered({"a": {"type": "integer", "default": 1}, "b": {"type": "string"}}, [])
    assert "export interface Thing {\n  a: number;\n  b?: string;\n}" in text
    assert "export interface Asked {\n  a?: number;\n  b?: string;\n}" in text


def test_choices_lists_and_maps_keep_their_kinds() -> None:
    some = {"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "null"}]}
    text = answered(
        {
            "many": {"type": "array", "items": some},
            "of": {"type": "array", "items": {"$ref": "#/components/schemas/Page_Thing_"}},
            "word": {"enum": ["on", "off"]},
            "by": {"type": "object", "additionalProperties": {"type": "boolean"}},
            "any": {},
        },
        ["many", "of", "word", "by", "any"],
    )
    lines = ["many: (number | null)[]", "of: Page<Thing>[]", 'word: "on" | "off"']
    lines += ["by: Record<string, boolean>", "any: unknown"]
    assert all(f"  {line};\n" in text for line in lines), text
    assert "export interface Page<T> {\n  items: T[];\n  next?: string;\n}" in text
