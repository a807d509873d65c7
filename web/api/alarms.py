"""REST calls for alarms: list them, acknowledge one or several."""

from typing import Literal

from protocol.device.alarms import Alarm, AlarmsToAcknowledge, AlarmView, Severity, alarm_view
from protocol.rest.listing import ALARMS
from protocol.rest.shapes import Id, Page
from web.http.context import Call
from web.http.listing import ListQuery, listed, some_id, some_of, truth
from web.http.missing import missing
from web.http.operation import Json
from web.http.routing import Api

api = Api("alarms")

STATES = ("active", "acknowledged", "cleared")


class AlarmQuery(ListQuery, frozen=True, kw_only=True):
    """`state`: active, acknowledged, cleared, or several separated by commas; default: all.

    `acknowledged`: false for alarms that nobody has acknowledged, also cleared ones.
    """

    state: str | None = None
    acknowledged: bool | None = None
    device_id: Id | None = None
    feed_id: Id | None = None
    severity: Severity | None = None
    kind: Literal["threshold", "offline", "loop"] | None = None


@api.operation("GET", "/alarms", query=AlarmQuery, answer=Json(Page[AlarmView]))
async def list_alarms(call: Call, query: AlarmQuery) -> Page[AlarmView]:
    """List your alarms, newest first; `sort` takes since, severity and state."""
    return await listed(
        call,
        ALARMS,
        query,
        alarm_view,
        state=some_of("state", query.state, STATES),
        acknowledged=truth(query.acknowledged),
        device_id=some_id("device_id", query.device_id),
        feed_id=some_id("feed_id", query.feed_id),
        severity=query.severity,
        kind=query.kind,
    )


@api.operation("POST", "/alarms/<alarm_id>/ack", answer=Json(AlarmView), errors=(404,))
async def acknowledge_alarm(call: Call, alarm_id: str) -> AlarmView:
    """Acknowledge an alarm. It clears by itself when its cause is over; one that has cleared stays
    so."""
    for alarm in await _acknowledged(call, [alarm_id]):
        return alarm_view(alarm)
    raise missing("alarm_id")


@api.operation("POST", "/alarms/ack", body=Json(AlarmsToAcknowledge), answer=Json(Page[AlarmView]))
async def acknowledge_alarms(call: Call, body: AlarmsToAcknowledge) -> Page[AlarmView]:
    """Acknowledge several alarms at once; those that are yours are in the response."""
    ids = [text for each in body.ids if (text := some_id("ids", each)) is not None]
    return Page([alarm_view(alarm) for alarm in await _acknowledged(call, ids)])


async def _acknowledged(call: Call, ids: list[str]) -> list[Alarm]:
    now_us = call.service.clock.now_us()
    return await call.service.changes.acknowledge_alarms(call.user.id, ids, now_us)
