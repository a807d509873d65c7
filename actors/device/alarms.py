"""When values and silence of a device raise alarms, and when these clear: pure rules.

Everything is judged by event time: a value older than the last judged one changes nothing. Each
function returns the alarm's new state, to be stored, or None if nothing changed.
"""

import uuid

import msgspec

from protocol.device.alarms import ACTIVE, CLEARED, DROPPED, OFFLINE, PENDING, THRESHOLD, Alarm
from protocol.problems.detail import Detail
from protocol.records import Device, Feed
from protocol.times import SECOND_US


def violation(feed: Feed, value: float) -> Detail | None:
    """How a value violates the feed's thresholds; None if it does not."""
    if feed.min_value is not None and value < feed.min_value:
        return Detail("value_below", value=value, limit=feed.min_value)
    if feed.max_value is not None and value > feed.max_value:
        return Detail("value_above", value=value, limit=feed.max_value)
    return None


def is_well_inside(feed: Feed, value: float) -> bool:
    """Whether it is inside by the hysteresis of the feed's alarm, so that an active alarm
    clears."""
    margin = feed.alarm.hysteresis
    low, high = feed.min_value, feed.max_value
    return (low is None or value >= low + margin) and (high is None or value <= high - margin)


class FeedAlarm:
    """The alarm of one feed of one device: none, pending, or active.

    `judged_us` is the event time of the last judged value. An alarm that was raised by time alone
    does not change it, so a late value from the waiting time still clears the alarm.
    """

    __slots__ = ("alarm", "judged_us")

    def __init__(self, alarm: Alarm | None, last_us: int | None) -> None:
        self.alarm = alarm
        known = [last_us]
        if alarm is not None:
            # The last value of each device of a shared feed is unknown. The time at which the alarm
            # was raised is used instead, although time alone may have raised it.
            known += [alarm.since_us, alarm.raised_us if last_us is None else None]
        self.judged_us = max((us for us in known if us is not None), default=None)

    def is_stale(self, ts_us: int) -> bool:
        return self.judged_us is not None and ts_us < self.judged_us

    def outside(
        self, device: Device, feed: Feed, ts_us: int, value: float, detail: Detail
    ) -> Alarm | None:
        """A value outside the thresholds."""
        self.judged_us = ts_us
        alarm, rule = self.alarm, feed.alarm
        if alarm is not None and alarm.is_open:
            return None
        if alarm is None:
            alarm = Alarm(
                id=_named(device, f"{THRESHOLD}:{feed.id}:{ts_us}"),
                user_id=device.user_id,
                device_num=device.num,
                device_id=device.id,
                feed_num=feed.num,
                feed_id=feed.id,
                kind=THRESHOLD,
                severity=rule.severity,
                state=PENDING,
                since_us=ts_us,
            )
        elif alarm.count < rule.after_count:
            alarm = msgspec.structs.replace(alarm, count=alarm.count + 1)
        due = alarm.count >= rule.after_count and ts_us - alarm.since_us >= rule.after_s * SECOND_US
        if due:
            alarm = msgspec.structs.replace(alarm, state=ACTIVE, raised_us=ts_us)
        elif alarm is self.alarm:
            return None  # it is still pending
        self.alarm = msgspec.structs.replace(
            alarm, value=value, detail=str(detail), coded=detail.coded
        )
        return self.alarm

    def inside(self, feed: Feed, ts_us: int, value: float) -> Alarm | None:
        """A value inside the thresholds: it ends a pending alarm, and an active one if the margin
        is enough."""
        self.judged_us = ts_us
        if self.alarm is None or (self.alarm.is_open and not is_well_inside(feed, value)):
            return None
        return self.end(ts_us)

    def waited(self, feed: Feed, since_us: int) -> Alarm | None:
        """As far as is known, no value was inside the thresholds for as long as the rule waits."""
        alarm, rule = self.alarm, feed.alarm
        if alarm is None or alarm.is_open or alarm.since_us != since_us:
            return None
        if alarm.count < rule.after_count:
            return None
        raised_us = since_us + round(rule.after_s * SECOND_US)
        self.alarm = msgspec.structs.replace(alarm, state=ACTIVE, raised_us=raised_us)
        return self.alarm

    def end(self, ts_us: int) -> Alarm | None:
        """End the alarm, whatever its state."""
        alarm, self.alarm = self.alarm, None
        if alarm is None:
            return None
        if not alarm.is_open:
            return msgspec.structs.replace(alarm, state=DROPPED)
        cleared_us = max(ts_us, alarm.raised_us or 0)  # the clock may have been set back
        return msgspec.structs.replace(alarm, state=CLEARED, cleared_us=cleared_us)


def went_offline(device: Device, at_us: int, detail: Detail) -> Alarm:
    """The alarm of a device that was silent for too long or reported `offline`."""
    seen_us = device.state.last_seen_us
    since_us = at_us if seen_us is None else seen_us
    return of_device(device, OFFLINE, f"{device.state.version}:{at_us}", since_us, at_us, detail)


def of_device(
    device: Device, kind: str, name: str, since_us: int, raised_us: int, detail: Detail
) -> Alarm:
    """An alarm of a device and none of its feeds; `name` tells those of a kind apart."""
    return Alarm(
        id=_named(device, f"{kind}:{name}"),
        user_id=device.user_id,
        device_num=device.num,
        device_id=device.id,
        feed_num=None,
        feed_id=None,
        kind=kind,
        severity="warning",
        state=ACTIVE,
        since_us=since_us,
        raised_us=raised_us,
        detail=str(detail),
        coded=detail.coded,
    )


def came_online(alarm: Alarm, at_us: int) -> Alarm:
    return msgspec.structs.replace(alarm, state=CLEARED, cleared_us=max(at_us, alarm.since_us))


def _named(device: Device, what: str) -> str:
    """The same id for the same alarm, however often it is judged (RFC 9562 §5.5)."""
    return str(uuid.uuid5(uuid.UUID(device.id), what))
