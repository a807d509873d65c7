"""How a message changes a device's state: pure rules, each from CONTRACT §1."""

import msgspec

from protocol.device.payloads import DeviceStatus
from protocol.records import OFFLINE, ONLINE, DeviceState

# A device that publishes every second must not write a row every second only for `last_seen`.
LAST_SEEN_STEP_US = 10_000_000

_FIELDS = ("temperature", "humidity", "latitude", "longitude", "firmware")


def seen(state: DeviceState, at_us: int, offline_us: int | None = None) -> DeviceState:
    """Any first delivery shows that the device is alive: online, and seen at `at_us`.

    `offline_us`: when the newest `offline` arrived, if this actor saw that.
    """
    seen_us = state.last_seen_us
    # Status overtakes readings in the mailbox: a reading that arrived before a will makes nobody
    # online.
    known_us = state.state_us if offline_us is None else offline_us
    is_older = known_us is not None and at_us < known_us
    online = ONLINE if state.status == OFFLINE and not is_older else state.status
    if online == state.status and seen_us is not None and at_us - seen_us < LAST_SEEN_STEP_US:
        return state
    seen_us = at_us if seen_us is None else max(seen_us, at_us)
    return msgspec.structs.replace(state, status=online, last_seen_us=seen_us)


def is_late(state: DeviceState, report: DeviceStatus, event_us: int) -> bool:
    """Whether a newer status is known: by event time, or from a later boot."""
    if state.state_us is not None and event_us < state.state_us:
        return True
    return is_of_earlier_boot(state, report)


def is_of_earlier_boot(state: DeviceState, report: DeviceStatus) -> bool:
    known = state.session
    return report.session is not None and known is not None and report.session < known


def applied(
    state: DeviceState,
    report: DeviceStatus,
    event_us: int,
    at_us: int,
    offline_us: int | None = None,
) -> DeviceState:
    """A first delivery of a status. A late one sets nothing, but still shows that the device is
    alive.

    A late `offline` sets no field, but makes the device offline, because a will carries the time
    of its connect. The will of an earlier boot has no effect at all. An `offline` without fields
    leaves their time as it is: what the device says later is newer, also by a clock that is slow.
    """
    is_offline = report.status == OFFLINE
    if is_late(state, report, event_us):
        if not is_offline:
            return seen(state, at_us, offline_us)
        if is_of_earlier_boot(state, report):
            return state
        session = {} if report.session is None else {"session": report.session}
        return _replaced(state, {"status": OFFLINE, **session})
    changes = _fields_of(report)
    if changes or not is_offline:
        changes["state_us"] = event_us
    if report.session is not None:
        changes["session"] = report.session
    if report.status is not None:
        changes["status"] = report.status
    if not is_offline:
        state = seen(state, at_us, offline_us)
    return _replaced(state, changes)


def redelivered(state: DeviceState, report: DeviceStatus, event_us: int) -> DeviceState:
    """A status with `ts` that the broker sent again: by its event time it may set fields and make a
    device offline. It makes nobody online, because it is about the past. If two have the same time,
    the redelivered one is the older."""
    if is_late(state, report, event_us) or event_us == state.state_us:
        return state
    changes = _fields_of(report)
    changes["state_us"] = event_us
    if report.session is not None:
        changes["session"] = report.session
    if report.status is not None and state.status != OFFLINE:
        changes["status"] = report.status
    return _replaced(state, changes)


def retained(state: DeviceState, report: DeviceStatus, event_us: int | None) -> DeviceState:
    """A status that the broker retained: it may set fields, never presence or `last_seen`.

    Without `ts` its age is unknown, so it only sets fields that have no value yet.
    """
    fields = _fields_of(report)
    if event_us is None:
        fields = {k: v for k, v in fields.items() if getattr(state, k) is None}
    elif is_late(state, report, event_us):
        return state
    return _replaced(state, fields)


def _fields_of(report: DeviceStatus) -> dict[str, object]:
    values = ((name, getattr(report, name)) for name in _FIELDS)
    return {name: value for name, value in values if value is not None}


def _replaced(state: DeviceState, changes: dict[str, object]) -> DeviceState:
    if all(getattr(state, name) == value for name, value in changes.items()):
        return state
    return msgspec.structs.replace(state, **changes)
