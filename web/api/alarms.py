"""REST calls for alarms: list them, acknowledge one."""

from typing import Literal

from protocol.device.alarms import AlarmView, Severity, alarm_view
from protocol.rest.listing import ALARMS
from protocol.rest.shapes import Id, Page
from web.http.context import Call
from web.http.listing import ListQuery, listed, some_id, some_of
from web.http.missing import missing
from web.http.operation import Json
from web.http.routing import Api

api = Api("alarms")

STATES = ("active", "acknowledged", "cleared")


class AlarmQuery(ListQuery, frozen=True, kw_only=True):
    """`state`: active, acknowledged, cleared, or several separated by commas; default: all."""

    state: str | None = None
    device_id: Id | None = None
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
        device_id=some_id("device_id", query.device_id),
        severity=query.severity,
        kind=query.kind,
    )


@api.operation("POST", "/alarms/<alarm_id>/ack", answer=Json(AlarmView), errors=(404,))
async def acknowledge_alarm(call: Call, alarm_id: str) -> AlarmView:
    """Acknowledge an alarm. It clears by itself when its cause is over."""
    now_us = call.service.clock.now_us()
    alarm = await call.service.changes.acknowledge_alarm(call.user.id, alarm_id, now_us)
    if alarm is None:
        raise missing("alarm_id")
    return alarm_view(alarm)
