"""The device actor: judges what one device says, in order, and says what shall follow.

It starts from `LoadedDevice` and keeps no other memory, so it may die at any time and be built
again. Its `step` is pure: it answers with units for the writer, events for the user actor and
notices for the device.
"""

from typing import assert_never

import msgspec

from actors import presence
from actors.refusing import NoticeLimit, notice, readings_in, refused_whole, rejection
from protocol import codec
from protocol.errors import Reason, Refusal
from protocol.events import DeviceChanged, DeviceGone, FeedValue
from protocol.messages import (
    AckSaid,
    Announce,
    Configured,
    DeviceEffect,
    DeviceMessage,
    FromDevice,
    Live,
    ReadingsSaid,
    StatusSaid,
    Unreadable,
)
from protocol.payloads import RawReading
from protocol.records import (
    AlarmChange,
    DeviceState,
    Feed,
    LoadedDevice,
    Origin,
    Reading,
    Rejection,
    StateChange,
    Unit,
)
from protocol.times import parse_device_time
from protocol.topics import Kind
from protocol.values import digest64, take_value

# How many values of one instant a feed's actor tells apart; more are left to the store's key.
SAME_INSTANT_MAX = 16


class _FeedState:
    """A feed as its actor sees it: the configuration, and how far event time has come."""

    __slots__ = ("alarmed", "alarmed_us", "at_last", "feed", "last_us")

    def __init__(self, feed: Feed, raised_us: int | None) -> None:
        self.feed = feed
        # A shared feed's last value may be another device's: it says nothing of ours.
        self.last_us = feed.last_us if feed.device_id is not None else None
        self.at_last: set[int] = set()
        self.alarmed = raised_us is not None
        # Alarms obey event time too: what is older than both was judged before.
        self.alarmed_us = max(
            (us for us in (raised_us, self.last_us) if us is not None), default=None
        )

    def is_newest(self, ts_us: int, digest: int) -> bool:
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


