"""The decoding of a device's status message (CONTRACT §1). Each field is judged alone: one that is
refused does not spoil the others."""

from collections.abc import Callable
from typing import Any

from protocol.device.payloads import DeviceStatus, RawReading, decode, repeated
from protocol.device.values import check_word, to_number
from protocol.errors import Reason, Refusal
from protocol.problems.detail import Detail
from protocol.records import OFFLINE, ONLINE
from protocol.times import LAST_US, parse_device_time

STATUS_MAX = 32
FIRMWARE_MAX = 256
NAMES_TOLD_MAX = 5
# As OwnTracks and many trackers write them.
_ALIASES = {"lat": "latitude", "lon": "longitude", "tst": "ts"}
_LIMITS = {"temperature": 1e6, "humidity": 1e6, "latitude": 90.0, "longitude": 180.0}


def parse_status(payload: bytes, now_us: int) -> DeviceStatus:
    """Decode a status message: an object, or a bare `online` or `offline`. null means absent.

    Fields that are refused are in `refused`, and all unknown ones together. A `ts` that is no time
    leaves the time of arrival.

    Raises:
        Refusal: it is no such message at all, or of the future.
    """
    said = decode(payload, may_be_bare=True)
    if isinstance(said, str) and (word := _status(said)) in (ONLINE, OFFLINE):
        return DeviceStatus(status=word)
    if not isinstance(said, dict):
        raise Refusal(Reason.WRONG_SHAPE, Detail("status_shape"))
    fields: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    refused = repeated(said)
    name: str
    for name, value in said.items():
        field = _ALIASES.get(name, name)
        check = _CHECKS.get(field)
        if check is None:
            unknown[name] = value
        elif value is not None:
            try:
                if field != name and said.get(field) is not None:
                    raise Refusal(Reason.WRONG_SHAPE, Detail("said_twice", field=field))
                fields[field] = check(value)
            except Refusal as refusal:
                refused.append(RawReading(name, value, refusal=refusal.kept()))
    is_offline = fields.get("status") == OFFLINE
    if is_offline:
        refused = [each for each in refused if _ALIASES.get(each.key, each.key) != "ts"]
    if (ts := fields.pop("ts", None)) is not None:
        fields["ts_us"] = _event_us(ts, now_us, is_offline=is_offline, refused=refused)
    if unknown:
        refused.append(RawReading("", unknown, refusal=_unknown(unknown)))
    return DeviceStatus(**fields, refused=tuple(refused))


def _event_us(ts: Any, now_us: int, *, is_offline: bool, refused: list[RawReading]) -> int | None:
    """The `ts` of a message; one that is no time is added to what is refused. With `offline` any is
    let go, because it does not count.

    Raises:
        Refusal: it is a time in the future. Another message may be of the same clock, and which of
            them is the newer one is unknown: so it must not count from its arrival.
    """
    try:
        return parse_device_time(ts, now_us)
    except Refusal as refusal:
        why = refusal.kept()
    if is_offline:
        return None
    try:
        parse_device_time(ts, LAST_US)
    except Refusal:
        refused.append(RawReading("ts", ts, refusal=why))
        return None
    raise why


def _unknown(fields: dict[str, Any]) -> Refusal:
    names = [repr(name[:64]) for name in fields][: NAMES_TOLD_MAX + 1]
    if len(names) > NAMES_TOLD_MAX:
        names[-1] = "…"
    return Refusal(Reason.WRONG_SHAPE, Detail("status_unknown", fields=", ".join(names)))


def _status(raw: Any) -> str:
    text = _text(raw, "status", STATUS_MAX)
    return text.lower() if text.lower() in (ONLINE, OFFLINE) else text


def _firmware(raw: Any) -> str:
    return _text(raw, "firmware", FIRMWARE_MAX)


def _text(raw: Any, name: str, most: int) -> str:
    if not isinstance(raw, str):
        raise Refusal(Reason.WRONG_SHAPE, Detail("said_not_text", field=name))
    text = raw.strip()
    if not text:
        raise Refusal(Reason.BAD_VALUE, Detail("said_empty", field=name))
    check_word(text, most, Reason.BAD_VALUE, name)
    return text


def _number(name: str, limit: float) -> Callable[[Any], float]:
    def check(raw: Any) -> float:
        number = to_number(raw, name)
        if abs(number) > limit:
            raise Refusal(Reason.BAD_VALUE, Detail("said_beyond", field=name, most=limit))
        return number

    return check


def _session(raw: Any) -> int:
    number = raw if isinstance(raw, int) else to_number(raw, "session")
    if isinstance(raw, bool) or number != int(number):
        raise Refusal(Reason.WRONG_SHAPE, Detail("said_not_whole", field="session"))
    session = int(raw) if isinstance(raw, str) and raw.strip().isdecimal() else int(number)
    if not 0 <= session < 2**63:
        raise Refusal(Reason.BAD_VALUE, Detail("said_out_of_range", field="session"))
    return session


def _ts(raw: Any) -> Any:
    return raw


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "status": _status,
    "firmware": _firmware,
    "session": _session,
    "ts": _ts,
    **{name: _number(name, limit) for name, limit in _LIMITS.items()},
}
