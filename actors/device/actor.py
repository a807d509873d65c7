"""The device actor: judges what one device says, in order, and says what shall follow.

It starts from `LoadedDevice` and keeps no other memory, so it may die at any time and be built
again. Its `step` is pure: it answers with units for the writer, events for the user actor and
notices for the device.
"""

from typing import assert_never

import msgspec

from actors.device import presence
from actors.device.alarms import came_online, went_offline
from actors.device.feed import FeedState
from actors.ingest.rejections import NoticeLimit, notice, refused_whole, rejection
from protocol import codec
from protocol.device.alarms import DROPPED, PENDING, Alarm
from protocol.device.alarms import OFFLINE as OFFLINE_ALARM
from protocol.device.payloads import RawReading
from protocol.device.topics import Kind
from protocol.errors import Reason, Refusal
from protocol.events import AlarmChanged, DeviceChanged, FeedValue
from protocol.ids import is_uuid
from protocol.messages import (
    AckSaid,
    Announce,
    ArmAlarm,
    CameOnline,
    Configured,
    DeviceEffect,
    DeviceMessage,
    Foreign,
    FromDevice,
    LeaseEnded,
    LeaseRenewed,
    Live,
    OfTime,
    OutsideSince,
    ReadingsSaid,
    Silent,
    StatusSaid,
    Unreadable,
)
from protocol.records import (
    OFFLINE,
    AckChange,
    DeviceState,
    LoadedDevice,
    Origin,
    Reading,
    Rejection,
    StateChange,
    WriteUnit,
)
from protocol.times import SECOND_US, parse_device_time

NO_SUCH_COMMAND = "no command of that id was sent to this device"


