"""The second try reads JSON as the first one does, and anything else is refused or read in part."""

import json
import math
from collections import Counter
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import codec
from protocol.device import tolerant
from protocol.device.payloads import parse_readings
from protocol.errors import BadPayload, Reason, Refusal
from tests.property.outcomes import outcome
from tests.property.strategies import (
    NOW,
    any_bytes,
    as_json,
    feed_keys,
    finite,
    json_values,
    written,
)

odd_numbers = st.sampled_from(
    [
        "NaN",
        "nan",
        "-NAN",
        "Infinity",
        "-inf",
        "+INF",
        "1e400",
        "-1e999",
        "01",
        "+5",
        ".5",
        "1.#IND",
    ]
)


@given(written(json_values) | any_bytes)
def test_what_the_first_try_reads_the_second_reads_alike(payload: bytes) -> None:
    first = outcome(BadPayload, codec.decode, payload)
    second = outcome(Refusal, tolerant.decode, payload)
    if isinstance(first, BadPayload) or _has_many_digits(first):
        return
    if isinstance(second, Refusal):
        assert second.reason is Reason.TOO_DEEP  # their stacks differ
        return
    assert second == first


@settings(max_examples=150)
@given(any_bytes | st.lists(st.binary(max_size=6)).map(b"NaN".join))
def test_the_second_try_answers_or_refuses_and_its_answer_can_be_listed(payload: bytes) -> None:
    said = outcome(Refusal, tolerant.decode, payload)
    if isinstance(said, Refusal):
        assert said.reason and said.detail
    else:
        tolerant.encode(said)


@given(st.dictionaries(feed_keys, finite | odd_numbers, min_size=1, max_size=8))
def test_of_a_message_with_odd_numbers_the_others_are_readings(said: dict[str, Any]) -> None:
    said = {key: value for key, value in said.items() if key not in ("ts", "id", "values")}
    said["ok"] = 1
    pairs = (
        f"{json.dumps(key)}: {value if isinstance(value, str) else json.dumps(value)}"
        for key, value in said.items()
    )
    readings = parse_readings(f"{{{', '.join(pairs)}}}".encode(), NOW)
    assert [reading.key for reading in readings] == list(said)
    for reading in readings:
        sent = said[reading.key]
        if isinstance(sent, str):
            assert reading.refusal is not None and reading.refusal.reason is Reason.BAD_VALUE
            assert isinstance(reading.value, msgspec.Raw)
        else:
            assert reading.refusal is None and math.isclose(reading.value, sent)


few_keys = st.sampled_from(["a", "b", "c:d", 'e"f', "ts", "id", "values"])
simple = st.integers(-3, 3) | st.sampled_from(["x", "a:b", '"', "\\"]) | st.booleans() | st.none()
pairs = st.lists(st.tuples(few_keys, simple), max_size=6)


def as_object(said: list[tuple[str, Any]]) -> str:
    return "{" + ",".join(f"{json.dumps(key)} : {json.dumps(value)}" for key, value in said) + "}"


@settings(max_examples=200)
@given(st.lists(st.tuples(pairs, st.none() | pairs), min_size=1, max_size=3), st.booleans())
def test_nothing_that_a_message_says_vanishes(
    groups: list[tuple[list[tuple[str, Any]], list[tuple[str, Any]] | None]], is_alone: bool
) -> None:
    """Whatever keys come twice or beside `values`: each value is taken or refused, once."""
    if is_alone:
        groups = groups[:1]
    written, wanted, lasting = [], Counter[str](), Counter[str]()
    for outer, values in groups:
        outer = [(key, value) for key, value in outer if key not in ("ts", "id", "values")]
        said = as_object(outer)
        if values is not None:
            inner = f'"values": {as_object(values)}'
            said = f"{said[:-1]}, {inner}}}" if outer else f"{{{inner}}}"
        written.append(said)
        for key, value in [*outer, *(values or [])]:
            wanted[f"{key} {value!r}"] += 1
        lasting.update(f"{k} {v!r}" for k, v in dict(outer if values is None else values).items())
    payload = written[0] if is_alone else f"[{','.join(written)}]"
    readings = outcome(Refusal, parse_readings, payload.encode(), NOW)
    if isinstance(readings, Refusal):
        assert not wanted
        return
    assert Counter(f"{r.key} {r.value!r}" for r in readings) == wanted
    taken = Counter(f"{r.key} {r.value!r}" for r in readings if r.refusal is None)
    assert taken <= lasting


def _has_many_digits(said: Any) -> bool:
    """An integer that the second try leaves as it was written."""
    return len(as_json(said)) > 400
