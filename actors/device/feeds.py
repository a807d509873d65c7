"""The feeds of one device, and changes of their alarms without a reading: by time and by settings.

A feed of the device goes before a shared feed of the same key. There may be many shared feeds, so
only those that this device wrote to, or has an alarm of, have a state.
"""

from actors.device.feed import FeedState
from protocol.device.alarms import PENDING, Alarm
from protocol.messages import AlarmDue, ArmAlarm
from protocol.records import LoadedDevice, SharedFeeds
from protocol.times import SECOND_US


class DeviceFeeds:
    """The feeds, by key."""

    def __init__(self, loaded: LoadedDevice) -> None:
        self._of_key: dict[str, FeedState] = {}
        self._shared = SharedFeeds()
        self.configure(loaded)

    def configure(self, loaded: LoadedDevice) -> None:
        """Take new settings. Event times and alarms stay, because those that were read may be
        older."""
        before = {state.feed.num: state for state in self._of_key.values()}
        alarms = {alarm.feed_num: alarm for alarm in loaded.alarms if alarm.feed_num is not None}
        self._shared = loaded.shared
        self._of_key = {}
        written = filter(None, (loaded.shared.of_num(num) for num in (*before, *alarms)))
        for feed in (*loaded.feeds, *written):
            state = before.get(feed.num) or FeedState(feed, alarms.get(feed.num))
            state.feed = feed
            self._of_key.setdefault(feed.key, state)

    def of_key(self, key: str) -> FeedState | None:
        """The feed that takes readings with this key."""
        state = self._of_key.get(key)
        if state is None and (feed := self._shared.of_key(key)) is not None:
            state = self._of_key[key] = FeedState(feed, None)
        return state

    def has(self, num: int) -> bool:
        """Whether the feed of that number has a state."""
        return any(state.feed.num == num for state in self._of_key.values())

    @property
    def nums(self) -> set[int]:
        """Numbers of the feeds that have a state."""
        return {state.feed.num for state in self._of_key.values()}

    def raise_due(self, message: AlarmDue) -> list[Alarm]:
        """Raise the alarm whose waiting time is over, if it is still pending."""
        for state in self._of_key.values():
            if state.feed.num == message.feed_num:
                raised = state.alarm.waited(state.feed, message.since_us)
                return [] if raised is None else [raised]
        return []

    def end_unwatched(self, now_us: int) -> list[Alarm]:
        """Alarms that end because their feeds are disabled or have no thresholds any more."""
        ended = []
        for state in self._of_key.values():
            feed = state.feed
            watched = feed.enabled and (feed.min_value is not None or feed.max_value is not None)
            alarm = None if watched else state.alarm.end(now_us)
            if alarm is not None:
                ended.append(alarm)
        return ended

    def waits(self, key: tuple[str, str], alarms: list[Alarm], now_us: int) -> list[ArmAlarm]:
        """What the timer must do for alarms that changed: wait for those that are pending."""
        rules = {state.feed.num: state.feed.alarm for state in self._of_key.values()}
        effects = []
        for alarm in alarms:
            if alarm.feed_num is None or not rules[alarm.feed_num].after_s:
                continue
            for_s = None
            if alarm.state == PENDING:
                waited_s = max(0, now_us - alarm.since_us) / SECOND_US
                for_s = max(0.0, rules[alarm.feed_num].after_s - waited_s)
            effects.append(
                ArmAlarm(key=key, feed_num=alarm.feed_num, since_us=alarm.since_us, for_s=for_s)
            )
        return effects
