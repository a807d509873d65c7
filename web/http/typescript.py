"""The shapes of the OpenAPI document as TypeScript: what a client of ours may rely on.

Each schema becomes an interface, and each GET that answers with JSON a line of `Reads`: the path
with its parameters, and what it brings.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from web.http.routing import PREFIX

_NAMES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}
_REFERENCE = "#/components/schemas/"
# What a page has of; the name of a type, so that it may stand for any.
T = {"type": "array", "items": {"$ref": "T"}}
_PAGE = re.compile(r"Page_(\w+)_")

HEAD = """\
// The shapes of the REST API, written by `python -m web.api_types` from its OpenAPI document.

"""


def types_of(document: dict[str, Any]) -> str:
    schemas: dict[str, Any] = document["components"]["schemas"]
    answered = _answered(document)
    parts = [_page(schemas)]
    parts += [
        _interface(name, schemas[name], name in answered)
        for name in sorted(schemas)
        if not _PAGE.match(name)
    ]
    parts.append(_reads(document["paths"]))
    return HEAD + "\n".join(parts)


def _page(schemas: dict[str, Any]) -> str:
    """All pages of lists have the same fields around their items."""
    around = {
        _interface("Page<T>", {**schema, "properties": {**schema["properties"], "items": T}}, True)
        for name, schema in schemas.items()
        if _PAGE.match(name)
    }
    (page,) = around
    return page


def _answered(document: dict[str, Any]) -> set[str]:
    """The schemas of answers, and of all that is in them."""
    schemas = document["components"]["schemas"]
    answers = [
        operation["responses"] for path in document["paths"].values() for operation in path.values()
    ]
    waiting, found = _named(answers), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= _named(schemas[name])
    return found


def _named(part: Any) -> set[str]:
    """The schemas that a part of the document refers to."""
    match part:
        case {"$ref": str(reference)}:
            return {reference.removeprefix(_REFERENCE)}
        case dict():
            return set[str]().union(*map(_named, part.values()))
        case list():
            return set[str]().union(*map(_named, part))
        case _:
            return set()


def _interface(name: str, schema: dict[str, Any], is_answered: bool) -> str:
    """An answer has a field also where its value is the default; a request need not."""
    if "properties" not in schema:
        return f"export type {name} = {_type(schema)};\n"
    always = set(schema.get("required", ()))
    if is_answered:
        always |= {key for key, each in schema["properties"].items() if "default" in each}
    lines = [
        f"  {key}{'' if key in always else '?'}: {_type(each)};\n"
        for key, each in schema["properties"].items()
    ]
    return f"export interface {name} {{\n{''.join(lines)}}}\n"


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": str(reference)}:
            name = reference.removeprefix(_REFERENCE)
            page = _PAGE.fullmatch(name)
            return f"Page<{page[1]}>" if page else name
        case {"enum": list(values)}:
            return " | ".join(json.dumps(value) for value in values)
        case {"anyOf": list(choices)}:
            return " | ".join(dict.fromkeys(_type(each) for each in choices))
        case {"type": "null"}:
            return "null"
        case {"type": "array", "items": dict(items)}:
            inside = _type(items)
            return f"({inside})[]" if " | " in inside else f"{inside}[]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"Record<string, {_type(values)}>"
        case {"type": "object"}:
            return "Record<string, unknown>"
        case {"type": str(name)}:
            return _NAMES[name]
        case _:
            return "unknown"


def _reads(paths: dict[str, Any]) -> str:
    lines = [f"  {json.dumps(path)}: {kind};\n" for path, kind in _answers(paths)]
    return f"export interface Reads {{\n{''.join(lines)}}}\n"


def _answers(paths: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in paths.items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if path.startswith(PREFIX) and "application/json" in content:
            yield path.removeprefix(PREFIX), _type(content["application/json"]["schema"])
