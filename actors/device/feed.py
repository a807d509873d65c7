"""A feed of a device's actor: its rules, its alarm, and the newest event time."""

from actors.device.alarms import FeedAlarm, violation
from protocol.device.alarms import Alarm
from protocol.device.payloads import RawReading
from protocol.device.values import digest64, take_value
from protocol.errors import Reason, Refusal
from protocol.problems.detail import Detail
from protocol.records import Destination, Device, Feed, Origin, Reading

# How many values with the same time an actor tells apart; the rest is left to the store's key.
SAME_INSTANT_MAX = 16


class FeedState:
    """`feed` is replaced when its settings change; the state stays."""

    __slots__ = ("alarm", "at_last", "feed", "last_us")

    def __init__(self, feed: Feed, alarm: Alarm | None) -> None:
        self.feed = feed
        # The last value of a shared feed may be another device's, so it is not used.
        self.last_us = feed.last_us if feed.device_id is not None else None
        self.at_last: set[int] = set()
        self.alarm = FeedAlarm(alarm, self.last_us)

    def take(
        self, device: Device, origin: Origin, raw: RawReading, alarms: list[Alarm]
    ) -> tuple[Reading, bool]:
        """The reading, and whether it is the newest that this actor has seen.

        The store decides by event time whether it becomes the last value, because it may have
        refused the reading that this actor saw last.

        Args:
            alarms: a change of the feed's alarm is added to this list.

        Raises:
            Refusal: the feed is disabled, or takes no such value.
        """
        feed = self.feed
        if not feed.enabled:
            raise Refusal(Reason.FEED_DISABLED, Detail("feed_off", key=raw.key))
        value = take_value(feed.kind, raw.value)
        ts_us, message_id = raw.ts_us, raw.message_id
        into = Destination.LAST_VALUE
        if ts_us is None:
            ts_us = origin.at_us
            if origin.again:
                into = Destination.HISTORY
            if origin.retained:
                into = Destination.EMPTY_HISTORY
            if origin.retained and message_id is None:
                # The broker delivers its retained copy at every subscription; it is one reading.
                message_id = f"retained:{digest64(value):x}"
        history_only = into is not Destination.LAST_VALUE
        digest = digest64(value, message_id)
        if raw.ts_us is not None:
            message_id = None  # time, value and id are in the reading's key
        # A copy is not judged: it could end an alarm that another value of the same time has
        # started.
        is_new = not history_only and not (ts_us == self.last_us and digest in self.at_last)
        flagged = self._judge(device, value, ts_us, is_new, alarms)
        newest = not history_only and self._is_newest(ts_us, digest)
        reading = Reading(feed.num, device.num, ts_us, digest, value, flagged, message_id, into)
        return reading, newest

    def _judge(
        self, device: Device, value: object, ts_us: int, is_new: bool, alarms: list[Alarm]
    ) -> bool:
        """Whether the reading is flagged; raises `Refusal` where the feed rejects violations."""
        if not isinstance(value, float):
            return False
        detail = violation(self.feed, value)
        if is_new and not self.alarm.is_stale(ts_us):
            if detail:
                changed = self.alarm.outside(device, self.feed, ts_us, value, detail)
            else:
                changed = self.alarm.inside(self.feed, ts_us, value)
            if changed is not None:
                alarms.append(changed)
        if detail and self.feed.on_violation == "reject":
            raise Refusal(Reason.OUT_OF_RANGE, detail)
        return detail is not None

    def _is_newest(self, ts_us: int, digest: int) -> bool:
        """Whether this reading becomes the last value: not older, and not seen at that instant."""
        if self.last_us is None or ts_us > self.last_us:
            self.last_us = ts_us
            self.at_last = {digest}
            return True
        if ts_us < self.last_us or digest in self.at_last:
            return False
        if len(self.at_last) < SAME_INSTANT_MAX:
            self.at_last.add(digest)
        return True
