"""What a status message makes of a device's state: pure rules, each from CONTRACT §1."""

import msgspec

from protocol.device.payloads import DeviceStatus
from protocol.records import OFFLINE, ONLINE, DeviceState

# A device that talks every second shall not write a row every second only to say so.
LAST_SEEN_STEP_US = 10_000_000

_FIELDS = ("temperature", "humidity", "latitude", "longitude", "firmware")


def heard(state: DeviceState, at_us: int) -> DeviceState:
    """Any first delivery shows that the device lives: online, and seen at `at_us`."""
    seen_us = state.last_seen_us
    # Status goes before readings in the mailbox: what arrived before a will revives nobody.
    said_since = state.state_us is not None and at_us < state.state_us
    online = ONLINE if state.status == OFFLINE and not said_since else state.status
    if online == state.status and seen_us is not None and at_us - seen_us < LAST_SEEN_STEP_US:
        return state
    seen_us = at_us if seen_us is None else max(seen_us, at_us)
    return msgspec.structs.replace(state, status=online, last_seen_us=seen_us)


def is_late(state: DeviceState, said: DeviceStatus, event_us: int) -> bool:
    """Whether newer word of the device is known: by event time, or from a later boot."""
    if state.state_us is not None and event_us < state.state_us:
        return True
    return said.session is not None and state.session is not None and said.session < state.session


def applied(state: DeviceState, said: DeviceStatus, event_us: int, at_us: int) -> DeviceState:
    """A first delivery of a status. A late one sets nothing, but still shows a living device.

    A late `offline` (a will of an earlier boot, most often) shows nothing at all.
    """
    gone = said.status == OFFLINE
    if is_late(state, said, event_us):
        return state if gone else heard(state, at_us)
    changes = _said_fields(said)
    changes["state_us"] = event_us
    if said.session is not None:
        changes["session"] = said.session
    if said.status is not None:
        changes["status"] = said.status
    if not gone:
        state = heard(state, at_us)
    return _replaced(state, changes)


def redelivered(state: DeviceState, said: DeviceStatus, event_us: int) -> DeviceState:
    """A status with `ts` that the broker sent again: by its event time it may set fields and show a
    device offline, but it revives nobody: what it tells of is past. Of two of one instant the one
    that came again was the earlier one."""
    if is_late(state, said, event_us) or event_us == state.state_us:
        return state
    changes = _said_fields(said)
    changes["state_us"] = event_us
    if said.session is not None:
        changes["session"] = said.session
    if said.status is not None and state.status != OFFLINE:
        changes["status"] = said.status
    return _replaced(state, changes)


def retained(state: DeviceState, said: DeviceStatus, event_us: int | None) -> DeviceState:
    """A status that the broker kept: it may set fields, never presence or `last_seen`.

    Without `ts` its age is unknown, so it only fills what nothing is known of.
    """
    fields = _said_fields(said)
    if event_us is None:
        fields = {k: v for k, v in fields.items() if getattr(state, k) is None}
    elif is_late(state, said, event_us):
        return state
    return _replaced(state, fields)


def _said_fields(said: DeviceStatus) -> dict[str, object]:
    values = ((name, getattr(said, name)) for name in _FIELDS)
    return {name: value for name, value in values if value is not None}


def _replaced(state: DeviceState, changes: dict[str, object]) -> DeviceState:
    if all(getattr(state, name) == value for name, value in changes.items()):
        return state
    return msgspec.structs.replace(state, **changes)
