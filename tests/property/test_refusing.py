"""What is kept of a refused payload: always a text that can be stored, and never too much."""

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.ingest.rejections import KEPT_BYTES_MAX, readable
from tests.property.strategies import any_bytes

# Texts around the bound, so that the cut falls into a character of every length.
letters = st.sampled_from(["a", "é", "€", "😀", "\0", "\ufeff"])
long_texts = st.builds(
    lambda start, letter, end: (start + letter * KEPT_BYTES_MAX + end).encode(),
    st.text(max_size=4),
    letters,
    st.text(max_size=4),
)
cut_off = st.builds(
    lambda data, spare: data[: KEPT_BYTES_MAX + spare], long_texts, st.integers(-8, 8)
)
broken = st.builds(
    lambda data, at, byte: data[:at] + byte + data[at:],
    cut_off,
    st.integers(0, KEPT_BYTES_MAX),
    st.binary(min_size=1, max_size=1),
)


@settings(max_examples=150)
@given(any_bytes | long_texts | cut_off | broken)
def test_any_payload_is_kept_as_a_text_that_can_be_stored(payload: bytes) -> None:
    text, encoding = readable(payload)
    assert "\0" not in text
    text.encode()
    kept = payload[:KEPT_BYTES_MAX]
    if encoding == "base64":
        assert base64.b64decode(text, validate=True) == kept
        return
    assert encoding == "utf-8"
    assert kept.startswith(text.encode())
    # Only a character that the cut has split is missing.
    assert len(kept) - len(text.encode()) <= (3 if len(payload) > len(kept) else 0)


@given(long_texts | cut_off.filter(lambda data: b"\0" not in data))
def test_a_long_text_is_kept_as_a_text(payload: bytes) -> None:
    is_text = b"\0" not in payload and payload.decode("utf-8", "ignore").encode() == payload
    if is_text:
        assert readable(payload)[1] == "utf-8"
