"""The queue of one dashboard: filtered, bounded, coalescing.

A client that reads fast gets every event. One that reads slowly gets the latest state per device
and feed, and if that is still too much, a new `device_list`. It never slows down others.
"""

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice

import msgspec
import trio

from actors.runtime.mailbox import Lane, LaneStatistics, Overflow
from protocol.events import (
    CHANNELS,
    AlarmChanged,
    CommandChanged,
    DeviceChanged,
    DeviceList,
    DeviceRemoved,
    Event,
    FeedValue,
    OccurrenceChanged,
    ScheduleChanged,
    Staleness,
    Subscribe,
)
from protocol.records import Device

# Two seconds of a busy household with a slow client; 4,096 events of about 300 bytes are 1.2 MB.
EVENTS_MAX = 4_096
TAKE_MAX = 512
REST_SHARE = 4  # of these, one in so many may be a device beyond the list


class Filter(msgspec.Struct, frozen=True):
    """What a client subscribed to. None means everything."""

    channels: frozenset[str] = frozenset(CHANNELS)
    device_ids: frozenset[str] | None = None
    feed_ids: frozenset[str] | None = None

    @classmethod
    def of(cls, subscription: Subscribe) -> "Filter":
        return cls(
            frozenset(CHANNELS if subscription.channels is None else subscription.channels),
            None if subscription.device_ids is None else frozenset(subscription.device_ids),
            None if subscription.feed_ids is None else frozenset(subscription.feed_ids),
        )

    def wants(self, event: Event) -> bool:
        if event.channel and event.channel not in self.channels:
            return False
        match event:
            case DeviceChanged(device=device):
                return self.device_ids is None or device.id in self.device_ids
            case DeviceRemoved(device_id=device_id):
                return self.device_ids is None or device_id in self.device_ids
            case FeedValue(feed_id=feed_id, device_id=device_id):
                if self.feed_ids is not None and feed_id not in self.feed_ids:
                    return False
                return self.device_ids is None or device_id in self.device_ids
            case AlarmChanged() | CommandChanged() | ScheduleChanged() | OccurrenceChanged():
                return self.device_ids is None or event.device_id in self.device_ids
            case _:
                return True


ASKED_AGAIN = (AlarmChanged, CommandChanged, ScheduleChanged, OccurrenceChanged)


