"""How a refusal is kept and reported: the row, the notice to the device, and the limit of
notices."""

import base64

from protocol import codec
from protocol.device.alarms import Alarm
from protocol.device.topics import errors_topic
from protocol.errors import Refusal
from protocol.messages import FromDevice, Notice
from protocol.problems.detail import storable
from protocol.records import WHOLE, Origin, Rejection, StateChange, WriteUnit
from protocol.times import SECOND_US

KEPT_BYTES_MAX = 4_096  # CONTRACT §1: what is kept of a refused payload
NOTICES_PER_MINUTE = 10


class NoticeLimit:
    """At most ten notices in any window of a minute that starts with its first."""

    def __init__(self) -> None:
        self._from_us = 0
        self._count = 0

    def allows(self, now_us: int) -> bool:
        # A wall clock that was set back by more than a minute starts a new window too.
        if abs(now_us - self._from_us) >= 60 * SECOND_US:
            self._from_us, self._count = now_us, 0
        self._count += 1
        return self._count <= NOTICES_PER_MINUTE


def rejection(
    origin: Origin,
    refusal: Refusal,
    device_id: str,
    payload: bytes | None = None,
    readings: int = 1,
    at: int = WHOLE,
) -> Rejection:
    """The row that keeps a refused message or reading, cut to 4 kB and always readable."""
    kept = origin.payload if payload is None else payload
    text, encoding = readable(kept)
    return Rejection(
        origin.topic.user_id,
        device_id,
        origin.at_us,
        storable(origin.raw_topic),
        text,
        encoding,
        refusal.reason,
        storable(refusal.detail),  # which may quote what a device says
        readings,
        refusal.said.coded,
        at,
    )


def readable(payload: bytes) -> tuple[str, str]:
    """The first 4 kB as text, and its encoding: `utf-8`, or `base64` if it is not UTF-8 or has
    U+0000."""
    kept = payload[:KEPT_BYTES_MAX]
    try:
        # Cutting may split the last character; that alone does not make the payload binary.
        cut = len(payload) > len(kept)
        text = kept.decode("utf-8", "strict") if not cut else _decode_cut(kept)
    except UnicodeDecodeError:
        return base64.b64encode(kept).decode(), "base64"
    if "\0" in text:
        return base64.b64encode(kept).decode(), "base64"
    return text, "utf-8"


def _decode_cut(kept: bytes) -> str:
    for spare in range(4):
        try:
            return kept[: len(kept) - spare].decode()
        except UnicodeDecodeError as error:
            if spare == 3 or error.start < len(kept) - 4:
                raise
    raise AssertionError("the loop returns or raises")


def notice(device: tuple[str, str], topic: str, reason: str, detail: str) -> Notice:
    """What the device is told on its `errors` topic about a message on `topic`."""
    body = {
        "topic": storable(topic),
        "reason": reason,
        "detail": storable(detail),
    }
    return Notice(topic=errors_topic(*device), body=codec.encode(body))


def refused_whole(
    message: FromDevice,
    refusal: Refusal,
    device_id: str,
    state: StateChange | None = None,
    alarms: tuple[Alarm, ...] = (),
) -> WriteUnit:
    """The unit of a message that is refused as a whole, with all the readings that it counts
    for."""
    origin = message.origin
    row = rejection(origin, refusal, device_id, readings=message.count)
    return WriteUnit(
        device=origin.topic.device,
        rejections=(row,),
        alarms=alarms,
        state=state,
        taken=origin.taken,
        receipt=origin.receipt,
        size=origin.size,
        is_copy=origin.retained,
    )