class DeviceActor:
    """One device. `step` takes messages in the order of their arrival."""

    def __init__(self, loaded: LoadedDevice) -> None:
        self.device = loaded.device
        self._feeds: dict[str, FeedState] = {}
        self._notices = NoticeLimit()
        self._words = 0
        offline = [alarm for alarm in loaded.alarms if alarm.kind == OFFLINE_ALARM]
        self._offline_alarm = offline[0] if offline else None
        self._configure(loaded)

    def _configure(self, loaded: LoadedDevice) -> None:
        """Take new settings. State and event times stay ours: the read ones may be older, because
        some of our writes may still be on their way."""
        self.device = msgspec.structs.replace(loaded.device, state=self.device.state)
        before = {state.feed.num: state for state in self._feeds.values()}
        alarms = {alarm.feed_num: alarm for alarm in loaded.alarms if alarm.feed_num is not None}
        self._shared = loaded.shared
        self._feeds = {}
        # Of the shared ones, which may be many, those that this device has written or an alarm of.
        written = filter(None, (loaded.shared.of_num(num) for num in (*before, *alarms)))
        for feed in (*loaded.feeds, *written):
            state = before.get(feed.num) or FeedState(feed, alarms.get(feed.num))
            state.feed = feed
            self._feeds.setdefault(feed.key, state)

    def _feed(self, key: str) -> FeedState | None:
        state = self._feeds.get(key)
        if state is None and (feed := self._shared.of_key(key)) is not None:
            state = self._feeds[key] = FeedState(feed, None)
        return state

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        before = self.device.state.status
        effects = self._step(message, now_us)
        effects += self._lease(message, before)
        return effects

    def _step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        match message:
            case ReadingsSaid(origin=origin, readings=readings):
                return self._take_readings(origin, readings)
            case StatusSaid():
                return self._take_status(message)
            case AckSaid():
                return self._take_ack(message)
            case Unreadable(refusal=refusal):
                return self._refuse(message, refusal)
            case Announce():
                return [self._live(DeviceChanged(self.device))]
            case Configured(loaded=loaded):
                if loaded is not None:
                    self._configure(loaded)
                return [self._live(DeviceChanged(self.device)), *self._end_alarms(now_us)]
            case Silent():
                return self._fall_silent(message, now_us)
            case OutsideSince():
                return self._raise_after_wait(message)
            case Foreign(topic=topic):
                refusal = Refusal(Reason.UNKNOWN_COMMAND, NO_SUCH_COMMAND)
                return self._told(topic, refusal, now_us)
            case _:
                assert_never(message)

    def set_aside(self, message: FromDevice | OfTime, error: str) -> list[DeviceEffect]:
        """The message killed this actor twice: keep it with its reason, and go on without it."""
        if isinstance(message, Silent):
            return [self._alive(anew=True)]  # it is asked again when it was silent for as long
        if isinstance(message, OutsideSince):
            return []
        refusal = Refusal(Reason.INTERNAL_ERROR, f"the message could not be handled: {error}")
        return self._refuse(message, refusal)

    # Readings

    def _take_readings(self, origin: Origin, said: list[RawReading]) -> list[DeviceEffect]:
        effects: list[DeviceEffect] = []
        readings: list[Reading] = []
        rejections: list[Rejection] = []
        alarms: list[Alarm] = []
        for raw in said:
            try:
                if raw.refusal is not None:
                    raise raw.refusal
                state = self._feed(raw.key)
                if state is None:
                    raise Refusal(Reason.UNKNOWN_FEED, f"this device has no feed {raw.key!r}")
                reading, is_newest = state.take(self.device, origin, raw, alarms)
            except Refusal as refusal:
                rejections.append(self._rejected(origin, raw, refusal))
                if not origin.again and self._notices.allows(origin.at_us):
                    effects.append(notice(self._key, origin.raw_topic, refusal))
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
        change = self._heard(origin, alarms)
        if change is not None:
            effects.append(self._live(DeviceChanged(self.device)))
        effects += self._alarmed(alarms, origin.at_us)
        unit = WriteUnit(
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
            if origin.again:
                state = presence.redelivered(state, said, event_us)
            else:
                state = presence.applied(state, said, event_us, origin.at_us)
        alarms: list[Alarm] = []
        change = self._changed(state, alarms, origin.at_us, "said so, or its line was lost")
        unit = WriteUnit(
            device=origin.topic.device,
            alarms=tuple(alarms),
            state=change,
            taken=origin.taken,
            receipt=origin.receipt,
            size=origin.size,
        )
        effects = self._alarmed(alarms, origin.at_us)
        if change is not None:
            effects.append(self._live(DeviceChanged(self.device)))
        return [*effects, unit]

    def _heard(self, origin: Origin, alarms: list[Alarm]) -> StateChange | None:
        if origin.again or origin.retained:
            return None
        heard = presence.heard(self.device.state, origin.at_us)
        return self._changed(heard, alarms, origin.at_us)

    def _changed(
        self, state: DeviceState, alarms: list[Alarm], at_us: int, why: str = ""
    ) -> StateChange | None:
        """Take a state; its alarm, where it went offline or came back, is added to `alarms`."""
        before = self.device.state
        if state is before:
            return None
        state = msgspec.structs.replace(state, version=before.version + 1)
        self.device = msgspec.structs.replace(self.device, state=state)
        if state.status != OFFLINE and self._offline_alarm is not None:
            alarms.append(came_online(self._offline_alarm, at_us))
            self._offline_alarm = None
        elif state.status == OFFLINE != before.status and self.device.offline_alarm:
            self._offline_alarm = went_offline(self.device, at_us, why)
            alarms.append(self._offline_alarm)
        return StateChange(self.device.num, state)

    # Time

    @property
    def _key(self) -> tuple[str, str]:
        return self.device.key

    def _lease(self, message: DeviceMessage, before: str) -> list[DeviceEffect]:
        """What the timer hears: a word of the device, its end, or that it came back."""
        if self.device.state.status == OFFLINE:
            return [] if before == OFFLINE else [LeaseEnded(key=self._key)]
        effects: list[DeviceEffect] = []
        if before == OFFLINE:
            effects.append(CameOnline(device_num=self.device.num))
        if _is_word(message):
            self._words += 1
            effects.append(self._alive(anew=True))
        elif isinstance(message, Configured):
            effects.append(self._alive(anew=False))
        return effects

    def _alive(self, *, anew: bool) -> LeaseRenewed:
        after_s = self.device.offline_after_s
        return LeaseRenewed(key=self._key, after_s=after_s, word=self._words, anew=anew)

    def _fall_silent(self, message: Silent, now_us: int) -> list[DeviceEffect]:
        """Its lease ran out; unless it spoke meanwhile, it counts as offline from now on."""
        if self._words and message.word != self._words:
            return []
        if message.after_s != self.device.offline_after_s:  # it was changed meanwhile
            return [self._alive(anew=False)]
        if self.device.state.status == OFFLINE:
            return []
        alarms: list[Alarm] = []
        state = msgspec.structs.replace(self.device.state, status=OFFLINE)
        why = f"silent for more than {self.device.offline_after_s} s"
        change = self._changed(state, alarms, now_us, why)
        unit = WriteUnit(device=self._key, alarms=tuple(alarms), state=change, messages=0)
        return [*self._alarmed(alarms, now_us), self._live(DeviceChanged(self.device)), unit]

    def _raise_after_wait(self, message: OutsideSince) -> list[DeviceEffect]:
        for state in self._feeds.values():
            if state.feed.num == message.feed_num:
                raised = state.alarm.waited(state.feed, message.since_us)
                return [] if raised is None else self._changed_alarms([raised])
        return []

    def _end_alarms(self, now_us: int) -> list[DeviceEffect]:
        """New settings end alarms of feeds that are disabled or have no thresholds any more."""
        ended = []
        for state in self._feeds.values():
            feed = state.feed
            watched = feed.enabled and (feed.min_value is not None or feed.max_value is not None)
            alarm = None if watched else state.alarm.end(now_us)
            if alarm is not None:
                ended.append(alarm)
        return self._changed_alarms(ended) if ended else []

    def _changed_alarms(self, alarms: list[Alarm]) -> list[DeviceEffect]:
        unit = WriteUnit(device=self._key, alarms=tuple(alarms), messages=0)
        return [*self._alarmed(alarms, alarms[-1].raised_us or 0), unit]

    def _alarmed(self, alarms: list[Alarm], now_us: int) -> list[DeviceEffect]:
        """What dashboards and the timer hear of changed alarms; of pending ones only the timer."""
        effects: list[DeviceEffect] = []
        rules = {state.feed.num: state.feed.alarm for state in self._feeds.values()}
        for alarm in alarms:
            if alarm.state not in (PENDING, DROPPED):
                effects.append(self._live(AlarmChanged(alarm)))
            if alarm.feed_num is None or not rules[alarm.feed_num].after_s:
                continue
            for_s = None
            if alarm.state == PENDING:
                waited_s = max(0, now_us - alarm.since_us) / SECOND_US
                for_s = max(0.0, rules[alarm.feed_num].after_s - waited_s)
            effects.append(
                ArmAlarm(
                    key=self._key, feed_num=alarm.feed_num, since_us=alarm.since_us, for_s=for_s
                )
            )
        return effects

    # Commands

    def _take_ack(self, message: AckSaid) -> list[DeviceEffect]:
        """What it says of a command; whether it was ever sent one, only the store knows."""
        origin = message.origin
        refusal = Refusal(Reason.UNKNOWN_COMMAND, NO_SUCH_COMMAND)
        if not is_uuid(origin.topic.tail.lower()):
            return self._refuse(message, refusal)
        alarms: list[Alarm] = []
        change = self._heard(origin, alarms)
        ack = AckChange(
            self._key,
            origin.topic.tail.lower(),
            self.device.num,
            message.said,
            rejection(origin, refusal, self.device.id),
        )
        unit = WriteUnit(
            device=self._key,
            alarms=tuple(alarms),
            acks=(ack,),
            state=change,
            taken=origin.taken,
            receipt=origin.receipt,
            size=origin.size,
        )
        effects = self._alarmed(alarms, origin.at_us)
        if change is not None:
            effects.append(self._live(DeviceChanged(self.device)))
        return [*effects, unit]

    # Refusals

    def _refuse(self, message: FromDevice, refusal: Refusal) -> list[DeviceEffect]:
        origin = message.origin
        alarms: list[Alarm] = []
        change = self._heard(origin, alarms)
        unit = refused_whole(message, refusal, self.device.id, change, tuple(alarms))
        effects = self._alarmed(alarms, origin.at_us)
        if unit.state is not None:
            effects.append(self._live(DeviceChanged(self.device)))
        effects.append(unit)
        if not origin.again:
            effects += self._told(origin.raw_topic, refusal, origin.at_us)
        return effects

    def _told(self, topic: str, refusal: Refusal, at_us: int) -> list[DeviceEffect]:
        """The notice to the device, within its limit."""
        return [notice(self._key, topic, refusal)] if self._notices.allows(at_us) else []

    def _rejected(self, origin: Origin, raw: RawReading, refusal: Refusal) -> Rejection:
        """A refused reading is kept with just its part of a message that held several."""
        payload = origin.payload
        if origin.topic.kind is Kind.READINGS:
            payload = codec.encode({raw.key: raw.value} if raw.key else raw.value)
        return rejection(origin, refusal, self.device.id, payload)

    def _live(self, event: DeviceChanged | FeedValue | AlarmChanged) -> Live:
        return Live(user_id=self.device.user_id, device_code=self.device.code, event=event)


def _is_word(message: DeviceMessage) -> bool:
    """Whether it shows that the device lives now: a first delivery, and no good-bye."""
    if not isinstance(message, FromDevice) or message.origin.again or message.origin.retained:
        return False
    return not (isinstance(message, StatusSaid) and message.said.status == OFFLINE)
