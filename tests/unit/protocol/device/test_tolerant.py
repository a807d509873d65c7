"""The second try for payloads that are not quite JSON."""

import time
from collections.abc import Callable
from functools import partial

import pytest

from protocol import codec
from protocol.device import tolerant
from protocol.device.payloads import parse_reading, parse_readings
from protocol.device.status_payloads import parse_status
from protocol.errors import Reason, Refusal
from tests.property.outcomes import outcome
from tests.unit.makers import NOW


def test_what_json_does_not_have_is_kept_as_it_was_written() -> None:
    said = tolerant.decode(b'{"a": NaN, "b": [-inf, 1e400], "c": "NaN", "d": 1.5, "\\u0065": 01}')
    assert list(said) == ["a", "b", "c", "d", "e"]
    assert (said["c"], said["d"]) == ("NaN", 1.5)
    assert tolerant.encode(said) == b'{"a":NaN,"b":[-inf,1e400],"c":"NaN","d":1.5,"e":01}'


def test_a_word_without_quotes_is_a_text() -> None:
    assert tolerant.decode(b'{"a": ON, "b": False}') == {"a": "ON", "b": "False"}


def test_a_byte_order_mark_and_spaces_are_no_damage() -> None:
    assert tolerant.decode(b'\xef\xbb\xbf {"a": 1}\r\n') == {"a": 1}


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b" \xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_a_byte_order_mark_and_a_byte_that_is_not_utf8_spoil_one_text(start: bytes) -> None:
    said = tolerant.decode(start + b'{"a": 1, "unit": "\xb0C"}')
    assert said == {"a": 1, "unit": "\udcb0C"}


def test_a_decimal_comma_spoils_its_own_number_only() -> None:
    said = tolerant.decode(b'{"a": 21,5, "b": {"c":-1,5} , "d": 1.234,56, "e": [1,2], "f": 2}')
    assert (said["e"], said["f"]) == ([1, 2], 2)
    assert tolerant.why_unstorable(said["a"]).detail == "'21,5' is not a JSON value"
    assert tolerant.why_unstorable(said["b"]["c"]).detail == "'-1,5' is not a JSON value"
    assert tolerant.encode(said["d"]) == b"1.234,56"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_text_too_where_a_byte_order_mark_says_so(encoding: str) -> None:
    """As PowerShell and Notepad write files that are published."""
    mark = "" if encoding == "utf-16" else "\ufeff"
    assert tolerant.decode((mark + '{"a": "21 °C"}\r\n').encode(encoding)) == {"a": "21 °C"}
    assert tolerant.decode_value((mark + " 21.5\n").encode(encoding)) == "21.5"


