"""Publishes accepted readings and device states for MQTT listeners (`protocol.device.listeners`).

A reading is published with QoS 0 when dashboards get it; for a user without a listener it costs one
look-up. States of devices, and documents for Home Assistant, are retained, so that a listener that
connects later has them. Only the leader publishes them.

When this process becomes leader, or the broker is back, everything retained is republished. For a
listener that has just logged in, recent publications are repeated: NATS delivers a retained message
before a SUBSCRIBE can find it, so a message that is published while a client subscribes may not
reach it at all. This also holds for republished messages, because a listener may have logged in
just before.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog
import trio

from actors.containment.put_aside import put_aside
from actors.ports.broker import Broker
from actors.ports.store import Store
from actors.runtime.clock import WallClock
from actors.runtime.isolation import Failed, attempt
from actors.runtime.retry import Pauses, until_available
from actors.user.republisher import Republisher
from actors.user.retained import RETRY_S, Retained
from protocol.dead_letters import LISTENERS, DeadLetter
from protocol.device import listeners
from protocol.device.listeners import Listener
from protocol.errors import Unavailable, in_words
from protocol.events import DeviceChanged, Event, FeedValue

log = structlog.get_logger("roost.mqtt_relay")

# Users to be looked at; beyond it, all users with a listener are.
DIRTY_MAX = 10_000
# A client subscribes within this time after its login. A message that was published shortly before
# may not be found by a SUBSCRIBE yet.
SUBSCRIBES_WITHIN_S = 2.0
FOUND_WITHIN_S = 1.0


class MqttRelay:
    """Usage: `nursery.start_soon(relay.run)`; then `relay.tell(user_id, code, event)`.

    Args:
        version: of Roost, for the documents for Home Assistant.
        leads: whether this process leads, as far as it knows.
        may_serve: whether it certainly leads: its lease runs. Otherwise another process may have
            published newer states, which must stay; `republish` publishes later what was skipped.
        wait_may_serve: waits until it does.
        written: waits until the store has everything that this process submitted.
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
        self._leads = leads
        self._may_serve = may_serve
        self._wait_may_serve = wait_may_serve
        self._written = written
        self._retained = Retained(broker, may_serve, self._note_late, self._note_refused)
        self._republisher = Republisher(store, self._retained, may_serve, version)
        self._listeners: dict[str, Listener] = {}
        self._dirty: dict[str, None] = {}  # users to look at
        self._aside: dict[str, None] = {}  # users with a dead letter
        self._refused: dict[str, Exception] = {}  # users for whom the broker refused something
        self._bell = trio.Event()
        self._is_all_dirty = True
        self._late: dict[str, None] = {}  # users for whom the leader has to republish everything
        self._is_late = trio.Event()
        self._arrivals: dict[str, float] = {}
        self._arrived = trio.Event()

    @property
    def published(self) -> int:
        return self.readings + self._retained.published

    def tell(self, user_id: str, code: str, event: Event) -> None:
        """A device has changed. Never blocks."""
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
            self._republisher.publish_state(event.device)

    def changed(self, user_id: str) -> None:
        """A user, their listener, or their objects have changed: in this process, or in another
        one, and the store notified us. The store notifies the leader in the transaction of the
        change."""
        if self._leads():
            self._look_at(user_id)

    def _look_at(self, user_id: str) -> None:
        if len(self._dirty) >= DIRTY_MAX:
            self.republish()
        if not self._is_all_dirty:
            self._dirty[user_id] = None
            self._bell.set()

    def overwritten(self, user_id: str) -> None:
        """The store notified us: an earlier leader has published something for this user late."""
        if self._leads():
            self._retained.distrust(user_id)
            self._look_at(user_id)

    def device_deleted(self, user_id: str, code: str) -> None:
        """Clear everything that is retained for the device."""
        if self._is_all_dirty or user_id in self._listeners:
            self._republisher.clear(user_id, code)
        self.changed(user_id)  # the old list of devices may have been read just before

    def arrived(self, user_id: str) -> None:
        """A listener of this user has logged in, and will subscribe."""
        self._arrivals.setdefault(user_id, trio.current_time() - FOUND_WITHIN_S)
        self._arrived.set()

    def republish(self) -> None:
        """This process leads from now on, or the broker is back: publish everything again."""
        self._is_all_dirty = True
        self._bell.set()

    async def run(self) -> None:
        """Know the listeners, and keep retained what each should find, for ever."""
        self.republish()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retained.run)
            nursery.start_soon(self._look_forever)
            nursery.start_soon(self._welcome_forever)
            nursery.start_soon(self._report_late_forever)

    def _note_late(self, user_id: str) -> None:
        """Only the leader publishes for this user, and has to check it again."""
        self._late[user_id] = None
        self._is_late.set()

    def _note_refused(self, user_id: str, error: Exception) -> None:
        self._refused[user_id] = error
        self._bell.set()

    async def _report_late_forever(self) -> None:
        """Tell the leader to republish what this process may have overwritten with something
        older."""
        while True:
            await self._is_late.wait()
            await until_available(self._report_late, Pauses(RETRY_S), _waits)

    async def _report_late(self) -> None:
        self._is_late = trio.Event()
        while self._late:
            user_id = next(iter(self._late))
            del self._late[user_id]  # a late message from here on is reported once more
            try:
                await self._store.say_again(user_id)
            except Unavailable:
                self._note_late(user_id)
                raise

    async def _welcome_forever(self) -> None:
        """Repeat for those who logged in, once they have subscribed, what they may have missed."""
        while True:
            await self._arrived.wait()
            self._arrived = trio.Event()
            arrivals, self._arrivals = self._arrivals, {}
            await trio.sleep(SUBSCRIBES_WITHIN_S)
            for user_id, since_s in arrivals.items():
                self._retained.repeat(user_id, since_s)

    async def _look_forever(self) -> None:
        while True:
            await self._bell.wait()
            await until_available(self._look_at_all, Pauses(RETRY_S), _waits)

    async def _look_at_all(self) -> None:
        await self._wait_may_serve()
        self._bell = trio.Event()
        if self._is_all_dirty:
            await self._begin()
        while self._dirty:
            user_id = next(iter(self._dirty))
            del self._dirty[user_id]
            await self._look_contained(user_id)
        while self._refused:
            user_id, error = self._refused.popitem()
            await self._put_aside(user_id, error)

    async def _look_contained(self, user_id: str) -> None:
        """A user whose listener cannot be served is put aside alone."""
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
        self._is_all_dirty = False  # a change from here on is looked at once more
        self._dirty.clear()
        try:
            # Another leader's commit may still end, without any notification.
            await self._store.session_memory("")
            known = await self._store.listeners()
        except Unavailable:
            self._is_all_dirty = True
            raise
        self._retained.distrust_all()
        self._listeners = {listener.user_id: listener for listener in known}
        for user_id in [*self._listeners, *self._retained.users]:
            self._dirty[user_id] = None
        self._welcome_early(self._listeners)

    def _welcome_early(self, user_ids: Iterable[str]) -> None:
        """A listener that logged in shortly before this process became leader may be subscribing
        while everything is republished. Another process, or none, has noted its login."""
        for user_id in user_ids:
            self.arrived(user_id)

    async def _look(self, user_id: str) -> None:
        """Make what is retained for this user equal to what the store has."""
        try:
            listener = await self._store.listener(user_id)
            if listener is None:
                await self._forget(user_id)
                return
            self._listeners[user_id] = listener
            await self._written()  # what changed before the listener was known
            await self._republisher.publish_all(listener)
        except Unavailable:
            self._look_at(user_id)
            raise

    async def _forget(self, user_id: str) -> None:
        """This user has no listener any more, so nothing stays retained."""
        if user_id in self._listeners:
            await self._republisher.clear_all(user_id)
        self._listeners.pop(user_id, None)
        for topic in self._retained.topics(user_id):
            self._retained.clear(topic)


def _waits(error: Unavailable) -> None:
    log.debug("listeners are looked at later", error=in_words(error))
