"""Cursors: what was written is read again, and nothing else is."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http.cursors import CURSOR_MAX, cursor_of, place_in

PLACE = msgspec.json.Decoder(tuple[str, int])


@given(st.text(), st.integers(-(2**63), 2**63 - 1))
def test_a_place_is_read_as_it_was_written(value: str, number: int) -> None:
    cursor = cursor_of((value, number))
    assert cursor.replace("-", "").replace("_", "").isalnum()
    if len(cursor) <= CURSOR_MAX:
        assert place_in(PLACE, cursor) == (value, number)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!", "ä", "MSwy", cursor_of((1, 2)), cursor_of(("a",)), cursor_of(("a" * 2_000, 1))],
)
def test_what_is_no_place_of_that_kind_is_none_of_ours(cursor: str) -> None:
    with pytest.raises(ValueError):
        place_in(PLACE, cursor)