@pytest.mark.parametrize("payload", [b"\xff\xfe{", b"\xff\xfe\x00\xd8", b"\xfe\xff", b"\xff\xfe"])
def test_what_is_neither_utf_8_nor_utf_16_is_refused(payload: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        tolerant.decode(payload)
    assert caught.value.reason in (Reason.NOT_UTF8, Reason.NOT_JSON)


def test_what_c_or_a_modem_puts_behind_a_text_is_no_damage() -> None:
    assert tolerant.decode(b'{"a": 1}\0\0') == {"a": 1}
    assert tolerant.decode(b'{"a": 1}\r\n\x1a') == {"a": 1}
    assert tolerant.decode_value(b"21.5\x1a") == "21.5"
    assert tolerant.decode_value(b"ON\r\n\0") == "ON"


def test_a_comma_behind_the_last_item_means_nothing() -> None:
    said = tolerant.decode(b'{"a": [1, 2,], "b": ",}", "c": {"d": 3 , } ,\n}')
    assert said == {"a": [1, 2], "b": ",}", "c": {"d": 3}}


def test_a_value_that_is_missing_spoils_no_other() -> None:
    said = tolerant.decode(b'{"a": , "b": 2, "c":}')
    assert (list(said), said["b"]) == (["a", "b", "c"], 2)
    assert tolerant.why_unstorable(said["a"]).detail == "the value is missing"
    assert tolerant.encode(said) == b'{"a":,"b":2,"c":}'


def test_a_byte_that_is_not_utf8_spoils_its_text_only() -> None:
    said = tolerant.decode(b'{"a": 1, "unit": "\xb0C"}')
    assert said == {"a": 1, "unit": "\udcb0C"}
    odd = tolerant.decode(b'{"a": 1, "b": \xb0}')
    assert odd["a"] == 1
    assert tolerant.why_unstorable(odd["b"]).detail == "'\ufffd' is not a JSON value"


def test_a_lone_surrogate_can_be_listed() -> None:
    said = tolerant.decode(b'{"a": "\\ud800", "b": NaN}')
    assert tolerant.encode(said) == b'{"a": "\\ud800", "b": "NaN"}'


def within(frames: int, step: Callable[[], bytes]) -> bytes:
    """What the step returns, called as deeply."""
    return step() if frames == 0 else within(frames - 1, step)


@pytest.mark.parametrize("inner", [b"1", b"NaN", b'"\\ud800"'])
@pytest.mark.parametrize(("opening", "end"), [(b"[", b"]"), (b'{"x":', b"}")])
def test_what_was_decoded_can_be_listed_however_deeply_it_nests(
    inner: bytes, opening: bytes, end: bytes
) -> None:
    """It is decoded and listed at different depths of the stack, and nests until the former."""
    for depth in range(300, 1_200):
        payload = b'{"k":' + opening * depth + inner + end * depth + b"}"
        try:
            (reading,) = parse_readings(payload, NOW)
        except Refusal:
            break
        listed = within(60, partial(tolerant.encode, {"k": reading.value}))
        assert listed.startswith(b'{"k":')
    assert depth > 500
    assert "…".encode() in listed or b"\\u2026" in listed


def test_of_a_key_that_comes_twice_the_last_value_counts_and_the_others_stay() -> None:
    said = tolerant.decode(b'{"n": 8, "k": 1, "n": 9, "n": 10, "odd": NaN}')
    assert list(said.items())[:2] == [("n", 10), ("k", 1)]
    assert isinstance(said, tolerant.Repeated)
    assert said.earlier == [("n", 8), ("n", 9)]


@pytest.mark.parametrize("parse", [partial(parse_reading, "t"), parse_readings, parse_status])
@pytest.mark.parametrize("key", ["value", "t"])
def test_a_key_that_comes_a_thousand_times_is_one_refusal(
    parse: Callable[[bytes, int], object], key: str
) -> None:
    """Each repetition is kept as a refusal: one message wrote ten thousand rows."""
    payload = b"{" + b",".join([b'"%s":1' % key.encode()] * 1_000) + b"}"
    with pytest.raises(Refusal) as caught:
        parse(payload, NOW)
    assert caught.value.reason == Reason.TOO_MANY


def test_colons_in_texts_are_no_keys() -> None:
    said = {"k": "a:b", "list": ["c:d", {"e": "f:"}]}
    assert tolerant.with_repeats(codec.encode(said), said) is said


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (b"", Reason.NOT_JSON, "the payload is empty"),
        (b" \n", Reason.NOT_JSON, "the payload is empty"),
        (b"\xff", Reason.NOT_UTF8, "byte 0 is not valid UTF-8"),
        (b'{"a": 1', Reason.NOT_JSON, "the JSON is not complete: it ends after 7 characters"),
        (
            b"{t: 1}",
            Reason.NOT_JSON,
            "not JSON: expecting property name enclosed in double quotes, at character 2",
        ),
        (b'{"a" }', Reason.NOT_JSON, "not JSON: expecting ':' delimiter, at character 6"),
        (b"[NaN] 1", Reason.NOT_JSON, "not JSON: extra data, at character 7"),
        (b"[" * 3_000, Reason.TOO_DEEP, "the JSON nests too deeply"),
        (b"[" + b"NaN," * 9_000, Reason.NOT_JSON, "not JSON, and more than 4000 keys and values"),
    ],
)
def test_what_is_not_even_nearly_json_is_refused_in_words(
    payload: bytes, reason: Reason, detail: str
) -> None:
    with pytest.raises(Refusal) as caught:
        tolerant.decode(payload)
    assert (caught.value.reason, caught.value.detail) == (reason, detail)


@pytest.mark.parametrize(
    "piece",
    [
        b'"',
        b'\\"',
        b"NaN,",
        b":1,",
        b",1",
        b":1,1",
        b'"a":01,',
        b"{",
        b"\\",
        b"0",
        b"x,",
        b", ",
        b": ",
        b":,",
        b",}",
    ],
)
def test_no_payload_takes_long(piece: bytes) -> None:
    """It takes some milliseconds. A pattern that begins again at each quote took minutes."""
    payload = b'["' + piece * (65_000 // len(piece))
    began_s = time.process_time()
    outcome(Refusal, tolerant.decode, payload)
    assert time.process_time() - began_s < 1
