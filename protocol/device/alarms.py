"""Alarms: the rule that raises one, the stored record, and its REST view (CONTRACT §2, §3).

    pending → active → acknowledged → cleared
    pending → dropped,  active → cleared

One that cleared before anybody acknowledged it stays `cleared`; acknowledging it sets
`acknowledged_us` alone.

Times are µs since 1970.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.problems.coded import CodedView, code_of
from protocol.rest.shapes import Id
from protocol.times import format_us
from protocol.views import view_of

Severity = Literal["info", "warning", "critical"]

PENDING = "pending"  # outside the thresholds, but not yet for long or often enough; not shown
ACTIVE = "active"
ACKNOWLEDGED = "acknowledged"
CLEARED = "cleared"
DROPPED = "dropped"  # was pending and is over; its row is deleted

THRESHOLD = "threshold"
OFFLINE = "offline"
LOOP = "loop"  # the broker ends the device's connections again and again

ACKNOWLEDGED_MAX = 1_000  # at once
AFTER_S_MAX = 7 * 24 * 3600


class AlarmRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When values outside a feed's thresholds raise its alarm, and when it clears again.

    `after_s`: seconds outside, by event time, without a value inside between. `after_count`:
    consecutive values outside. Both must be reached; the defaults raise the alarm at once.
    `hysteresis`: how far inside the thresholds a value must be to clear it (in the feed's unit).
    """

    after_s: Annotated[float, Meta(ge=0, le=AFTER_S_MAX)] = 0.0
    after_count: Annotated[int, Meta(ge=1, le=1000)] = 1
    hysteresis: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    severity: Severity = "warning"


AT_ONCE = AlarmRule()


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm of a device, or of one of its feeds. At most one per device, feed and kind is open.

    `since_us` is the time of the first value outside (or of the device's last message), `count` the
    number of consecutive values outside while it was pending.
    """

    id: str
    user_id: str
    device_num: int
    device_id: str
    feed_num: int | None
    feed_id: str | None
    kind: str
    severity: str
    state: str
    since_us: int
    count: int = 1
    raised_us: int | None = None
    acknowledged_us: int | None = None
    cleared_us: int | None = None
    value: float | None = None
    detail: str = ""
    coded: str | None = None  # see `protocol.problems.detail`
    num: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in (ACTIVE, ACKNOWLEDGED)

    @property
    def acknowledged(self) -> bool:
        """Whether somebody did, also after it cleared."""
        return self.acknowledged_us is not None


def acknowledge(alarm: Alarm, now_us: int) -> Alarm:
    """The alarm once somebody acknowledges it; the first time counts."""
    if alarm.acknowledged or alarm.state not in (ACTIVE, CLEARED):
        return alarm
    state = ACKNOWLEDGED if alarm.state == ACTIVE else alarm.state
    return msgspec.structs.replace(alarm, state=state, acknowledged_us=now_us)


class AlarmsToAcknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ids: Annotated[list[Id], Meta(min_length=1, max_length=ACKNOWLEDGED_MAX)]


class AlarmView(CodedView, frozen=True, kw_only=True):
    id: str
    device_id: str
    feed_id: str | None
    kind: str
    severity: str
    state: str
    since: str
    raised_at: str | None
    acknowledged_at: str | None
    cleared_at: str | None
    value: float | None
    detail: str


def alarm_view(alarm: Alarm) -> AlarmView:
    return view_of(AlarmView, alarm, since=format_us(alarm.since_us), **code_of(alarm.coded))
