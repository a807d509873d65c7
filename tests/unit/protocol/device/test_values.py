"""Which values feeds accept."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.device.values import digest64, take_value
from protocol.errors import Refusal


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (25.5, 25.5),
        ("25.5", 25.5),
        (7, 7.0),
        ("-1e3", -1000.0),
        ("+.5", 0.5),
        ("5.", 5.0),
        (-0.0, 0.0),
        ("-0", 0.0),
        (" 1", 1.0),
        ("25.5 \r\n", 25.5),
    ],
)
def test_a_number_feed_takes_numbers_and_numeric_strings(raw: object, value: float) -> None:
    taken = take_value("number", raw)
    assert taken == value
    assert math.copysign(1, taken) == (1 if value >= 0 else -1)


@pytest.mark.parametrize(
    "raw",
    [
        True,
        "",
        " ",
        "1 2",
        "nan",
        "inf",
        "-Infinity",
        "0x10",
        "1_000",
        "1,5",
        "１",
        "1e999",
        10**400,
        None,
        [],
        {},
        "1" * 65,
    ],
)
def test_a_number_feed_refuses_everything_else(raw: object) -> None:
    with pytest.raises(Refusal):
        take_value("number", raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("on", True),
        ("off", False),
        (1.0, True),
        ("ON", True),
        (" Off\n", False),
        ("true", True),
        ("False", False),
        ("1", True),
        ("0", False),
    ],
)
def test_a_bool_feed_takes_six_words_in_any_case(raw: object, value: bool) -> None:
    assert take_value("bool", raw) is value


@pytest.mark.parametrize("raw", [2, "yes", "1.0", "open", "", None, [], {}, 0.5])
def test_a_bool_feed_refuses_everything_else(raw: object) -> None:
    with pytest.raises(Refusal):
        take_value("bool", raw)


def test_a_text_feed_counts_bytes_and_refuses_what_postgresql_cannot_hold() -> None:
    assert take_value("text", "é" * 512) == "é" * 512
    for raw in ("é" * 513, "a\0b", "\ud800", 5, None):
        with pytest.raises(Refusal):
            take_value("text", raw)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False))
def test_two_numbers_never_share_a_digest(a: float, b: float) -> None:
    a, b = a + 0.0, b + 0.0
    assert (digest64(a) == digest64(b)) == (a == b)


@given(st.text(), st.text(min_size=1))
def test_a_message_id_is_part_of_the_identity(text: str, message_id: str) -> None:
    assert digest64(text, message_id) != digest64(text)
    assert -(2**63) <= digest64(text, message_id) < 2**63
