"""Alarms of devices and feeds."""

import msgspec

from protocol.alarms import AlarmView, alarm_view
from protocol.errors import Invalid, NotFound
from protocol.events import AlarmChanged
from protocol.ids import is_uuid
from protocol.resources import Id, Limit, Page
from web.paging import number_of, page
from web.routing import Api, Call

api = Api("alarms")

STATES = ("active", "acknowledged", "cleared")


class AlarmQuery(msgspec.Struct, frozen=True):
    """`state`: one of active, acknowledged, cleared, or several with commas; all without it."""

    limit: Limit = 100
    cursor: str | None = None
    state: str | None = None
    device_id: Id | None = None


@api.operation("GET", "/alarms", query=AlarmQuery, answer=Page[AlarmView])
async def list_alarms(call: Call, query: AlarmQuery) -> Page[AlarmView]:
    """One's alarms, newest first."""
    states = tuple(query.state.split(",")) if query.state else ()
    if not set(states) <= set(STATES):
        raise Invalid({"state": f"is none of {', '.join(STATES)}"})
    device_id = None if query.device_id is None else query.device_id.lower()
    if device_id is not None and not is_uuid(device_id):
        raise Invalid({"device_id": "is not an id"})
    before = number_of(query.cursor)
    found = await call.house.store.alarms(call.user.id, query.limit + 1, before, states, device_id)
    return page(found, query.limit, alarm_view)


@api.operation("POST", "/alarms/<alarm_id>/ack", answer=AlarmView, errors=(404,))
async def acknowledge_alarm(call: Call, alarm_id: str) -> AlarmView:
    """Say that somebody has seen it; it clears by itself when its cause is over."""
    now_us = call.house.clock.now_us()
    # What an actor judged a moment ago is on its way to the store.
    await call.house.writer.barrier()
    alarm = await call.house.store.acknowledge_alarm(call.user.id, alarm_id, now_us)
    if alarm is None:
        raise NotFound("there is no such alarm")
    call.house.users.tell(call.user.id, AlarmChanged(alarm))
    call.house.wake("webhooks")
    return alarm_view(alarm)
