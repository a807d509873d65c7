"""What is kept of a unit that the database refuses because of its content."""

import msgspec

from actors.ingest.rejections import readable
from protocol.errors import Reason
from protocol.problems.detail import Detail, storable
from protocol.records import Reading, Rejection, WriteUnit

DETAIL_MAX = 500


def without_poison(unit: WriteUnit, why: str) -> WriteUnit | None:
    """The unit without the part that most likely cannot be stored; None if nothing is left to
    remove.

    First its readings are recorded as refused. State and alarms stay then, because the actor
    continues from them.
    """
    if unit.readings:
        return _readings_refused(unit, why)
    if unit.acks:
        return _acks_refused(unit, why)
    if unit.state or unit.alarms:
        return msgspec.structs.replace(unit, state=None, alarms=())
    return None


def _readings_refused(unit: WriteUnit, why: str) -> WriteUnit:
    user_id, device_code = unit.device
    rejections = [_refused_reading(user_id, device_code, reading, why) for reading in unit.readings]
    return msgspec.structs.replace(unit, readings=(), rejections=(*unit.rejections, *rejections))


def _acks_refused(unit: WriteUnit, why: str) -> WriteUnit:
    """A device's answer to a command, which cannot be stored. It counts as no readings."""
    said = _refused(why)
    kept = tuple(
        msgspec.structs.replace(
            ack.otherwise,
            reason=Reason.UNSTORABLE,
            detail=storable(str(said)),
            coded=said.coded,
            readings=0,
        )
        for ack in unit.acks
    )
    return msgspec.structs.replace(unit, acks=(), rejections=(*unit.rejections, *kept))


def _refused_reading(user_id: str, device_code: str, reading: Reading, why: str) -> Rejection:
    said = _refused(why)
    text, encoding = readable(repr(reading.value).encode("utf-8", "replace"))
    return Rejection(
        user_id,
        "",
        reading.ts_us,
        f"users/{user_id}/devices/{device_code}/feeds",
        text,
        encoding,
        Reason.UNSTORABLE,
        storable(str(said)),
        coded=said.coded,
    )


def _refused(why: str) -> Detail:
    return Detail("message_unstorable", problem=why[:DETAIL_MAX])
