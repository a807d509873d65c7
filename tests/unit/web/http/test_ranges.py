"""`Range` as RFC 9110 §14 has it, for ten bytes."""

import pytest

from protocol.errors import NoSuchRange
from web.http.ranges import span_of

WHOLE = None
GOOD = {
    "bytes=0-0": (0, 1),
    "bytes=0-4": (0, 5),
    "bytes=5-": (5, 10),
    "bytes=9-9": (9, 10),
    "bytes=5-99": (5, 10),
    "bytes=-3": (7, 10),
    "bytes=-99": (0, 10),
    "BYTES = 1-2 ": (1, 3),
    "bytes=0-9999999999999999999": (0, 10),
    # Several ranges, other units, and what is none: the whole.
    "bytes=0-1,4-5": WHOLE,
    "bytes=0-1, bytes=4-5": WHOLE,
    "items=0-1": WHOLE,
    "bytes=-": WHOLE,
    "bytes=5-4": WHOLE,
    "bytes=a-b": WHOLE,
    "bytes=1.5-2": WHOLE,
    "bytes=+1-2": WHOLE,
    "bytes=٣-٤": WHOLE,
    "bytes=0-99999999999999999999": WHOLE,
    "bytes": WHOLE,
    "": WHOLE,
}


@pytest.mark.parametrize("text", GOOD)
def test_a_range_is_cut_to_what_there_is_and_rubbish_is_passed_over(text: str) -> None:
    assert span_of(text, 10) == GOOD[text]


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=999-"])
def test_a_range_behind_the_end_cannot_be_satisfied(text: str) -> None:
    with pytest.raises(NoSuchRange) as caught:
        span_of(text, 10)
    assert caught.value.size == 10
