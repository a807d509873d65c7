"""What the world may send: texts, JSON of any shape, JSON that is nearly right, and bytes."""

import json
from typing import Any

import msgspec
from hypothesis import strategies as st

from protocol.webhook.deliveries import EVENTS

NOW = 1_790_000_000_000_000
USER = "06b72fa5-f615-4659-a9f9-4d313aba495d"

# Lone surrogates too: JSON can write them as escapes, and Python can hold them.
any_text = st.text(st.characters(exclude_categories=()), max_size=80)
uuids = st.uuids().map(str)
device_codes = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
feed_keys = st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True)

integers = (
    st.integers(-5, 5)
    | st.integers()
    | st.sampled_from([sign * 2**bits for bits in (31, 53, 63, 64, 1024) for sign in (1, -1)])
)
finite = st.floats(allow_nan=False, allow_infinity=False)
# Numbers as a text feed's neighbour would write them, and nearly so.
numeric_texts = st.from_regex(r"[+-]?[0-9]{0,5}\.?[0-9]{0,5}([eE][+-]?[0-9]{1,5})?", fullmatch=True)
scalars = st.none() | st.booleans() | integers | finite | any_text | numeric_texts
pieces = scalars | st.lists(scalars, max_size=2) | st.dictionaries(any_text, scalars, max_size=2)
json_values = pieces | st.lists(pieces, max_size=3) | st.dictionaries(any_text, pieces, max_size=3)


def as_json(value: Any, ascii_only: bool = True) -> bytes:
    """JSON of a value; not UTF-8 where it holds a lone surrogate and `ascii_only` is off."""
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def written(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Values as JSON, and as JSON with some damage."""
    whole = st.builds(as_json, values, st.booleans())
    return whole | st.builds(damaged, whole, st.integers(0, 400), st.binary(max_size=3))


def damaged(data: bytes, at: int, instead: bytes) -> bytes:
    """`data` with one byte replaced by others, or by nothing."""
    at %= max(1, len(data))
    return data[:at] + instead + data[at + 1 :]


# Literals that are legal JSON and hard to hold, and some that are not legal.
hard_literals = st.sampled_from(
    [
        b"1" * 400,
        b"-" + b"9" * 5_000,
        b"1e999",
        b"-1e-999",
        b"0." + b"3" * 400,
        b"1E+0400",
        b"[" * 5_000,
        b'{"a":' * 5_000,
        b'{"value":' * 2_000 + b"1" + b"}" * 2_000,
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
        b"NaN",
        b"-Infinity",
        b"01",
        b"",
        b" ",
    ]
)
any_bytes = st.binary(max_size=200) | hard_literals | written(json_values)


def nearly(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects whose fields are mostly there and as they should be, and now and then with more."""
    whole = st.fixed_dictionaries({name: right | right | pieces for name, right in fields.items()})
    lost = st.sets(st.sampled_from(sorted(fields)), max_size=2)
    more: st.SearchStrategy[dict[str, Any]]
    more = st.just({}) | st.dictionaries(any_text, pieces, max_size=2)
    return st.builds(
        lambda said, gone, others: {**others, **{k: v for k, v in said.items() if k not in gone}},
        whole,
        lost,
        more,
    )


short_texts = st.text(max_size=12)
# A right value for each field of a REST body, by its name.
BODY_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "email": st.builds("{}@{}".format, device_codes, feed_keys) | st.just("ada@example.org"),
    "password": st.text(min_size=8, max_size=12) | st.just("correct-horse"),
    "current_password": short_texts | st.just("correct-horse"),
    "full_name": st.none() | short_texts,
    "device_code": device_codes,
    "name": short_texts,
    "offline_after_s": st.integers(1, 30 * 24 * 3600),
    "key": feed_keys,
    "device_id": st.none() | uuids | uuids.map(str.upper),
    "unit": st.none() | short_texts,
    "kind": st.sampled_from(["number", "text", "bool"]),
    "enabled": st.booleans(),
    "min_value": st.none() | finite,
    "max_value": st.none() | finite,
    "on_violation": st.sampled_from(["reject", "flag"]),
    "offline_alarm": st.booleans(),
    "alarm": nearly(
        {
            "after_s": st.floats(0, 1e6),
            "after_count": st.integers(1, 1000),
            "hysteresis": st.floats(0, 1e6),
            "severity": st.sampled_from(["info", "warning", "critical"]),
        }
    ),
    "type": feed_keys,
    "payload": json_values,
    "ttl_s": st.integers(1, 30 * 24 * 3600),
    "parallel": st.booleans(),
    "id": st.none() | uuids,
    "media_id": uuids,
    "trigger_time": st.just("2026-12-01T08:00:00Z") | short_texts,
    "timezone": st.sampled_from(["UTC", "Europe/Berlin"]) | short_texts,
    "recurrence": st.none() | st.sampled_from(["FREQ=DAILY", "FREQ=HOURLY;COUNT=3"]) | short_texts,
    "exclusions": st.lists(st.just("2026-12-24") | short_texts, max_size=2),
    "misfire": st.sampled_from(["fire", "skip"]),
    "grace_s": st.integers(0, 7 * 24 * 3600),
    "url": st.sampled_from(["https://receiver.example/in", "http://127.0.0.1/"]) | short_texts,
    "events": st.lists(st.sampled_from(EVENTS), min_size=1, max_size=3),
    "description": short_texts,
    "code": st.text(min_size=1, max_size=12),
    "code_verifier": st.none() | st.text(min_size=1, max_size=12),
    "sku": short_texts,
    "price": st.decimals(0, 999, places=2).map(str) | st.floats(0, 1e6) | st.integers(0, 99),
    "stock": st.integers(0, 99),
    "items": st.lists(nearly({"product_id": uuids, "quantity": st.integers(1, 9)}), max_size=2),
    "note": short_texts,
    "home_assistant": st.booleans(),
    "revoke": st.booleans(),
    "ids": st.lists(uuids | short_texts, min_size=1, max_size=3),
    "scope": st.sampled_from(["read", "write"]),
    "expires_at": st.none() | st.just("2099-01-01T00:00:00Z") | short_texts,
    "token": short_texts,
    "retain_days": st.none() | st.integers(1, 36_500),
    "status": st.sampled_from(["completed", "cancelled"]),
}


def nearly_a_body(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that are nearly a body of that kind."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    return nearly({name: BODY_FIELDS[name] for name in names})


# What a device may say: its times, its ids, and its status with the most of each number.
rfc3339 = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
STAMPS: dict[str, st.SearchStrategy[Any]] = {
    "ts": st.none()
    | st.integers(NOW // 10**6 - 10**6, NOW // 10**6 + 600)
    | st.integers(NOW // 1000 - 10**9, NOW // 1000 + 600_000)
    | st.floats(0, 2e9)
    | rfc3339
    | numeric_texts,
    "id": st.none() | short_texts | st.text(min_size=60, max_size=70),
}
NUMBERS = {"temperature": 1e6, "humidity": 1e6, "latitude": 90, "longitude": 180}
STATUS_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(["online", "offline", "sleeping"]) | short_texts,
    "firmware": st.none() | short_texts | st.text(min_size=250, max_size=260),
    "session": st.none() | integers,
    "ts": STAMPS["ts"],
    **{name: st.floats(-most, most) | finite for name, most in NUMBERS.items()},
}
status_payloads = written(nearly(STATUS_FIELDS))
