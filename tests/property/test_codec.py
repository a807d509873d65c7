"""The one door for bytes: one error of ours, and what was written is read."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import codec
from protocol.device.feed_views import FeedChange, NewFeed
from protocol.device.views import DeviceChange, NewDevice
from protocol.errors import BadPayload, Invalid, Malformed, Problem
from protocol.people.second_factor import CodeSent, PasswordAgain
from protocol.people.views import Credentials, NewUser, UserChange
from tests.property.outcomes import outcome
from tests.property.strategies import any_bytes, finite, nearly_a_body, written

BODIES: list[Any] = [
    *(Credentials, NewUser, UserChange),
    *(PasswordAgain, CodeSent),
    *(NewDevice, DeviceChange),
    *(NewFeed, FeedChange),
]

texts = st.text()
storable = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | finite | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(any_bytes)
def test_any_bytes_are_json_or_one_error_of_ours(data: bytes) -> None:
    said = outcome(BadPayload, codec.decode, data)
    assert not isinstance(said, BadPayload) or said.detail


@given(storable)
def test_what_is_encoded_is_read_the_same_by_us_and_by_others(value: object) -> None:
    data = codec.encode(value)
    assert codec.decode(data) == value
    assert json.loads(data) == value


@given(any_bytes)
def test_what_we_read_others_read_the_same(data: bytes) -> None:
    said = outcome(BadPayload, codec.decode, data)
    assert isinstance(said, BadPayload) or said == json.loads(data)


@settings(max_examples=100)
@given(kind=st.sampled_from(BODIES), data=st.data())
def test_a_body_is_its_struct_or_every_field_that_does_not_fit(kind: Any, data: Any) -> None:
    sent = data.draw(written(nearly_a_body(kind)) | any_bytes)
    body = outcome(Problem, codec.decode_body, sent, kind)
    if isinstance(body, Invalid):
        raw = codec.decode(sent)
        fields = {field.encode_name for field in msgspec.structs.fields(kind)}
        # A field of a field is named by its path.
        allowed = fields | raw.keys() if isinstance(raw, dict) else {""}
        assert all(each in allowed or each.partition(".")[0] in fields for each in body.errors)
        assert all(body.errors.values())
    elif isinstance(body, Malformed):
        assert body.detail
    else:
        assert isinstance(body, kind)
        # What was taken is still right when it is written and read again.
        assert codec.decode_body(codec.encode(body), kind) == body