class DeviceActor:
    """One device. `step` takes messages in the order of their arrival."""

    def __init__(self, loaded: LoadedDevice) -> None:
        self.device = loaded.device
        self._feeds: dict[str, _FeedState] = {}
        self._notices = NoticeLimit()
        self._configure(loaded)

    def _configure(self, loaded: LoadedDevice) -> None:
        """Take new settings. State and event times stay ours: the read ones may be older, because
        some of our writes may still be on their way."""
        self.device = msgspec.structs.replace(loaded.device, state=self.device.state)
        before = {state.feed.num: state for state in self._feeds.values()}
        self._feeds = {}
        # A feed of the device itself goes before a shared one of the same key.
        for feed in sorted(loaded.feeds, key=lambda feed: feed.device_id is None):
            state = before.get(feed.num) or _FeedState(feed, loaded.alarms.get(feed.num))
            state.feed = feed
            self._feeds.setdefault(feed.key, state)

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        match message:
            case ReadingsSaid(origin=origin, readings=readings):
                return self._take_readings(origin, readings)
            case StatusSaid():
                return self._take_status(message)
            case Unreadable(refusal=refusal):
                return self._refuse(message, refusal)
            case AckSaid():
                detail = "no command of that id was sent to this device"
                return self._refuse(message, Refusal(Reason.UNKNOWN_COMMAND, detail))
            case Announce():
                return [self._live(DeviceChanged(self.device))]
            case Configured(loaded=loaded):
                if loaded is not None:
                    self._configure(loaded)
                return [self._live(DeviceChanged(self.device))]
            case _:
                assert_never(message)

    def set_aside(self, message: FromDevice, error: str) -> list[DeviceEffect]:
        """The message killed this actor twice: keep it with its reason, and go on without it."""
        refusal = Refusal(Reason.INTERNAL_ERROR, f"the message could not be handled: {error}")
        return self._refuse(message, refusal)

    # Readings

    def _take_readings(self, origin: Origin, said: list[RawReading]) -> list[DeviceEffect]:
        effects: list[DeviceEffect] = []
        readings: list[Reading] = []
        rejections: list[Rejection] = []
        alarms: list[AlarmChange] = []
        for raw in said:
            try:
                if raw.refusal is not None:
                    raise raw.refusal
                reading, state, is_newest = self._take_reading(origin, raw, alarms)
            except Refusal as refusal:
                rejections.append(self._rejected(origin, raw, refusal))
                if not origin.again and self._notices.allows(origin.at_us):
                    effects.append(notice(origin, refusal))
            else:
                readings.append(reading)
                if is_newest:
                    feed = state.feed
                    effects.append(
                        self._live(
                            FeedValue(
                                feed.id, feed.key, self.device.id, reading.value, reading.ts_us
                            )
                        )
                    )
        change = self._heard(origin)
        if change is not None:
            effects.append(self._live(DeviceChanged(self.device)))
        unit = Unit(
            device=origin.topic.device,
            readings=tuple(readings),
            rejections=tuple(rejections),
            alarms=tuple(alarms),
            state=change,
            taken=origin.taken,
            receipt=origin.receipt,
            size=origin.size,
        )
        effects.append(unit)
        return effects

    def _take_reading(
        self, origin: Origin, raw: RawReading, alarms: list[AlarmChange]
    ) -> tuple[Reading, _FeedState, bool]:
        """The reading, its feed, and whether it is the newest that this actor has seen.

        Whether it becomes the stored last value is for the store to say, by its event time: what
        this actor saw last may have been refused there.
        """
        state = self._feeds.get(raw.key)
        if state is None:
            raise Refusal(Reason.UNKNOWN_FEED, f"this device has no feed {raw.key!r}")
        feed = state.feed
        if not feed.enabled:
            raise Refusal(Reason.FEED_DISABLED, f"the feed {raw.key!r} is disabled")
        value = take_value(feed.kind, raw.value)
        ts_us, message_id = raw.ts_us, raw.message_id
        history_only = ts_us is None and (origin.again or origin.retained)
        if ts_us is None:
            ts_us = origin.at_us
            if origin.retained and message_id is None:
                # The broker sends its retained copy at every subscribe; it is one reading.
                message_id = f"retained:{digest64(value):x}"
        flagged = self._judge(state, value, ts_us, history_only, alarms)
        digest = digest64(value, message_id)
        newest = not history_only and state.is_newest(ts_us, digest)
        reading = Reading(
            feed.num, self.device.num, ts_us, digest, value, flagged, message_id, not history_only
        )
        return reading, state, newest

    def _judge(
        self,
        state: _FeedState,
        value: object,
        ts_us: int,
        history_only: bool,
        alarms: list[AlarmChange],
    ) -> bool:
        """Whether the reading is flagged; raises `Refusal` where the feed rejects violations."""
        feed = state.feed
        if not isinstance(value, float):
            return False
        below = feed.min_value is not None and value < feed.min_value
        above = feed.max_value is not None and value > feed.max_value
        detail = ""
        if below:
            detail = f"{value:g} lies below the minimum {feed.min_value:g}"
        elif above:
            detail = f"{value:g} lies above the maximum {feed.max_value:g}"
        outside = below or above
        stale = state.alarmed_us is not None and ts_us < state.alarmed_us
        if not history_only and not stale:
            state.alarmed_us = ts_us
            if outside != state.alarmed:
                state.alarmed = outside
                alarms.append(
                    AlarmChange(
                        self.device.user_id,
                        feed.num,
                        self.device.num,
                        outside,
                        ts_us,
                        value,
                        detail,
                    )
                )
        if outside and feed.on_violation == "reject":
            raise Refusal(Reason.OUT_OF_RANGE, detail)
        return outside

    # Status

    def _take_status(self, message: StatusSaid) -> list[DeviceEffect]:
        origin, said = message.origin, message.said
        try:
            ts_us = None if said.ts is None else parse_device_time(said.ts, origin.at_us)
        except Refusal as refusal:
            return self._refuse(message, refusal)
        state = self.device.state
        if origin.retained:
            state = presence.retained(state, said, ts_us)
        elif not (origin.again and ts_us is None):
            # A redelivery without `ts` is of an unknown past: it sets nothing.
            event_us = origin.at_us if ts_us is None else ts_us
            state = presence.applied(state, said, event_us, origin.at_us)
        change = self._changed(state)
        unit = Unit(
            device=origin.topic.device,
            state=change,
            taken=origin.taken,
            receipt=origin.receipt,
            size=origin.size,
        )
        return [unit] if change is None else [self._live(DeviceChanged(self.device)), unit]

    def _heard(self, origin: Origin) -> StateChange | None:
        if origin.again or origin.retained:
            return None
        return self._changed(presence.heard(self.device.state, origin.at_us))

    def _changed(self, state: DeviceState) -> StateChange | None:
        if state is self.device.state:
            return None
        state = msgspec.structs.replace(state, version=self.device.state.version + 1)
        self.device = msgspec.structs.replace(self.device, state=state)
        return StateChange(self.device.num, state)

    # Refusals

    def _refuse(self, message: FromDevice, refusal: Refusal) -> list[DeviceEffect]:
        origin = message.origin
        unit = refused_whole(message, refusal, self.device.id, self._heard(origin))
        effects: list[DeviceEffect] = [unit]
        if unit.state is not None:
            effects.insert(0, self._live(DeviceChanged(self.device)))
        if not origin.again and self._notices.allows(origin.at_us):
            effects.append(notice(origin, refusal))
        return effects

    def _rejected(self, origin: Origin, raw: RawReading, refusal: Refusal) -> Rejection:
        """A refused reading is kept with just its part of a message that held several."""
        payload = origin.payload
        if origin.topic.kind is Kind.READINGS:
            payload = codec.encode({raw.key: raw.value} if raw.key else raw.value)
        return rejection(origin, refusal, self.device.id, payload)

    def _live(self, event: DeviceChanged | FeedValue) -> Live:
        return Live(user_id=self.device.user_id, event=event)