class Outbox:
    """One dashboard's events. The user actor offers them, the socket's task takes them.

    Until it is opened with a snapshot it holds events, so that nothing is lost between the snapshot
    and the stream.

    Attributes:
        first_s: when the first of the events taken last was sent to it (Trio's clock).
        timed: how many events were taken last, without those of a snapshot.
        holds: how often it has begun again. A snapshot is for one of these times.
    """

    def __init__(self) -> None:
        self.filter = Filter()
        self.has_lost = False  # an event was dropped that no later event replaces
        self.first_s = 0.0
        self.timed = 0
        self.holds = 0
        self._since_s = 0.0  # when the first waiting event was sent to it
        self._lane: Lane[Event] = Lane(EVENTS_MAX, Overflow.COALESCE, key=lambda e: e.key)
        # Separate from the lane, because nothing may push it out: a client gets its list first.
        self._list: DeviceList | None = None
        # Devices beyond the list, by id, and whether more of them come: at most all of the user's.
        # A device goes out behind an event of it that waits in the lane, because that is older.
        self._rest: OrderedDict[str, DeviceChanged] = OrderedDict()
        self._is_filling = False
        self._opened = False
        self._has_list = False
        self._closed = False
        self._ring, self._bell = trio.open_memory_channel[None](1)

    def offer(self, event: Event, at_s: float) -> None:
        """Take an event, which was told at that time, if the client wants it. Never blocks, never
        raises."""
        if not self.filter.wants(event):
            return
        if isinstance(event, DeviceChanged | DeviceRemoved):
            self._rest.pop(event.key[1], None)
        if not self._lane:
            self._since_s = at_s
        shed = self._lane.shed
        self._lane.put(event)
        if self._opened:
            if self._lane.shed > shed:  # nothing more is sent before the next list
                self._opened, self.has_lost = False, True
            self._wake()

    def open(self, snapshot: DeviceList) -> None:
        """Begin (again) with a snapshot: events that it contains are dropped, newer ones follow."""
        known = {device.id: device for device in snapshot.devices}
        held = self._lane.take(EVENTS_MAX)
        wanted = self.filter.device_ids
        if wanted is not None:
            devices = tuple(d for d in snapshot.devices if d.id in wanted)
            snapshot = DeviceList(devices, snapshot.is_complete)
        self._list = snapshot
        self._rest.clear()
        self._is_filling = not snapshot.is_complete
        self._has_list = True
        for event in held:
            if isinstance(event, DeviceChanged):
                listed = known.get(event.device.id)
                if listed is not None and not is_newer(event.device, listed):
                    continue
            self._lane.put(event)
        self._opened = True
        self._wake()

    def extend(self, devices: Iterable[DeviceChanged], *, is_last: bool) -> None:
        """More devices of the snapshot that it was opened with."""
        if not self._is_filling:
            return  # it has begun again, or forgotten what it was told
        self._is_filling = not is_last
        for event in devices:
            if self.filter.wants(event):
                self._rest[event.device.id] = event
        self._wake()

    @property
    def has_list(self) -> bool:
        """Whether it has had a snapshot that still holds."""
        return self._has_list

    def hold(self) -> None:
        """Hold events until the next `open`.

        When clients get the list they request everything again except devices and values. Events
        offered before are committed by then (`Users`), so after the list they would be outdated.
        """
        self._opened, self.has_lost, self._list = False, False, None
        self._drop_rest()
        for event in self._lane.take(EVENTS_MAX):
            if not isinstance(event, ASKED_AGAIN):
                self._lane.put(event)

    def forget(self) -> None:
        """Drop waiting events; a new list will follow.

        Staleness of live data stays, because it does not come from the store.
        """
        if self._list is not None:
            self._opened, self._list = False, None
        self._drop_rest()
        for event in self._lane.take(EVENTS_MAX):
            if isinstance(event, Staleness):
                self._lane.put(event)

    def _drop_rest(self) -> None:
        self.holds += 1
        self._rest.clear()
        self._is_filling = self._has_list = False

    def close(self) -> None:
        """The user actor has ended for good; the client must connect again."""
        self._closed = True
        self._wake()

    async def take(self) -> list[Event]:
        """Wait for events and take up to 512, oldest first; none if something `has_lost`.

        Raises:
            trio.EndOfChannel: the outbox was closed.
        """
        if self._has_something:
            await trio.lowlevel.checkpoint()  # other tasks run, and the event may be gone then
        while not self._has_something:
            if self._closed:
                raise trio.EndOfChannel
            await self._bell.receive()
        if self.has_lost:
            return []
        first: list[Event] = [] if self._list is None else [self._list]
        self._list = None
        self.first_s = self._since_s
        room = TAKE_MAX - len(first)
        share = min(len(self._rest), max(1, room // REST_SHARE))  # a busy lane leaves them that
        events = self._lane.take(room - share)
        self.timed = len(events)
        return [*first, *events, *self._take_rest(room - len(events))]

    def _take_rest(self, most: int) -> list[DeviceChanged]:
        if not self._rest:
            return []
        older = {event.device.id for event in self._lane if isinstance(event, DeviceChanged)}
        ids = list(islice((each for each in self._rest if each not in older), most))
        return [self._rest.pop(each) for each in ids]

    @property
    def _has_something(self) -> bool:
        return self.has_lost or (self._opened and bool(self._list or self._lane or self._rest))

    def statistics(self) -> LaneStatistics:
        return self._lane.statistics()

    def _wake(self) -> None:
        try:
            self._ring.send_nowait(None)
        except trio.WouldBlock:
            return


def is_newer(device: Device, known: Device) -> bool:
    """Whether this is new: a newer state, or the same state with other settings."""
    if device.state.version != known.state.version:
        return device.state.version > known.state.version
    return device != known
