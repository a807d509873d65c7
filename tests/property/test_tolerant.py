"""The second try reads JSON as the first one does, and anything else is refused or read in part."""

import json
import math
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


def _has_many_digits(said: Any) -> bool:
    """An integer that the second try leaves as it was written."""
    return len(as_json(said)) > 400
