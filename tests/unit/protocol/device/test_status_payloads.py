"""Status messages as devices send them: each field is judged alone."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.device.payloads import DeviceStatus
from protocol.device.status_payloads import parse_status
from protocol.errors import Reason, Refusal
from tests.unit.makers import NOW


def parts(payload: bytes) -> tuple[DeviceStatus, list[tuple[str, object, str]]]:
    """What was taken, and what was refused: field, value, reason."""
    said = parse_status(payload, NOW)
    refused = [
        (each.key, each.value, str(each.refusal.reason)) for each in said.refused if each.refusal
    ]
    return msgspec.structs.replace(said, refused=()), refused


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (b"offline", "offline"),
        (b"Online", "online"),
        (b" OFFLINE\r\n", "offline"),
        (b'"offline "', "offline"),
        (b'{"status": "Offline"}', "offline"),
        (b'{"status": " OFFLINE "}', "offline"),
        (b'{"status": "Online"}', "online"),
        (b'{"status": " Sleeping "}', "Sleeping"),
    ],
)
def test_the_words_of_devices_mean_what_they_say(payload: bytes, status: str) -> None:
    assert parse_status(payload, NOW) == DeviceStatus(status=status)


def test_numbers_as_strings_count() -> None:
    said, refused = parts(
        b'{"temperature": "21.5", "humidity": " 60 ", "latitude": "10.8", "session": "7"}'
    )
    assert said == DeviceStatus(temperature=21.5, humidity=60.0, latitude=10.8, session=7)
    assert refused == []


def test_a_place_as_trackers_write_it() -> None:
    said, refused = parts(b'{"lat": 10.8, "lon": 106.7, "tst": 1790000000}')
    assert said == DeviceStatus(latitude=10.8, longitude=106.7, ts_us=1_790_000_000_000_000)
    assert refused == []


def test_of_a_field_under_two_names_its_own_name_counts() -> None:
    said, refused = parts(b'{"lat": 1, "latitude": 2}')
    assert said == DeviceStatus(latitude=2.0)
    assert refused == [("lat", 1, "wrong_shape")]


def test_unknown_fields_are_listed_as_such_all_at_once() -> None:
    said = parse_status(b'{"status": "online", "rssi": -70, "extra": []}', NOW)
    assert said.status == "online"
    (unknown,) = said.refused
    assert (unknown.key, unknown.value) == ("", {"rssi": -70, "extra": []})
    assert unknown.refusal is not None
    assert unknown.refusal.detail == "a status has no field 'rssi', 'extra'"
    many = parse_status(b"{" + b",".join(b'"f%d": 1' % n for n in range(50)) + b"}", NOW)
    assert many.refused[0].refusal is not None
    assert many.refused[0].refusal.detail.endswith("'f4', …")


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (b'"temperature": "hot"', "bad_value"),
        (b'"temperature": NaN', "bad_value"),
        (b'"temperature": 1e400', "bad_value"),
        (b'"temperature": 2e6', "bad_value"),
        (b'"temperature": true', "bad_value"),
        (b'"latitude": 91', "bad_value"),
        (b'"longitude": -181', "bad_value"),
        (b'"status": ""', "bad_value"),
        (b'"status": 1', "wrong_shape"),
        (b'"status": "' + b"x" * 33 + b'"', "bad_value"),
        (b'"firmware": "a\\u0000"', "bad_value"),
        (b'"firmware": 2', "wrong_shape"),
        (b'"session": -1', "bad_value"),
        (b'"session": 1.5', "wrong_shape"),
        (b'"session": true', "wrong_shape"),
        (b'"session": 9223372036854775808', "bad_value"),
        (b'"ts": "yesterday"', "bad_time"),
        (b'"ts": 0', "bad_time"),
        (b'"ts": NaN', "bad_time"),
        (b'"humidity": 60, "humidity": 61', "wrong_shape"),
    ],
)
def test_a_wrong_field_is_refused_and_not_the_rest(field: bytes, reason: str) -> None:
    said, refused = parts(
        b'{"humidity": 61, ' + field + b"}" if b"humidity" not in field else b"{" + field + b"}"
    )
    assert said == DeviceStatus(humidity=61.0)
    ((name, _, why),) = refused
    assert (name, why) == (field.split(b'"')[1].decode(), reason)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"status": "offline", "ts": 1790000301}',
        b'{"status": "offline", "ts": 0}',
        b'{"ts": NaN, "status": "Offline"}',
    ],
)
def test_an_offline_counts_whatever_its_ts(payload: bytes) -> None:
    assert parse_status(payload, NOW) == DeviceStatus(status="offline")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"sleeping", Reason.WRONG_SHAPE),
        (b'{"status": "online"', Reason.NOT_JSON),
        (b"[]", Reason.WRONG_SHAPE),
        (b"1", Reason.WRONG_SHAPE),
        (b"null", Reason.WRONG_SHAPE),
        (b"\xff", Reason.NOT_UTF8),
        (b'{"temperature": 1, "ts": 1790000301}', Reason.BAD_TIME),
    ],
)
def test_what_is_no_status_is_refused_whole(payload: bytes, reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        parse_status(payload, NOW)
    assert caught.value.reason == reason


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_payload_raises_anything_but_a_refusal(payload: bytes) -> None:
    try:
        parse_status(payload, NOW)
    except Refusal:
        return
