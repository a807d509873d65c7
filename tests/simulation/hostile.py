"""Payloads that nobody should send: where they go, and whether their refusal is kept."""

import json
from typing import Any

# Below a device's prefix; the last two are Roost's own.
WRONG_TOPICS = (
    *("feeds/bare/x", "feeds/bare/", "feeds//bare", "feeds/", "telemetry", "Status", "LWT", ""),
    *("tele/SENSOR", "commands/x", "status/", "commands", "errors"),
)


def payload_of(shape: str, number: int) -> tuple[str, bytes, bool]:
    """Tail of the topic, bytes that hold `number`, and whether somebody is told of the refusal."""
    mark = str(number).encode()
    tail = "feeds/bare"
    match shape:
        case "not json":
            return tail, b'{"value": ' + mark, True
        case "not utf-8":
            return tail, b"\xff\xfe " + mark, True
        case "deep":
            return tail, mark + b" " + b"[" * 20_000, True
        case "huge":
            return tail, mark + b" " + b"x" * 70_000, True
        case "empty":
            return tail, b"", False
        case "nul":
            return tail, json.dumps({"value": f"\0 {number}"}).encode(), True
        case "nan":
            return tail, b"NaN " + mark, True
        case "list of rubbish":
            return "feeds", json.dumps([[number], None, {"a": {}}]).encode(), True
        case "unknown feed":
            return "feeds/nowhere", _value(number), True
        case "bad key":
            return "feeds/NoSuchKey", _value(number), True
        case "bad time":
            return tail, json.dumps({"value": number, "ts": "yesterday"}).encode(), True
        case "bad status":
            return "status", json.dumps({"status": "x", "latitude": number}).encode(), True
        case "ack of nothing":
            return f"commands/{number}/ack", b'{"status": "delivered"}', False
        case "foreign topic":
            wrong = WRONG_TOPICS[number % len(WRONG_TOPICS)]
            return wrong, _value(number), wrong not in ("commands", "errors")
        case "nobody's device":
            return tail, _value(number), False
    raise ValueError(shape)


def _value(number: Any) -> bytes:
    return json.dumps({"value": number}).encode()
