"""The OpenAPI 3.1 document, generated from the operations and their Structs."""

import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, assert_never

import msgspec

from protocol.media.types import TAKEN, WORDS
from protocol.rest.shapes import ProblemView
from web.http.examples import EXAMPLES
from web.http.operation import (
    CODE_HEADER,
    Auth,
    Body,
    Condition,
    Content,
    Csv,
    CsvFile,
    Form,
    Json,
    Operation,
    Raw,
    Streamed,
    Upload,
    ZipFile,
)
from web.http.preconditions import KEY_HEADER, KEY_MAX
from web.http.problems import MEDIA_TYPE
from web.http.routing import PREFIX
from web.http.uploads import PART

_REFERENCE = "#/components/schemas/{name}"
_PATH = re.compile(r"<(\w+)>")

TEXT = {"type": "string"}
CSV, LINES, ZIP = "text/csv", "application/x-ndjson", "application/zip"
ID = {"type": "string", "format": "uuid"}
KEY = {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"}
# Headers of error responses.
HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    416: {"Content-Range": {"required": True, "schema": {"type": "string"}}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}},
}
# A signed link to the content needs no login.
LINK: dict[str, list[str]] = {}
# Request headers for contents, and response headers (RFC 9110).
CONDITIONS = ("Range", "If-Range", "If-None-Match", "If-Modified-Since")
ABOUT_CONTENT = ("ETag", "Last-Modified", "Accept-Ranges", "Cache-Control", "Content-Disposition")
DEVICE: list[dict[str, list[str]]] = [{"device": []}]
SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"bearer": []}, {"cookie": []}]


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The whole document. Every operation lists its answers, including errors."""
    types = [t for each in operations for t in _types(each)]
    schemas, components = _schemas([*types, ProblemView])
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = PREFIX + _PATH.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(
            operation, schemas, components
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Roost",
            "version": version,
            "description": "Devices, feeds and readings. Times are RFC 3339 in UTC.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "x-auth-token"},
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "device": {"type": "http", "scheme": "basic"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "roost_token"},
            },
        },
    }


def _types(operation: Operation) -> Iterator[Any]:
    """Types that have a schema in the document."""
    if isinstance(operation.body, Json | Form):
        yield operation.body.shape
    if isinstance(operation.answer, Json | Streamed):
        yield operation.answer.shape
    if operation.query is not None:
        yield operation.query


def _schemas(types: Iterable[Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    unique = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(unique, ref_template=_REFERENCE)
    _write_patterns_as_ecma_262(components)
    return dict(zip(unique, found, strict=True)), components


def _write_patterns_as_ecma_262(schema: Any) -> None:
    r"""JSON Schema's patterns are JavaScript's, whose `$` is our `\Z`; it knows no `\Z`."""
    if isinstance(schema, dict):
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            schema["pattern"] = pattern.replace(r"\Z", "$")
        for inner in schema.values():
            _write_patterns_as_ecma_262(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _write_patterns_as_ecma_262(inner)


def _operation(
    operation: Operation, schemas: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": _answers(operation, schemas),
    }
    parameters = [*_parameters(operation, schemas, components)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = _body_content(operation.body, schemas)
        described["requestBody"] = {"required": True, "content": content}
    if operation.auth is not Auth.PUBLIC:
        described["security"] = _security(operation)
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.auth is Auth.DEVICE:
        return DEVICE
    return [*SECURITY, LINK] if operation.auth is Auth.LINK else SECURITY


def _parameters(
    operation: Operation, schemas: dict[Any, Any], components: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    for name in _PATH.findall(operation.path):
        schema = KEY if operation.auth is Auth.DEVICE else ID
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if operation.query is not None:
        query = components[schemas[operation.query]["$ref"].rpartition("/")[2]]
        for name, schema in query["properties"].items():
            required = name in query["required"]
            yield {"name": name, "in": "query", "required": required, "schema": schema}
    if isinstance(operation.answer, Content):
        for name in CONDITIONS:
            yield {"name": name, "in": "header", "schema": TEXT}
    if operation.condition is Condition.AGAIN:
        key = {"type": "string", "minLength": 1, "maxLength": KEY_MAX}
        yield {"name": KEY_HEADER, "in": "header", "schema": key}
    if operation.takes_if_match:
        yield {"name": "If-Match", "in": "header", "schema": TEXT, "example": "*"}
    if operation.asks_code:
        yield {"name": CODE_HEADER, "in": "header", "schema": TEXT, "example": "123456"}


def _body_content(body: Body, schemas: dict[Any, Any]) -> dict[str, Any]:
    """By media type."""
    match body:
        case Upload():
            return {"multipart/form-data": _file()}
        case Raw():
            return {"application/json": {"schema": {}, "example": body.example}}
        case Csv():
            return {CSV: {"schema": TEXT, "example": body.example}}
        case Json() | Form():
            example = EXAMPLES[body.shape]
            content = {"application/json": {"schema": schemas[body.shape], "example": example}}
            if isinstance(body, Form):
                content["application/x-www-form-urlencoded"] = {"schema": _form()}
            return content
    assert_never(body)


def _file() -> dict[str, Any]:
    """One part, `file`; its type is detected from its content (`actors.media.sniffing`)."""
    file = {"type": "string", "format": "binary", "minLength": 1}
    schema = {
        "type": "object",
        "required": [PART],
        "properties": {PART: file},
        "additionalProperties": False,
    }
    return {"schema": schema, "example": {PART: f"One of: {WORDS}"}}


def _form() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["username", "password"],
        "properties": {"username": TEXT, "password": TEXT, "code": TEXT},
    }


def _answers(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    if isinstance(operation.answer, Content):
        answers = _content_answers()
    else:
        answers = _good_answers(operation, schemas)
    for status in sorted(_wrong(operation)):
        answers[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schemas[ProblemView]}},
        }
        if status in HEADERS:
            answers[str(status)]["headers"] = HEADERS[status]
    return answers


def _wrong(operation: Operation) -> set[int]:
    """The statuses of its error responses."""
    wrong = {422, 429, 503, *operation.errors}
    if operation.auth is not Auth.PUBLIC:
        wrong.add(401)
        if operation.auth is Auth.DEVICE:
            return wrong | {400, 408, 413, 507}
        if operation.method != "GET" or operation.auth is Auth.SESSION:
            wrong.add(403)
    if operation.body is not None:
        wrong |= {400, 408, 413}
    if isinstance(operation.body, Upload | Csv):
        wrong.add(415)
    if operation.takes_if_match:
        wrong |= {409, 412}
    if operation.adds:
        wrong.add(507)
    if isinstance(operation.answer, Content):
        wrong.add(416)
    return wrong


def _good_answers(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status in (operation.status, *operation.also):
        good: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        match operation.answer:
            case Json(shape):
                good["content"] = {"application/json": {"schema": schemas[shape]}}
            case Streamed(shape):
                good["content"] = {
                    "application/json": {"schema": schemas[shape]},
                    CSV: {"schema": TEXT},
                    LINES: {"schema": TEXT},
                }
            case CsvFile():
                good["content"] = {CSV: {"schema": TEXT}}
            case ZipFile():
                good["content"] = {ZIP: {"schema": {}}}
        if operation.condition is Condition.REVISION:
            good["headers"] = {"ETag": {"required": True, "schema": TEXT}}
        answers[str(status)] = good
    return answers


def _content_answers() -> dict[str, Any]:
    """The bytes of a file: all of them, a range, or none because the client has them already."""
    headers = {name: {"required": True, "schema": TEXT} for name in ABOUT_CONTENT}
    content: dict[str, Any] = {kind: {"schema": {}} for kind in TAKEN}
    part = {**headers, "Content-Range": {"required": True, "schema": TEXT}}
    return {
        "200": {"description": "The whole content", "headers": headers, "content": content},
        "206": {"description": "The range asked for", "headers": part, "content": content},
        "304": {"description": HTTPStatus(304).phrase, "headers": headers},
    }
