"""What devices send: any payload is refused with a reason, or holds what the contract allows."""

import math
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.device.payloads import (
    MESSAGE_ID_MAX,
    READINGS_MAX,
    RESERVED,
    RawReading,
    parse_reading,
    parse_readings,
)
from protocol.device.status_payloads import parse_status
from protocol.device.topics import is_feed_key
from protocol.errors import Refusal
from protocol.times import AHEAD_US, EARLIEST_US
from tests.property.outcomes import outcome
from tests.property.strategies import (
    NOW,
    NUMBERS,
    STAMPS,
    any_bytes,
    any_text,
    as_json,
    feed_keys,
    nearly,
    pieces,
    scalars,
    status_payloads,
    written,
)

P = ParamSpec("P")
T = TypeVar("T")

one_reading = written(nearly({"value": scalars, **STAMPS}) | pieces)
keys = feed_keys | st.sampled_from(RESERVED) | any_text
values = st.dictionaries(keys, scalars | pieces, max_size=4)
groups = values | nearly({"values": values, **STAMPS}) | pieces
several_readings = written(groups | st.lists(groups, max_size=4))


def parsed(parse: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What it says, or None where it was refused with a reason and words."""
    said = outcome(Refusal, parse, *args, **kwargs)
    if isinstance(said, Refusal):
        assert said.reason and said.detail
        return None
    return said


def check(reading: RawReading) -> None:
    """A reading that was taken is one that the contract has."""
    if reading.refusal is not None:
        assert reading.refusal.reason and reading.refusal.detail
        return
    assert is_feed_key(reading.key) and reading.key not in RESERVED
    assert isinstance(reading.value, str | int | float | bool)
    assert not isinstance(reading.value, float) or math.isfinite(reading.value)
    if reading.ts_us is not None:
        assert EARLIEST_US <= reading.ts_us <= NOW + AHEAD_US
    if reading.message_id is not None:
        assert 1 <= len(reading.message_id) <= MESSAGE_ID_MAX
        assert "\0" not in reading.message_id
        reading.message_id.encode()


@settings(max_examples=120)
@given(keys, one_reading | any_bytes)
def test_any_payload_is_one_reading_or_a_refusal(key: str, payload: bytes) -> None:
    readings = parsed(parse_reading, key, payload, NOW)
    if readings is not None:
        (reading,) = readings
        assert reading.key == key
        check(reading)


@settings(max_examples=120)
@given(several_readings | any_bytes)
def test_any_payload_is_some_readings_or_a_refusal(payload: bytes) -> None:
    readings = parsed(parse_readings, payload, NOW)
    if readings is not None:
        assert 1 <= len(readings) <= READINGS_MAX
        for reading in readings:
            check(reading)


@settings(max_examples=20)
@given(st.integers(1, 4 * READINGS_MAX), st.integers(1, 40))
def test_no_form_holds_more_than_five_hundred_readings(count: int, in_each: int) -> None:
    readings = {f"k{n}": n for n in range(count)}
    pairs = list(readings.items())
    listed = [dict(pairs[n : n + in_each]) for n in range(0, count, in_each)]
    forms: list[object] = [readings, {"values": readings}, listed]
    for form in forms:
        found = parsed(parse_readings, as_json(form), NOW)
        assert (found is not None) == (count <= READINGS_MAX)


@settings(max_examples=120)
@given(status_payloads | any_bytes)
def test_any_payload_is_a_status_or_a_refusal(payload: bytes) -> None:
    said = parsed(parse_status, payload, NOW)
    if said is None:
        return
    for text, characters in ((said.status, 32), (said.firmware, 256)):
        if text is not None:
            assert text.strip() and len(text) <= characters and "\0" not in text
            text.encode()
    for name, most in NUMBERS.items():
        number = getattr(said, name)
        assert number is None or abs(number) <= most
    assert said.session is None or 0 <= said.session < 2**63
