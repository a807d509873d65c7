"""Values of feeds: typed or refused, and told apart by 64 bits."""

import math
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from protocol.device.values import TEXT_BYTES_MAX, Kind, Value, digest64, take_value
from protocol.errors import Reason, Refusal
from tests.property.outcomes import outcome
from tests.property.strategies import any_text, finite, integers, json_values, numeric_texts

kinds = st.sampled_from(get_args(Kind))
words = st.sampled_from(["on", "off", "true", "1", "0", "1.5e3", " 1", "١", "nan", "inf", "1_0"])
long_texts = st.text(min_size=TEXT_BYTES_MAX // 4, max_size=TEXT_BYTES_MAX + 8)
raw_values = json_values | words | long_texts | st.floats()


# Two values of one feed, often the same one in two spellings.
spellings: dict[Kind, st.SearchStrategy[Any]] = {
    "number": finite | st.integers(-9, 9) | st.sampled_from(["1", "1.0", "+1e0", "-0", 0, -0.0]),
    "bool": st.sampled_from([True, False, 1, 0, 1.0, "on", "off"]),
    "text": st.text(max_size=3),
}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Value, Value]:
    kind = draw(kinds)
    one, other = draw(st.tuples(spellings[kind], spellings[kind]))
    return take_value(kind, one), take_value(kind, other)


def taken(kind: Kind, raw: Any) -> Value | None:
    value = outcome(Refusal, take_value, kind, raw)
    if isinstance(value, Refusal):
        assert value.reason == Reason.BAD_VALUE and value.detail
        return None
    return value


@given(kinds, raw_values)
def test_any_value_is_of_its_feeds_kind_or_refused(kind: Kind, raw: Any) -> None:
    value = taken(kind, raw)
    if value is None:
        return
    assert type(value) is {"number": float, "text": str, "bool": bool}[kind]
    if isinstance(value, float):
        assert math.isfinite(value)
        assert math.copysign(1, value) == 1 or value != 0  # there is one zero
    if isinstance(value, str):
        assert value == raw
        assert "\0" not in value and len(value.encode()) <= TEXT_BYTES_MAX
    # A value that was taken is taken again as it is.
    assert take_value(kind, value) == value


@given(integers | finite)
def test_a_number_is_the_same_number_written_as_a_text(number: float) -> None:
    value = taken("number", number)
    if value is not None and len(repr(number)) <= 64:
        assert taken("number", repr(number)) == value


@given(numeric_texts | any_text)
def test_a_text_is_a_number_as_python_reads_it_or_refused(text: str) -> None:
    value = taken("number", text)
    if value is not None:
        assert value == float(text)


@given(st.booleans() | st.floats(allow_nan=False) | st.text(), st.none() | st.text(max_size=64))
def test_a_digest_is_64_bits_and_the_same_each_time(value: Value, message_id: str | None) -> None:
    digest = digest64(value, message_id)
    assert -(2**63) <= digest < 2**63
    assert digest64(value, message_id) == digest


@given(pairs())
def test_equal_values_have_equal_digests_and_others_others(pair: tuple[Value, Value]) -> None:
    one, other = pair
    assert (digest64(one) == digest64(other)) == (one == other)


@given(st.text(max_size=64), st.text(max_size=64), finite)
def test_a_message_id_is_part_of_what_a_reading_is(first: str, second: str, value: float) -> None:
    assert (digest64(value, first) == digest64(value, second)) == (first == second)
