"""What was taken is published again for whoever listens over MQTT (`protocol.device.listeners`).

A reading goes out at QoS 0 in the moment in which dashboards hear of it; whoever has no listener
costs one look-up. States of devices, and documents of Home Assistant, are retained, so that a
listener that comes later knows them; only the process that leads says them.

When this process begins to lead, or the broker comes back, all that is there is said anew. To a
listener that has just logged in, what was said meanwhile is said again: NATS delivers a retained
message before it can be found, so what comes while a client subscribes may reach it neither way.
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import structlog
import trio

from actors.containment.put_aside import put_aside
from actors.ports.broker import Broker
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt
from actors.user.retained import RETRY_S, Retained, Version
from protocol.dead_letters import LISTENERS, DeadLetter
from protocol.device import listeners
from protocol.device.listeners import Listener
from protocol.device.publishing import fault_of
from protocol.errors import Unavailable, Unpublishable, in_words
from protocol.events import DeviceChanged, Event, FeedValue
from protocol.records import Device, Feed

log = structlog.get_logger("roost.mqtt_relay")

PAGE = 100
# Users to be looked at; of more, all who listen are.
DIRTY_MAX = 10_000
FEEDS_PAGE = 500
# So many devices are remembered whose document is not whole: each is told of once.
CUT_MAX = 10_000
# A client subscribes within this time of its login; what was said shortly before that may not be
# found yet.
SUBSCRIBES_WITHIN_S = 2.0
FOUND_WITHIN_S = 1.0


class MqttRelay:
    """Usage: `nursery.start_soon(relay.run)`; then `relay.tell(user_id, code, event)`.

    Args:
        version: ours, for the documents of Home Assistant.
        leads: whether this process leads, as far as it knows.
        may_serve: whether it surely does: its lease runs. Else another one may have said newer
            states, which stay; those that are not said meanwhile are said `anew`.
        wait_may_serve: waits until it does.
        written: waits until the store has what this process gave to it.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: WallClock,
        version: str,
        *,
        leads: Callable[[], bool],
        may_serve: Callable[[], bool],
        wait_may_serve: Callable[[], Awaitable[None]],
        written: Callable[[], Awaitable[None]],
    ) -> None:
        self.readings = 0
        self.dropped = 0
        self._store = store
        self._broker = broker
        self._clock = clock
        self._version = version
        self._leads = leads
        self._may_serve = may_serve
        self._wait_may_serve = wait_may_serve
        self._written = written
        self._retained = Retained(broker, may_serve, self._note_late, self._note_refused)
        self._listeners: dict[str, Listener] = {}
        self._dirty: dict[str, None] = {}  # users to look at
        self._aside: dict[str, None] = {}  # users with a dead letter
        self._refused: dict[str, Exception] = {}  # users for whom something was not taken
        self._cut: set[str] = set()  # devices whose documents are not whole; asked for only
        self._bell = trio.Event()
        self._is_new = True
        self._late: dict[str, None] = {}  # users of whom the leader has to say all again
        self._is_late = trio.Event()
        self._arrivals: dict[str, float] = {}
        self._arrived = trio.Event()

    @property
    def published(self) -> int:
        return self.readings + self._retained.published

    def tell(self, user_id: str, code: str, event: Event) -> None:
        """A device did something. Never blocks."""
        if user_id not in self._listeners or not self._leads():
            return
        if isinstance(event, FeedValue):
            topic = listeners.reading_topic(user_id, code, event.feed_key)
            payload = listeners.reading_payload(event.value, event.ts_us)
            if self._broker.publish_nowait(topic, payload):
                self.readings += 1
            else:
                self.dropped += 1
        elif isinstance(event, DeviceChanged) and self._may_serve():
            topic = listeners.status_topic(user_id, code)
            state = listeners.status_payload(event.device)
            self._retained.say(topic, state, _version(event.device))

    def changed(self, user_id: str) -> None:
        """A user, their listener, or what they have has changed: in this process, or the store
        tells of it. Together with the change it tells whoever leads."""
        if self._leads():
            self._look_at(user_id)

    def _look_at(self, user_id: str) -> None:
        if len(self._dirty) >= DIRTY_MAX:
            self.anew()
        if not self._is_new:  # else all are looked at when it begins
            self._dirty[user_id] = None
            self._bell.set()

    def overwritten(self, user_id: str) -> None:
        """The store tells that a process which led before has said something of this user late."""
        if self._leads():
            self._retained.doubt_of(user_id)
            self._look_at(user_id)

    def gone(self, user_id: str, code: str) -> None:
        """A device was deleted: nothing of it is retained."""
        if self._is_new or user_id in self._listeners:
            self._clear(user_id, code)
        self.changed(user_id)  # somebody may have read it just before

    def arrived(self, user_id: str) -> None:
        """A listener of this user has logged in, and will subscribe."""
        self._arrivals.setdefault(user_id, trio.current_time() - FOUND_WITHIN_S)
        self._arrived.set()

    def anew(self) -> None:
        """This process leads from now on, or the broker is back."""
        self._is_new = True
        self._bell.set()

    async def run(self) -> None:
        """Know the listeners, and publish for each what is retained, for ever."""
        self.anew()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retained.run)
            nursery.start_soon(self._look_forever)
            nursery.start_soon(self._welcome_forever)
            nursery.start_soon(self._own_up_forever)

    def _note_late(self, user_id: str) -> None:
        """Only whoever leads says anything for this user, and has to look again."""
        self._late[user_id] = None
        self._is_late.set()

    def _note_refused(self, user_id: str, error: Exception) -> None:
        self._refused[user_id] = error
        self._bell.set()

    async def _own_up_forever(self) -> None:
        """Have whoever leads say again what this process may have said something older over."""
        while True:
            await self._is_late.wait()
            self._is_late = trio.Event()
            try:
                while self._late:
                    user_id = next(iter(self._late))
                    del self._late[user_id]  # what changes from here on is told once more
                    await self._store.say_again(user_id)
            except Unavailable as error:
                log.debug("listeners are told later", error=in_words(error))
                await trio.sleep(RETRY_S)
                self._note_late(user_id)

    async def _welcome_forever(self) -> None:
        """Say to those who came, when they have subscribed, what they may have missed."""
        while True:
            await self._arrived.wait()
            self._arrived = trio.Event()
            arrivals, self._arrivals = self._arrivals, {}
            await trio.sleep(SUBSCRIBES_WITHIN_S)
            for user_id, since_s in arrivals.items():
                self._retained.say_again(user_id, since_s)

    async def _look_forever(self) -> None:
        while True:
            await self._bell.wait()
            await self._wait_may_serve()
            self._bell = trio.Event()
            try:
                if self._is_new:
                    await self._begin()
                while self._dirty:
                    user_id = next(iter(self._dirty))
                    del self._dirty[user_id]
                    await self._look_contained(user_id)
                while self._refused:
                    user_id, error = self._refused.popitem()
                    await self._put_aside(user_id, error)
            except Unavailable as error:
                log.debug("listeners are looked at later", error=in_words(error))
                await trio.sleep(RETRY_S)
                self._bell.set()

    async def _look_contained(self, user_id: str) -> None:
        """A user whose listener cannot be served for what they have is put aside alone."""
        done = await attempt(partial(self._look, user_id))
        if isinstance(done, Failed):
            if isinstance(done.error, Unavailable):
                raise done.error
            await self._put_aside(user_id, done.error)
        elif user_id in self._aside:
            await self._store.clear_dead_letters(LISTENERS, [user_id])
            del self._aside[user_id]

    async def _put_aside(self, user_id: str, error: Exception) -> None:
        self._aside[user_id] = None
        noted = await put_aside(self._store, self._clock, LISTENERS, user_id, error, user_id)
        if noted is None:
            self._dirty[user_id] = None
            raise Unavailable("a dead letter could not be noted")

    def look_again(self, letter: DeadLetter) -> None:
        """Serve the listener of a user who was put aside."""
        self._aside[letter.subject] = None
        self._look_at(letter.subject)

    async def _begin(self) -> None:
        self._is_new = False  # what changes from here on is looked at once more
        self._dirty.clear()
        try:
            # A commit that another leader began may still be done, and nobody would tell of it.
            await self._store.session_memory("")
            known = await self._store.listeners()
        except Unavailable:
            self._is_new = True
            raise
        self._retained.doubt()
        self._listeners = {listener.user_id: listener for listener in known}
        for user_id in [*self._listeners, *self._retained.users]:
            self._dirty[user_id] = None

    async def _look(self, user_id: str) -> None:
        """Say what is there and was not said, and clear what is there no more."""
        try:
            listener = await self._store.listener(user_id)
            if listener is None:
                await self._forget(user_id)
                return
            self._listeners[user_id] = listener
            await self._written()  # what was told before it was known may be on its way there
            await self._say_all(listener)
        except Unavailable:
            self._look_at(user_id)
            raise

    async def _forget(self, user_id: str) -> None:
        """Nobody listens there any more, so nothing is retained."""
        if user_id in self._listeners:
            after = 0
            while page := await self._store.devices(user_id, PAGE, after):
                for device in page:
                    self._clear(user_id, device.code)
                await self._retained.wait_room()
                after = page[-1].num
        self._listeners.pop(user_id, None)
        for topic in self._retained.topics(user_id):
            self._retained.clear(topic)

    def _clear(self, user_id: str, code: str) -> None:
        self._retained.clear(listeners.status_topic(user_id, code))
        self._retained.clear(listeners.discovery_topic(user_id, code))

    async def _say_all(self, listener: Listener) -> None:
        left = dict.fromkeys(self._retained.topics(listener.user_id))
        feeds = await self._feeds_of(listener.user_id) if listener.home_assistant else None
        after = 0
        fault: Unpublishable | None = None
        while page := await self._store.devices(listener.user_id, PAGE, after):
            if not self._may_serve():
                return  # who leads says it
            for device in page:
                bad = fault_of(listeners.status_topic(device.user_id, device.code), b"")
                if bad is not None:  # the others of this user are said
                    fault = bad
                    continue
                for topic in self._say(device, feeds):
                    left.pop(topic, None)
                # One document takes a millisecond: nobody waits for those of all devices.
                await trio.lowlevel.checkpoint()
                await self._retained.wait_room()
            after = page[-1].num
        for topic in left:  # of devices that were deleted, or documents that nobody wants
            self._retained.clear(topic)
        if fault is not None:
            raise fault

    def _say(self, device: Device, feeds: "FeedsOf | None") -> tuple[str, ...]:
        """Say its state and, with feeds, its document; answers with their topics."""
        retained = self._retained
        status = listeners.status_topic(device.user_id, device.code)
        # What was told is newer than what was read, until it is written.
        if _version(device) >= retained.version(status):
            retained.say(status, listeners.status_payload(device), _version(device))
        if feeds is None:
            return (status,)
        discovery = listeners.discovery_topic(device.user_id, device.code)
        document = listeners.discovery(device, feeds.of(device), self._version)
        self._note_cut(device, document.left_out)
        retained.say(discovery, document.payload)
        return status, discovery

    def _note_cut(self, device: Device, left_out: int) -> None:
        """Tell once of each device whose document is not whole."""
        if not left_out:
            self._cut.discard(device.id)
        elif device.id not in self._cut and len(self._cut) < CUT_MAX:
            self._cut.add(device.id)
            log.warning("document without all feeds", device=device.id, left_out=left_out)

    async def _feeds_of(self, user_id: str) -> "FeedsOf":
        found = FeedsOf()
        after = 0
        while page := await self._store.feeds(user_id, FEEDS_PAGE, after):
            for feed in page:
                found.add(feed)
            after = page[-1].num
        return found


class FeedsOf:
    """A user's feeds that take readings, by the devices that write them."""

    def __init__(self) -> None:
        self._by_device: dict[str | None, dict[str, Feed]] = {}

    def add(self, feed: Feed) -> None:
        if feed.enabled and not feed.archived:
            self._by_device.setdefault(feed.device_id, {})[feed.key] = feed

    def of(self, device: Device) -> Iterator[Feed]:
        """Its own, and then those that devices share, as far as it has none of that key."""
        own = self._by_device.get(device.id, {})
        yield from own.values()
        for key, feed in self._by_device.get(None, {}).items():
            if key not in own:
                yield feed


def _version(device: Device) -> Version:
    return device.num, device.state.version