class Nobody:
    """Stands in for a device that does not exist: its messages are counted, and belong to none."""

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        if isinstance(message, Announce | Configured):
            return []
        return self.set_aside(message, "")

    def set_aside(self, message: FromDevice, error: str) -> list[DeviceEffect]:
        origin = message.origin
        count = readings_in(message)
        unit = Unit(
            device=origin.topic.device, receipt=origin.receipt, unowned=count, size=origin.size
        )
        return [unit]


class Seat:
    """The place of a device: taken by its actor while it exists, by nobody otherwise.

    Creating and deleting a device over REST changes who sits here, in the order in which that was
    read from the store (`read`).
    """

    def __init__(self, loaded: LoadedDevice | None, read: int = 0) -> None:
        self._read = read
        self._sitter: DeviceActor | Nobody = Nobody() if loaded is None else DeviceActor(loaded)

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        if isinstance(message, Configured):
            if message.read < self._read:
                message.done()  # it waited while this seat was built from what is newer
                return []
            self._read = message.read
            gone = self._leaving(message.loaded)
            if message.loaded is None:
                self._sitter = Nobody()
            elif self._is_another(message.loaded):
                self._sitter = DeviceActor(message.loaded)
            effects = self._sitter.step(message, now_us)
            message.done()
            return [*gone, *effects]
        return self._sitter.step(message, now_us)

    def _leaving(self, loaded: LoadedDevice | None) -> list[DeviceEffect]:
        """Dashboards hear of a device that leaves behind everything that it said itself."""
        if isinstance(self._sitter, Nobody) or not (loaded is None or self._is_another(loaded)):
            return []
        device = self._sitter.device
        return [Live(user_id=device.user_id, event=DeviceGone(device.id))]

    def _is_another(self, loaded: LoadedDevice) -> bool:
        """A code may be given to a new device after its old one was deleted."""
        return isinstance(self._sitter, Nobody) or self._sitter.device.num != loaded.device.num

    def set_aside(self, message: DeviceMessage, error: str) -> list[DeviceEffect]:
        if isinstance(message, Configured):
            message.done()
        if isinstance(message, Configured | Announce):
            return []
        return self._sitter.set_aside(message, error)
