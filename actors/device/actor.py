"""The device actor: judges the messages of one device, in order.

It starts from `LoadedDevice` and keeps no other memory, so it can end at any time and be built
again. Its `step` is pure: it returns units for the writer, events for the user actor, notices for
the device, and tasks for the device timer.
"""

from typing import assert_never

from actors.device.feeds import DeviceFeeds
from actors.device.presence import Presence
from actors.ingest.rejections import NoticeLimit, notice, refused_whole, rejection
from protocol.device import tolerant
from protocol.device.alarms import DROPPED, PENDING, Alarm
from protocol.device.payloads import RawReading
from protocol.device.topics import Kind
from protocol.errors import Reason, Refusal
from protocol.events import AlarmChanged, DeviceChanged, FeedValue
from protocol.ids import is_uuid
from protocol.messages import (
    AckReceived,
    AlarmDue,
    Configured,
    ConnectionsEnd,
    DeviceEffect,
    DeviceMessage,
    FromDevice,
    LeaseExpired,
    Live,
    ReadingsReceived,
    RefusalListed,
    StatusReceived,
    TimerMessage,
    Unreadable,
)
from protocol.problems.detail import Detail
from protocol.records import (
    AckChange,
    Device,
    LoadedDevice,
    Origin,
    Reading,
    Rejection,
    StateChange,
    WriteUnit,
)


