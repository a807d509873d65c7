"""Every payload form of CONTRACT §1."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.device.payloads import (
    RawReading,
    parse_ack,
    parse_reading,
    parse_readings,
)
from protocol.errors import Reason, Refusal
from tests.property.outcomes import outcome

NOW = 1_790_000_000_000_000


@pytest.mark.parametrize(
    ("payload", "value", "ts_us", "message_id"),
    [
        (b'{"value": "25.5"}', "25.5", None, None),
        (b'{"value": 25.5, "ts": 1790000000, "id": "m1"}', 25.5, NOW, "m1"),
        (b'{"value": true, "ts": null, "id": null, "other": [1]}', True, None, None),
        (b"25.5", 25.5, None, None),
        (b'"on"', "on", None, None),
        (b"false", False, None, None),
        (b" 25.5\r\n", 25.5, None, None),
        (b"ON", "ON", None, None),
        (b"NaN", "NaN", None, None),
        (b"+25.5", "+25.5", None, None),
        (b" the door is open\n", "the door is open", None, None),
        ("Tür zu".encode(), "Tür zu", None, None),
        (b"[12:30] the door is open", "[12:30] the door is open", None, None),
        (b"[INFO]", "[INFO]", None, None),
        (b"\xef\xbb\xbf[INFO] \n", "[INFO]", None, None),
        (b'{"value": 29.1, "ts": " 2026-09-21T14:13:20Z\\n"}', 29.1, NOW, None),
        (b'{"value": 29.1, "ts": " 1790000000 "}', 29.1, NOW, None),
        (b'{"value": ON}', "ON", None, None),
        (b'{"value": 29.1, "id": 0}', 29.1, None, None),
        (b'{"value": 29.1, "id": 1.5}', 29.1, None, None),
        (b'{"value": 29.1, "id": 007}', 29.1, None, None),
    ],
)
def test_one_reading(
    payload: bytes, value: object, ts_us: int | None, message_id: str | None
) -> None:
    assert parse_reading("t", payload, NOW) == [RawReading("t", value, ts_us, message_id)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b'{"value": 1', Reason.NOT_JSON),
        (b'{"value": 1} x', Reason.NOT_JSON),
        (b'"half a text', Reason.NOT_JSON),
        (b" \n", Reason.NOT_JSON),
        (b'"\xff\xfe"', Reason.NOT_UTF8),
        (b"[" * 10_000, Reason.TOO_DEEP),
        (b'{"ts": 1}', Reason.WRONG_SHAPE),
        (b'{"value": 1, "ts": "yesterday"}', Reason.BAD_TIME),
        (b'{"value": 1, "ts": 1}', Reason.BAD_TIME),
        (b'{"value": 1, "id": true}', Reason.BAD_ID),
        (b'{"value": 1, "id": [5]}', Reason.BAD_ID),
        (b'{"value": 1, "id": ""}', Reason.BAD_ID),
        (b'{"value": 1, "id": "a\\u0000"}', Reason.BAD_ID),
        (b'{"value": 1, "id": "' + b"x" * 65 + b'"}', Reason.BAD_ID),
        (b'"' + b"x" * 65_536 + b'"', Reason.TOO_LARGE),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_whole(payload: bytes, reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        parse_reading("t", payload, NOW)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"null", Reason.BAD_VALUE),
        (b"[1]", Reason.BAD_VALUE),
        (b'{"value": {}}', Reason.BAD_VALUE),
        (b'{"value": NaN}', Reason.BAD_VALUE),
        (b'{"value": -inf, "ts": 1790000000}', Reason.BAD_VALUE),
        (b'{"value": 1e400}', Reason.BAD_VALUE),
    ],
)
def test_a_value_that_is_no_scalar_is_a_refused_reading(payload: bytes, reason: Reason) -> None:
    (reading,) = parse_reading("t", payload, NOW)
    assert reading.refusal is not None
    assert reading.refusal.reason == reason


def test_several_readings_in_three_forms() -> None:
    flat = parse_readings(b'{"a": 1, "b": "x", "ts": 1790000000}', NOW)
    assert flat == [RawReading("a", 1, NOW), RawReading("b", "x", NOW)]
    nested = parse_readings(b'{"ts": 1790000000, "id": "m", "values": {"a": 1}}', NOW)
    assert nested == [RawReading("a", 1, NOW, "m")]
    many = parse_readings(b'[{"a": 1}, {"values": {"b": 2}}]', NOW)
    assert many == [RawReading("a", 1), RawReading("b", 2)]


def test_a_numeric_id_refuses_nothing_and_identifies_nothing() -> None:
    assert parse_readings(b'{"id": 0, "tc": 29.1}', NOW) == [RawReading("tc", 29.1)]


def test_each_reading_is_judged_by_itself() -> None:
    payload = b'[{"a": 1, "B": 2, "c": null}, 5, {"ts": 1, "d": 3}, {"values": [1]}, {"e": 4}]'
    readings = parse_readings(payload, NOW)
    good = [r.key for r in readings if r.refusal is None]
    bad = [(r.key, r.refusal.reason) for r in readings if r.refusal is not None]
    assert good == ["a", "e"]
    assert bad == [
        ("B", Reason.BAD_KEY),
        ("c", Reason.BAD_VALUE),
        ("", Reason.WRONG_SHAPE),
        ("d", Reason.BAD_TIME),
        ("values", Reason.WRONG_SHAPE),
    ]


@pytest.mark.parametrize(
    ("written", "detail"),
    [
        ("NaN", "NaN is not a number that can be stored"),
        ("nan", "nan is not a number that can be stored"),
        ("-nan", "-nan is not a number that can be stored"),
        ("Infinity", "Infinity is not a number that can be stored"),
        ("-inf", "-inf is not a number that can be stored"),
        ("1e400", "1e400 is beyond the numbers of float64"),
        ("-1e400", "-1e400 is beyond the numbers of float64"),
        ("9" * 5_000, f"{'9' * 40}… is beyond the numbers of float64"),
        ("1.#IND", "'1.#IND' is not a JSON value"),
        ("01", "'01' is not a JSON value"),
        ("ovf", "'ovf' is not a JSON value"),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        '{"t": %s, "h": 61}',
        '{"ts": 1790000000, "values": {"h": 61, "t": %s}}',
        '[{"t": %s}, {"h": 61}]',
    ],
)
def test_one_bad_number_does_not_spoil_its_neighbours(form: str, written: str, detail: str) -> None:
    readings = parse_readings((form % written).encode(), NOW)
    assert [(r.key, r.value) for r in readings if r.refusal is None] == [("h", 61)]
    (bad,) = (r for r in readings if r.refusal is not None)
    assert bad.key == "t" and bytes(bad.value) == written.encode()
    assert bad.refusal is not None
    assert (bad.refusal.reason, bad.refusal.detail) == (Reason.BAD_VALUE, detail)


def found(payload: bytes) -> tuple[dict[str, object], list[tuple[str, object, str, str]]]:
    """What was taken, and what was refused: key, value, reason, detail."""
    readings = parse_readings(payload, NOW)
    taken = {r.key: r.value for r in readings if r.refusal is None}
    refused = [
        (r.key, r.value, str(r.refusal.reason), r.refusal.detail)
        for r in readings
        if r.refusal is not None
    ]
    return taken, refused


BESIDE = "'h' stands beside \"values\"; readings stand within it"
TWICE = "the key 'n' comes more than once in one object; its last value counts"


@pytest.mark.parametrize(
    ("payload", "taken", "refused"),
    [
        (b'{"values": {"n": 1}, "h": 2}', {"n": 1}, [("h", 2, BESIDE)]),
        (
            b'{"h": 2, "id": "m", "values": {"n": 1}, "ts": 1790000000}',
            {"n": 1},
            [("h", 2, BESIDE)],
        ),
        (b'[{"values": {"n": 1}, "h": 2}, {"k": 3}]', {"n": 1, "k": 3}, [("h", 2, BESIDE)]),
        (b'{"values": {}, "h": 2}', {}, [("h", 2, BESIDE)]),
        (b'{"n": 9, "n": 10}', {"n": 10}, [("n", 9, TWICE)]),
        (
            b'{"n" : 8, "k": "a:b", "n": 9 , "n":10}',
            {"k": "a:b", "n": 10},
            [("n", 8, TWICE), ("n", 9, TWICE)],
        ),
        (b'{"n": 9, "\\u006e": 10}', {"n": 10}, [("n", 9, TWICE)]),
        (b'{"ts": 1790000000, "values": {"n": 9, "n": 10}}', {"n": 10}, [("n", 9, TWICE)]),
        (b'[{"n": 9, "n": 10}, {"k": 1}]', {"n": 10, "k": 1}, [("n", 9, TWICE)]),
        (b'[{"n": 9, "n": 10}, 5]', {"n": 10}, [("n", 9, TWICE), ("", 5, None)]),
        (b'{"n": 9, "n": NaN}', {}, [("n", 9, TWICE), ("n", None, None)]),
        (
            b'{"ts": "2026-09-21T14:13:20Z", "values": {"k": "a:\\"", "n": 9, "n": 10}}',
            {"k": 'a:"', "n": 10},
            [("n", 9, TWICE)],
        ),
        (b'{"values": {"n": 1}, "values": {"k": 2}}', {"k": 2}, [("values", {"n": 1}, None)]),
        (b'{"ts": 1790000000, "ts": 1780000000, "n": 1}', {"n": 1}, [("ts", 1790000000, None)]),
    ],
)
def test_what_is_not_taken_is_refused(
    payload: bytes, taken: dict[str, object], refused: list[tuple[str, object, str | None]]
) -> None:
    told, kept = found(payload)
    assert told == taken
    assert len(kept) == len(refused)
    for (key, value, reason, detail), (its_key, its_value, its_detail) in zip(
        kept, refused, strict=True
    ):
        assert key == its_key
        assert its_value in (None, value)
        assert its_detail in (None, detail)
        assert reason in ("wrong_shape", "bad_value")


def test_values_that_are_none_lose_nothing_beside_them() -> None:
    _, refused = found(b'{"values": 5, "h": 2}')
    assert [(key, value) for key, value, _, _ in refused] == [("h", 2), ("values", 5)]


@pytest.mark.parametrize(
    ("payload", "values"),
    [
        (b'{"value": 9, "value": 10}', [9]),
        (b'{"ts": 1, "value": 10, "ts": 1790000000}', [1]),
        (b'{"value": 10, "unit": "C", "unit": "F"}', []),
    ],
)
def test_one_reading_that_is_said_twice_is_refused_once(payload: bytes, values: list[int]) -> None:
    *refused, reading = parse_reading("t", payload, NOW)
    assert (reading.value, reading.refusal) == (10, None)
    assert [(r.key, r.value) for r in refused] == [("t", value) for value in values]
    assert all(r.refusal and r.refusal.reason is Reason.WRONG_SHAPE for r in refused)


def test_a_bad_ts_refuses_its_own_readings() -> None:
    readings = parse_readings(b'[{"ts": NaN, "t": 1}, {"h": 2}]', NOW)
    assert [r.refusal and r.refusal.reason for r in readings] == [Reason.BAD_TIME, None]


def test_five_hundred_readings_and_no_more() -> None:
    def message(count: int) -> bytes:
        return json.dumps([{f"k{n}": n} for n in range(count)]).encode()

    assert len(parse_readings(message(500), NOW)) == 500
    with pytest.raises(Refusal) as caught:
        parse_readings(message(501), NOW)
    assert caught.value.reason == Reason.TOO_MANY


@pytest.mark.parametrize("payload", [b"{}", b"[]", b'{"ts": 1790000000}', b'{"values": {}}'])
def test_a_message_without_readings_says_so(payload: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_readings(payload, NOW)
    assert caught.value.reason == Reason.WRONG_SHAPE


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("", None),
        (', "result": null', "null"),
        (', "result": {"mm": [3, 4.50]}', '{"mm": [3, 4.50]}'),
        (', "result": "done"', '"done"'),
        (', "result": 0', "0"),
        (', "result": {"mm": NaN}', '{"mm": "NaN"}'),
        (', "result": 1e400', "1e400"),
        (', "at": nan', None),
        (', "result": "21 \\ud800C"', '"21 ?C"'),
        (', "detail": "\\ud800"', None),
    ],
)
def test_an_answer_keeps_its_result_as_it_was_said(said: str, kept: str | None) -> None:
    ack = parse_ack(f'{{"status": "succeeded"{said}}}'.encode(), NOW)
    assert (ack.status, ack.result, ack.at_us) == ("succeeded", kept, NOW)


@pytest.mark.parametrize("status", ["Succeeded", "SUCCEEDED", " succeeded\\n"])
def test_an_answer_may_be_in_any_case(status: str) -> None:
    assert parse_ack(f'{{"status": "{status}"}}'.encode(), NOW).status == "succeeded"


def test_a_byte_that_is_not_utf8_spoils_no_answer() -> None:
    """Its command would be sent again."""
    payload = b'\xef\xbb\xbf{"status": "failed", "detail": "\xb0", "result": {"unit": "\xb0C"}}'
    ack = parse_ack(payload, NOW)
    assert (ack.status, ack.detail, ack.result) == ("failed", "?", '{"unit": "?C"}')


def test_an_answer_that_nests_too_deeply_is_refused() -> None:
    def said(depth: int) -> object:
        result = b"[" * depth + b"NaN" + b"]" * depth
        payload = b'{"status": "failed", "result": ' + result + b"}"
        return outcome(Refusal, parse_ack, payload, NOW)

    refused = [each for each in map(said, range(300, 1_200)) if isinstance(each, Refusal)]
    assert {each.reason for each in refused} == {Reason.TOO_DEEP}


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        (b"1", "an answer is an object with a status"),
        (b"{}", "an answer is an object with a status"),
        (b'{"status": "exploded"}', "status must be delivered, succeeded or failed"),
        (b'{"status": 1}', "status must be delivered, succeeded or failed"),
        (b'{"status": "failed", "detail": 1}', "detail must be a text"),
    ],
)
def test_a_wrong_answer_is_refused_in_words(payload: bytes, detail: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_ack(payload, NOW)
    assert caught.value.detail == detail


@pytest.mark.parametrize(
    "payload",
    [
        b"delivered",
        b"{}",
        b'{"status": "exploded"}',
        b'{"status": "failed", "detail": 1}',
        b'{"status": "failed", "detail": "' + b"x" * 1_025 + b'"}',
        b'{"status": "failed", "result": "' + b"x" * 16_384 + b'"}',
        b'{"status": "failed", "result": "a\\u0000"}',
    ],
)
def test_an_answer_with_a_wrong_field_is_refused(payload: bytes) -> None:
    with pytest.raises(Refusal):
        parse_ack(payload, NOW)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_payload_raises_anything_but_a_refusal(payload: bytes) -> None:
    for parse in (
        lambda: parse_reading("t", payload, NOW),
        lambda: parse_readings(payload, NOW),
        lambda: parse_ack(payload, NOW),
    ):
        try:
            parse()
        except Refusal:
            continue
