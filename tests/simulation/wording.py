"""The bytes of a message. Devices word the same thing in many ways; its number picks one."""

import json
from typing import Any

from tests.simulation.plan import Form


def reading(form: Form, value: float, number: int, ts: int) -> bytes:
    """One reading; `ts` is in milliseconds."""
    match form:
        case "ts":
            return _one_of(
                number,
                _json({"value": value, "ts": ts}),
                _json({"value": value, "ts": ts * 1000}),
                _json({"value": value, "ts": ts * 1_000_000}),
                _json({"value": f"{value} ", "ts": ts / 1000}),
            )
        case "id":
            # The counter starts anew all the time.
            return _json({"value": value, "id": f"m{number % 3}"})
        case "wrong":
            return _one_of(
                number, _json({"value": f"not a number {number}"}), f"no number {number}"
            )
        case "repeat":
            return b"1"
        case _:
            return _one_of(
                number,
                _json({"value": value}),
                f" {value}\n",
                _json({"value": f" {value} "}),
                _json({"id": 0, "value": value}),
            )


def several(key: str, number: int, ts: int) -> tuple[bytes, str]:
    """Several readings, one of which is right, and what tells the one that is refused from all
    others."""
    refused = int(f"9{number}")
    payload = _one_of(
        number,
        _json({"ts": ts, "values": {key: number, "nowhere": refused}}),
        _json({"ts": ts, "values": {key: number}, "nowhere": refused}),
        f'{{"ts": {ts}, "nowhere-{refused}": NaN, "{key}": {number}}}',
        f'{{"{key}": {refused}, "ts": {ts}, "{key}": {number}}}',
        f'[{{"ts": {ts}, "{key}": {number}}}, {{"id": {refused}, "nowhere-{refused}": -inf}}]',
    )
    return payload, f"{refused}"


def report(mark: int, ts: int) -> bytes:
    """A status with `ts`."""
    body = {"ts": ts, "temperature": mark, "status": "online"}
    return _one_of(
        mark,
        _json(body),
        _json({"tst": ts, "temperature": f"{mark} ", "status": "Online"}),
        _json({**body, "rssi": -70}),
        f'{{"humidity": NaN, "ts": {ts}, "temperature": {mark}}}',
        f'{{"temperature": 0, "ts": {ts}, "temperature": {mark}, "firmware": 1}}',
    )


def word(status: str, number: int) -> bytes:
    """A status without `ts`; a bare word where it may be one."""
    if status not in ("online", "offline"):
        return _json({"status": f"{status} "})
    return _one_of(
        number,
        _json({"status": status}),
        f" {status.title()}\n",
        _json(status.upper()),
        _json({"status": f" {status.upper()}", "ts": None}),
    )


def _one_of(number: int, *forms: bytes | str) -> bytes:
    form = forms[number % len(forms)]
    return form.encode() if isinstance(form, str) else form


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()
