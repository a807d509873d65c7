"""What was taken is published again for whoever listens over MQTT (`protocol.listeners`).

A reading goes out at QoS 0 in the moment in which dashboards hear of it; whoever has no listener
costs one look-up. States of devices, and documents of Home Assistant, are retained, so that a
listener that comes later knows them; only the process that leads says them.

When this process begins to lead, or the broker comes back, all that is there is said anew. To a
listener that has just logged in, what was said meanwhile is said again: NATS delivers a retained
message before it can be found, so what comes while a client subscribes may reach it neither way.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from actors.ports import Broker, Store
from actors.retained import ALWAYS, NEVER, RETRY_S, Retained
from protocol import listeners
from protocol.errors import Unavailable
from protocol.events import DeviceChanged, Event, FeedValue
from protocol.listeners import Listener
from protocol.records import Device, Feed

log = structlog.get_logger("roost.neighbours")

PAGE = 500
# A client subscribes within this time of its login; what was said shortly before that may not be
# found yet.
SUBSCRIBES_WITHIN_S = 2.0
FOUND_WITHIN_S = 1.0


class Neighbours:
    """Usage: `nursery.start_soon(neighbours.run)`; then `neighbours.tell(user_id, code, event)`.

    Args:
        version: ours, for the documents of Home Assistant.
        leads: whether this process leads now.
        may_serve: waits until it does.
        written: waits until the store has what this process gave to it.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        version: str,
        *,
        leads: Callable[[], bool],
        may_serve: Callable[[], Awaitable[None]],
        written: Callable[[], Awaitable[None]],
    ) -> None:
        self.readings = 0
        self.dropped = 0
        self._store = store
        self._broker = broker
        self._version = version
        self._leads = leads
        self._may_serve = may_serve
        self._written = written
        self._retained = Retained(broker, leads)
        self._listeners: dict[str, Listener] = {}
        # Users to look at; what was said to them since then is said again.
        self._dirty: dict[str, float] = {}
        self._bell = trio.Event()
        self._is_new = True
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
        elif isinstance(event, DeviceChanged):
            topic = listeners.status_topic(user_id, code)
            state = listeners.status_payload(event.device)
            self._retained.say(topic, state, event.device.state.version)

    def changed(self, user_id: str) -> None:
        """A user, their listener, or what they have has changed."""
        self._look_at(user_id, ALWAYS)

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

    def _look_at(self, user_id: str, since_s: float) -> None:
        self._dirty[user_id] = min(since_s, self._dirty.get(user_id, ALWAYS))
        self._bell.set()

    async def _welcome_forever(self) -> None:
        """Look at those who came, when they have subscribed."""
        while True:
            await self._arrived.wait()
            self._arrived = trio.Event()
            arrivals, self._arrivals = self._arrivals, {}
            await trio.sleep(SUBSCRIBES_WITHIN_S)
            for user_id, since_s in arrivals.items():
                self._look_at(user_id, since_s)

    async def _look_forever(self) -> None:
        while True:
            await self._bell.wait()
            await self._may_serve()
            self._bell = trio.Event()
            try:
                if self._is_new:
                    await self._begin()
                while self._dirty:
                    user_id = next(iter(self._dirty))
                    await self._look(user_id, self._dirty.pop(user_id))
            except Unavailable as error:
                log.debug("listeners are looked at later", error=str(error))
                await trio.sleep(RETRY_S)
                self._bell.set()

    async def _begin(self) -> None:
        known = await self._store.listeners()
        self._is_new = False
        self._retained.doubt()
        self._listeners = {listener.user_id: listener for listener in known}
        for user_id in dict.fromkeys([*self._listeners, *self._retained.users]):
            self._look_at(user_id, NEVER)

    async def _look(self, user_id: str, since_s: float) -> None:
        """Say what is there and was not said, and what was said since then."""
        try:
            listener = await self._store.listener(user_id)
            if listener is None:
                self._listeners.pop(user_id, None)
                self._retained.clear_user(user_id)
                return
            self._listeners[user_id] = listener
            await self._written()  # what was told before it was known may be on its way there
            await self._say_all(listener, since_s)
        except Unavailable:
            self._look_at(user_id, since_s)
            raise

    async def _say_all(self, listener: Listener, since_s: float) -> None:
        left = dict.fromkeys(self._retained.topics(listener.user_id))
        feeds = await self._feeds_of(listener.user_id) if listener.home_assistant else None
        after = 0
        while page := await self._store.devices(listener.user_id, PAGE, after):
            if not self._leads():
                return  # who leads says it
            for device in page:
                for topic in self._say(device, feeds, since_s):
                    left.pop(topic, None)
            await self._retained.wait_room()
            after = page[-1].num
        for topic in left:  # of devices that were deleted, or documents that nobody wants
            self._retained.clear(topic)

    def _say(self, device: Device, feeds: Sequence[Feed] | None, since_s: float) -> tuple[str, ...]:
        """Say its state and, with feeds, its document; answers with their topics."""
        retained = self._retained
        status = listeners.status_topic(device.user_id, device.code)
        # What was told is newer than what was read, until it is written.
        if device.state.version >= retained.version(status):
            state = listeners.status_payload(device)
            retained.say(status, state, device.state.version, again_since_s=since_s)
        if feeds is None:
            return (status,)
        discovery = listeners.discovery_topic(device.user_id, device.code)
        retained.say(discovery, self._document(device, feeds), again_since_s=since_s)
        return status, discovery

    def _document(self, device: Device, feeds: Sequence[Feed]) -> bytes:
        own = {f.key: f for f in feeds if f.device_id is None}
        own |= {f.key: f for f in feeds if f.device_id == device.id}
        return listeners.discovery(device, list(own.values()), self._version)

    async def _feeds_of(self, user_id: str) -> list[Feed]:
        """All that take readings."""
        found: list[Feed] = []
        after = 0
        while page := await self._store.feeds(user_id, PAGE, after):
            found += [feed for feed in page if feed.enabled and not feed.archived]
            after = page[-1].num
        return found
