"""The decoding of devices' payloads: every form of CONTRACT §1.

Feeds and thresholds are not known here. Each reading of a message is checked alone: an invalid one
becomes a `RawReading` with a refusal, and the others stand. What msgspec cannot decode is tried
again by `tolerant`.
"""

from typing import Any

import msgspec

from protocol import codec
from protocol.device import tolerant
from protocol.device.commands import DETAIL_MAX, RESULT_BYTES_MAX, AckStatus, CommandAck
from protocol.device.topics import is_feed_key
from protocol.device.values import check_word
from protocol.errors import BadPayload, Reason, Refusal
from protocol.problems.detail import Detail
from protocol.times import parse_device_time

PAYLOAD_BYTES_MAX = 64 * 1024
READINGS_MAX = 500
MESSAGE_ID_MAX = 64
RESERVED = ("ts", "id", "values")
_OF_A_READING = ("value", "ts", "id")
_ANSWERS: tuple[AckStatus, ...] = ("delivered", "succeeded", "failed")
_NUMBERS = (int, float, msgspec.Raw)
_NO_SCALARS = (dict, list, msgspec.Raw)


class RawReading(msgspec.Struct, frozen=True, gc=False):
    """One reading as sent: a JSON scalar for a feed key, or why it is refused.

    `value` is a `msgspec.Raw` if JSON has no such value; then it is refused.
    """

    key: str
    value: Any = None
    ts_us: int | None = None
    message_id: str | None = None
    refusal: Refusal | None = None


class DeviceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A device's status message. Units: °C, %, degrees (WGS 84).

    `ts_us`: when it was, in µs since 1970, where it says so. `refused` are fields that were not
    taken, each with its refusal; unknown ones have no key.
    """

    status: str | None = None
    temperature: float | None = None
    humidity: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    firmware: str | None = None
    ts_us: int | None = None
    session: int | None = None
    refused: tuple[RawReading, ...] = ()


_json = msgspec.json.Decoder()


def check_size(payload: bytes) -> None:
    """Raises `Refusal` for a payload above 64 KiB."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        detail = Detail("message_too_large", size=len(payload), most=PAYLOAD_BYTES_MAX)
        raise Refusal(Reason.TOO_LARGE, detail)


def parse_reading(key: str, payload: bytes, now_us: int) -> list[RawReading]:
    """Decode one reading: `{"value": …, "ts"?, "id"?}`, a bare JSON number, string or bool, or bare
    text that is no JSON.

    Raises:
        Refusal: the payload as a whole is invalid.
    """
    said = decode(payload, may_be_bare=True)
    if isinstance(said, dict):
        if "value" not in said:
            raise Refusal(Reason.WRONG_SHAPE, Detail("reading_no_value"))
        ts_us, message_id = (None, None) if len(said) == 1 else _stamp(said, now_us)
        reading = _reading(key, said["value"], ts_us, message_id)
        if isinstance(said, tolerant.Repeated):
            counts = ((each, value) for each, value in said.earlier if each in _OF_A_READING)
            return [
                *(RawReading(key, value, refusal=_twice(name)) for name, value in counts),
                reading,
            ]
        return [reading]
    return [_reading(key, said, None, None)]


def parse_readings(payload: bytes, now_us: int) -> list[RawReading]:
    """Decode several readings: `{key: value, …}`, `{"ts": …, "values": {…}}` or a list of these.

    Raises:
        Refusal: the payload as a whole is invalid, has no readings, or more than 500.
    """
    said = decode(payload)
    groups = said if isinstance(said, list) else [said]
    if sum(len(group) if isinstance(group, dict) else 1 for group in groups) > 4 * READINGS_MAX:
        raise Refusal(Reason.TOO_MANY, Detail("readings_many", most=READINGS_MAX))
    readings: list[RawReading] = []
    for group in groups:
        readings.extend(_group(group, now_us))
        if len(readings) > READINGS_MAX:
            raise Refusal(Reason.TOO_MANY, Detail("readings_many", most=READINGS_MAX))
    if not readings:
        raise Refusal(Reason.WRONG_SHAPE, Detail("readings_none"))
    return readings


def _group(group: Any, now_us: int) -> list[RawReading]:
    if not isinstance(group, dict):
        refusal = Refusal(Reason.WRONG_SHAPE, Detail("readings_shape"))
        return [RawReading("", group, refusal=refusal)]
    untaken = [] if type(group) is dict else repeated(group)
    stamps = ("ts" in group) + ("id" in group)
    values = group
    if "values" in group:
        values = group["values"]
        if len(group) > stamps + 1:
            untaken += _beside(group)
        if not isinstance(values, dict):
            refusal = Refusal(Reason.WRONG_SHAPE, Detail("values_shape"))
            return [*untaken, RawReading("values", values, refusal=refusal)]
        if type(values) is not dict:
            untaken += repeated(values)
    elif stamps:
        values = {k: v for k, v in group.items() if k not in RESERVED}
    try:
        ts_us, message_id = _stamp(group, now_us)
    except Refusal as refusal:
        kept = refusal.kept()
        return [*untaken, *(RawReading(key, value, refusal=kept) for key, value in values.items())]
    taken = [_reading(key, value, ts_us, message_id) for key, value in values.items()]
    return [*untaken, *taken] if untaken else taken


