"""JSON in and out: `protocol.codec`."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import codec
from protocol.device.commands import PAYLOAD_BYTES_MAX, NewCommand
from protocol.errors import BadPayload, Invalid, Malformed, Reason, TooLarge


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: int = 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"NaN", Reason.NOT_JSON),
        (b"{", Reason.NOT_JSON),
        (b'"\xff"', Reason.NOT_UTF8),
        (b"[" * 20_000, Reason.TOO_DEEP),
        (b"1e999", Reason.WRONG_SHAPE),
    ],
)
def test_every_failure_of_the_decoder_becomes_one_error_of_ours(
    data: bytes, reason: Reason
) -> None:
    with pytest.raises(BadPayload) as caught:
        codec.decode(data)
    assert caught.value.reason == reason


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        codec.decode(data)
    except BadPayload:
        return


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_json)
def test_what_is_encoded_decodes_to_the_same(value: object) -> None:
    assert codec.decode(codec.encode(value)) == value
    assert json.loads(codec.encode(value)) == value


def test_a_body_names_every_field_that_does_not_fit() -> None:
    with pytest.raises(Invalid) as caught:
        codec.decode_body(b'{"count": "many", "colour": 1}', Body)
    assert set(caught.value.errors) == {"name", "count", "colour"}


def test_a_body_that_is_not_json_is_malformed_and_one_that_is_no_object_is_invalid() -> None:
    with pytest.raises(Malformed):
        codec.decode_body(b"{", Body)
    with pytest.raises(Invalid):
        codec.decode_body(b"[]", Body)


def test_of_unknown_fields_only_some_are_named() -> None:
    body = codec.encode({f"f{n}": n for n in range(4_000)})
    with pytest.raises(Invalid) as caught:
        codec.decode_body(body, Body)
    assert len(caught.value.errors) == codec.UNKNOWN_FIELDS_MAX + 1  # one more: the missing name


def test_a_body_that_is_longer_than_anything_we_know_is_too_large() -> None:
    padding = b" " * (codec.BODY_BYTES_MAX - 2)
    with pytest.raises(Invalid):
        codec.decode_body(b"{}" + padding, Body)
    with pytest.raises(TooLarge, match="at most 131,072 bytes"):
        codec.decode_body(b"{} " + padding, Body)
    # The longest valid body, with every character escaped.
    escaped = b'{"type":"say","payload":"' + b"\\u1ea5" * (PAYLOAD_BYTES_MAX // 3) + b'"}'
    assert len(escaped) < codec.BODY_BYTES_MAX
    command = codec.decode_body(escaped, NewCommand)
    assert len(codec.encode(command.payload)) <= PAYLOAD_BYTES_MAX + 2