class DeviceActor:
    """One device. `step` takes messages in the order of their arrival.

    Args:
        last_end_us: see `ConnectionLoop`.
    """

    def __init__(self, loaded: LoadedDevice, last_end_us: int | None = None) -> None:
        self._presence = Presence(loaded, last_end_us)
        self._feeds = DeviceFeeds(loaded)
        self._notices = NoticeLimit()

    @property
    def device(self) -> Device:
        """The device with its newest state."""
        return self._presence.device

    def has_feed(self, num: int) -> bool:
        """Whether it has a state of that feed: its own ones, and shared ones that it has written or
        has an alarm of."""
        return self._feeds.has(num)

    def step(self, message: DeviceMessage, now_us: int) -> list[DeviceEffect]:
        match message:
            case ReadingsReceived(origin=origin, readings=readings):
                return self._take_readings(origin, readings)
            case StatusReceived():
                return self._take_status(message)
            case AckReceived():
                return self._take_ack(message)
            case Unreadable(refusal=refusal):
                return self._refuse(message, refusal)
            case Configured(loaded=loaded):
                return self._configure(loaded, now_us)
            case LeaseExpired():
                return self._fall_silent(message, now_us)
            case AlarmDue():
                return self._changed_alarms(self._feeds.raise_due(message))
            case ConnectionsEnd():
                return self._changed_alarms(self._presence.ended(message))
            case RefusalListed(topic=topic, reason=reason, detail=detail):
                return self._notice(topic, reason, detail, now_us)
            case _:
                assert_never(message)

    def set_aside(self, message: FromDevice | TimerMessage, error: str) -> list[DeviceEffect]:
        """The message made this actor fail twice: keep it with its reason, and continue without
        it."""
        if isinstance(message, LeaseExpired):
            return self._presence.renewed_lease()
        if isinstance(message, AlarmDue | ConnectionsEnd):
            return []
        refusal = Refusal(Reason.INTERNAL_ERROR, Detail("message_failed", problem=error))
        return self._refuse(message, refusal)

    # Messages of the device

    def _take_readings(self, origin: Origin, raws: list[RawReading]) -> list[DeviceEffect]:
        effects: list[DeviceEffect] = []
        readings: list[Reading] = []
        rejections: list[Rejection] = []
        alarms: list[Alarm] = []
        device = self.device
        for at, raw in enumerate(raws):
            try:
                if raw.refusal is not None:
                    raise raw.refusal.kept()
                state = self._feeds.of_key(raw.key)
                if state is None:
                    raise Refusal(Reason.UNKNOWN_FEED, Detail("feed_unknown", key=raw.key))
                reading, is_newest = state.take(device, origin, raw, alarms)
            except Refusal as refusal:
                rejections.append(self._rejected(origin, raw, refusal, at))
                effects += self._notice_of(origin, refusal)
            else:
                readings.append(reading)
                if is_newest:
                    feed, value, ts_us = state.feed, reading.value, reading.ts_us
                    event = FeedValue(feed.id, feed.key, device.id, value, ts_us)
                    effects.append(self._live(event))
        change = self._presence.seen(origin, alarms, effects)
        return self._taken(origin, change, alarms, effects, tuple(readings), tuple(rejections))

    def _take_status(self, message: StatusReceived) -> list[DeviceEffect]:
        effects: list[DeviceEffect] = []
        alarms: list[Alarm] = []
        change = self._presence.reported(message, alarms, effects)
        origin = message.origin
        rejections = self._refused_fields(origin, message.report.refused, effects)
        return self._taken(origin, change, alarms, effects, rejections=rejections)

    def _refused_fields(
        self, origin: Origin, fields: tuple[RawReading, ...], effects: list[DeviceEffect]
    ) -> tuple[Rejection, ...]:
        """The fields of a status that were not taken. They are no readings."""
        rejections = []
        for at, raw in enumerate(fields):
            assert raw.refusal is not None
            said = tolerant.encode({raw.key: raw.value} if raw.key else raw.value)
            kept = rejection(origin, raw.refusal, self.device.id, said, readings=0, at=at)
            rejections.append(kept)
            effects += self._notice_of(origin, raw.refusal)
        return tuple(rejections)

    def _take_ack(self, message: AckReceived) -> list[DeviceEffect]:
        """The device's answer to a command; only the store knows whether it was sent that
        command."""
        origin = message.origin
        refusal = Refusal(Reason.UNKNOWN_COMMAND, Detail("command_unknown"))
        command_id = origin.topic.tail.lower()
        if not is_uuid(command_id):
            return self._refuse(message, refusal)
        effects: list[DeviceEffect] = []
        alarms: list[Alarm] = []
        change = self._presence.seen(origin, alarms, effects)
        otherwise = rejection(origin, refusal, self.device.id)
        ack = AckChange(self._key, command_id, self.device.num, message.ack, otherwise)
        return self._taken(origin, change, alarms, effects, acks=(ack,))

    def _taken(
        self,
        origin: Origin,
        change: StateChange | None,
        alarms: list[Alarm],
        effects: list[DeviceEffect],
        readings: tuple[Reading, ...] = (),
        rejections: tuple[Rejection, ...] = (),
        acks: tuple[AckChange, ...] = (),
    ) -> list[DeviceEffect]:
        """A message that was accepted: its unit, and its events."""
        self._show(change, alarms, effects, origin.at_us)
        effects.append(
            WriteUnit(
                device=origin.topic.device,
                readings=readings,
                rejections=rejections,
                alarms=tuple(alarms),
                acks=acks,
                state=change,
                taken=origin.taken,
                receipt=origin.receipt,
                size=origin.size,
                is_copy=origin.retained,
            )
        )
        return effects

    # Refusals

    def _refuse(self, message: FromDevice, refusal: Refusal) -> list[DeviceEffect]:
        origin = message.origin
        effects: list[DeviceEffect] = []
        alarms: list[Alarm] = []
        change = self._presence.seen(origin, alarms, effects)
        self._show(change, alarms, effects, origin.at_us)
        effects.append(refused_whole(message, refusal, self.device.id, change, tuple(alarms)))
        effects += self._notice_of(origin, refusal)
        return effects

    def _notice_of(self, origin: Origin, refusal: Refusal) -> list[DeviceEffect]:
        """The notice of a message's refusal, once: the broker's copies of a retained message come
        at each start of Roost, and only the store knows the first (`RefusalListed`)."""
        if origin.again or origin.retained:
            return []
        return self._notice(origin.raw_topic, refusal.reason, refusal.detail, origin.at_us)

    def _notice(self, topic: str, reason: str, detail: str, at_us: int) -> list[DeviceEffect]:
        """The notice to the device, within its limit."""
        return [notice(self._key, topic, reason, detail)] if self._notices.allows(at_us) else []

    def _rejected(self, origin: Origin, raw: RawReading, refusal: Refusal, at: int) -> Rejection:
        """A refused reading is kept with its own part of the message only."""
        payload = origin.payload
        if origin.topic.kind is Kind.READINGS:
            payload = tolerant.encode({raw.key: raw.value} if raw.key else raw.value)
        return rejection(origin, refusal, self.device.id, payload, at=at)

    # Time and settings

    def _fall_silent(self, message: LeaseExpired, now_us: int) -> list[DeviceEffect]:
        effects: list[DeviceEffect] = []
        alarms: list[Alarm] = []
        change = self._presence.expired(message, now_us, alarms, effects)
        if change is not None:
            self._show(change, alarms, effects, now_us)
            effects.append(
                WriteUnit(device=self._key, alarms=tuple(alarms), state=change, messages=0)
            )
        return effects

    def _configure(self, loaded: LoadedDevice | None, now_us: int) -> list[DeviceEffect]:
        if loaded is not None:
            self._presence.configure(loaded.device)
            self._feeds.configure(loaded)
        changed = self._live(DeviceChanged(self.device))
        ended = self._changed_alarms(self._feeds.end_unwatched(now_us))
        return [changed, *ended, *self._presence.resize_lease()]

    def _changed_alarms(self, alarms: list[Alarm]) -> list[DeviceEffect]:
        effects: list[DeviceEffect] = []
        if alarms:
            self._show(None, alarms, effects, alarms[-1].raised_us or 0)
            effects.append(WriteUnit(device=self._key, alarms=tuple(alarms), messages=0))
        return effects

    # Events for dashboards and the timer

    def _show(
        self,
        change: StateChange | None,
        alarms: list[Alarm],
        effects: list[DeviceEffect],
        now_us: int,
    ) -> None:
        """Add events for a new state and for alarms, and the waiting times of alarms."""
        if change is not None:
            effects.append(self._live(DeviceChanged(self.device)))
        if alarms:
            shown = (alarm for alarm in alarms if alarm.state not in (PENDING, DROPPED))
            effects += [self._live(AlarmChanged(alarm)) for alarm in shown]
            effects += self._feeds.waits(self._key, alarms, now_us)

    @property
    def _key(self) -> tuple[str, str]:
        return self.device.key

    def _live(self, event: DeviceChanged | FeedValue | AlarmChanged) -> Live:
        device = self._presence.device
        return Live(user_id=device.user_id, device_code=device.code, event=event)