def _beside(group: dict[str, Any]) -> list[RawReading]:
    """What stands beside `values`, each refused."""
    return [
        RawReading(
            key, value, refusal=Refusal(Reason.WRONG_SHAPE, Detail("beside_values", key=shown(key)))
        )
        for key, value in group.items()
        if key not in RESERVED
    ]


def repeated(said: dict[str, Any]) -> list[RawReading]:
    """What an object says under keys that come again later in it, each refused."""
    if not isinstance(said, tolerant.Repeated):
        return []
    return [RawReading(key, value, refusal=_twice(key)) for key, value in said.earlier]


def _twice(key: str) -> Refusal:
    return Refusal(Reason.WRONG_SHAPE, Detail("key_repeats", key=shown(key)))


def shown(key: str) -> str:
    """A key as a text shows it between quotation marks."""
    return repr(key[:64])[1:-1]


def _stamp(said: dict[str, Any], now_us: int) -> tuple[int | None, str | None]:
    ts, message_id = said.get("ts"), said.get("id")
    ts_us = None if ts is None else parse_device_time(ts, now_us)
    if message_id is not None:
        if type(message_id) in _NUMBERS:
            return ts_us, None  # it counts the starts of a firmware, or names a sensor
        if not isinstance(message_id, str) or not message_id:
            raise Refusal(Reason.BAD_ID, Detail("message_id_shape"))
        check_word(message_id, MESSAGE_ID_MAX, Reason.BAD_ID, "id")
    return ts_us, message_id


def _reading(key: str, value: Any, ts_us: int | None, message_id: str | None) -> RawReading:
    refusal = None
    if not is_feed_key(key) or key in RESERVED:
        refusal = Refusal(Reason.BAD_KEY, Detail("feed_key_shape"))
    elif value is None or isinstance(value, _NO_SCALARS):
        refusal = _no_scalar(value)
    return RawReading(key, value, ts_us, message_id, refusal)


def _no_scalar(value: Any) -> Refusal:
    if isinstance(value, msgspec.Raw):
        return tolerant.why_unstorable(value)
    return Refusal(Reason.BAD_VALUE, Detail("value_shape"))


class _Ack(msgspec.Struct, frozen=True):
    status: Any = None
    detail: Any = None
    result: msgspec.Raw = msgspec.Raw()  # as it was written; checked except for UTF-8
    at: Any = None


_ack = msgspec.json.Decoder(_Ack)


def parse_ack(payload: bytes, now_us: int) -> CommandAck:
    """Decode an answer to a command: `{"status", "detail"?, "result"?, "at"?}`.

    Raises:
        Refusal: not such an object, or a `result` above 16 KiB.
    """
    check_size(payload)
    try:
        said = codec.decode_as(_ack, payload)
        bytes(said.result).decode()
    except (BadPayload, UnicodeDecodeError):
        said = _nearly_ack(payload)
    status = _answer(said.status)
    detail = said.detail or ""
    if not isinstance(detail, str):
        raise Refusal(Reason.WRONG_SHAPE, Detail("said_not_text", field="detail"))
    check_word(detail, DETAIL_MAX, Reason.BAD_VALUE, "detail")
    result = bytes(said.result)
    if len(result) > RESULT_BYTES_MAX or b"\\u0000" in result:
        why = Detail("ack_result_too_long", most=RESULT_BYTES_MAX)
        if len(result) <= RESULT_BYTES_MAX:
            why = Detail("said_zero_character", field="result")
        raise Refusal(Reason.BAD_VALUE, why)
    return CommandAck(
        status=status,
        at_us=_ack_time(said.at, now_us),
        detail=detail,
        result=result.decode() or None,
    )


def _answer(said: Any) -> AckStatus:
    if said is None:
        raise Refusal(Reason.WRONG_SHAPE, Detail("ack_shape"))
    word = said.strip().lower() if isinstance(said, str) else ""
    for answer in _ANSWERS:
        if word == answer:
            return answer
    raise Refusal(Reason.WRONG_SHAPE, Detail("ack_status"))


def _nearly_ack(payload: bytes) -> _Ack:
    """An answer whose result has NaN or the like counts, too: else its command is sent again."""
    said = tolerant.as_json(tolerant.decode(payload))
    try:
        return codec.decode_as(_ack, said)
    except BadPayload:  # no object
        return _Ack()


def _ack_time(said: Any, now_us: int) -> int:
    """The time (µs) of an answer by the device's clock. If that is invalid, the time of arrival,
    so that a wrong clock loses no answer."""
    try:
        return now_us if said is None else parse_device_time(said, now_us)
    except Refusal:
        return now_us


def decode(payload: bytes, *, may_be_bare: bool = False) -> Any:
    """Decode JSON, or nearly JSON (`tolerant`).

    Args:
        may_be_bare: a text without quotation marks is a text.

    Raises:
        Refusal: it is too large, nested too deeply, or not even nearly JSON.
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        check_size(payload)
    try:
        said = _json.decode(payload)
    except RecursionError:
        raise Refusal(Reason.TOO_DEEP, Detail("message_too_deep")) from None
    except (msgspec.DecodeError, UnicodeDecodeError):  # ValidationError too: a number too large
        return tolerant.decode_value(payload) if may_be_bare else tolerant.decode(payload)
    # Each key needs a colon: with as many as there are keys, none comes twice.
    if type(said) is dict:
        if payload.count(b":") == len(said):
            return said
    elif type(said) is not list:
        return said
    return tolerant.with_repeats(payload, said)
