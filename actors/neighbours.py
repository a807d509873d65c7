"""What was taken is published again for whoever listens over MQTT (`protocol.listeners`).

A reading goes out at QoS 0 in the moment in which dashboards hear of it; whoever has no listener
costs one look-up. States of devices are retained, so that a listener that comes later knows them.
"""

from collections.abc import Sequence

import structlog
import trio

from actors.ports import PUBLISH_MAX, Broker, Publication, Store
from protocol import listeners
from protocol.errors import Unavailable
from protocol.events import DeviceChanged, Event, FeedValue
from protocol.listeners import Listener
from protocol.records import Device, Feed

log = structlog.get_logger("roost.neighbours")

RETRY_S = 2.0
PAGE = 500


class Neighbours:
    """Usage: `nursery.start_soon(neighbours.run)`; then `neighbours.tell(user_id, code, event)`.

    Args:
        version: ours, for the documents of Home Assistant.
    """

    def __init__(self, store: Store, broker: Broker, version: str) -> None:
        self.published = 0
        self.dropped = 0
        self._store = store
        self._broker = broker
        self._version = version
        self._listeners: dict[str, Listener] = {}
        self._dirty: dict[str, None] = {}
        self._bell = trio.Event()
        # Newest states that went out while all states of a user are published: by device.
        self._newest: dict[str, int] = {}

    def tell(self, user_id: str, code: str, event: Event) -> None:
        """A device did something. Never blocks."""
        if user_id not in self._listeners:
            return
        if isinstance(event, FeedValue):
            topic = listeners.reading_topic(user_id, code, event.feed_key)
            self._publish(topic, listeners.reading_payload(event.value, event.ts_us))
        elif isinstance(event, DeviceChanged):
            self._newest[event.device.id] = event.device.state.version
            topic = listeners.status_topic(user_id, code)
            self._publish(topic, listeners.status_payload(event.device), retain=True)

    def gone(self, user_id: str, code: str) -> None:
        """A device was deleted: nothing of it is retained."""
        if user_id in self._listeners:
            self._publish(listeners.status_topic(user_id, code), b"", retain=True)
            self._publish(listeners.discovery_topic(user_id, code), b"", retain=True)

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self._broker.publish_nowait(topic, payload, retain=retain):
            self.published += 1
        else:
            self.dropped += 1

    def changed(self, user_id: str) -> None:
        """A user, their listener, or what they have has changed."""
        self._dirty[user_id] = None
        self._bell.set()

    async def run(self) -> None:
        """Know the listeners, and publish for each what is retained, for ever."""
        known: list[Listener] | None = None
        while known is None:
            try:
                known = await self._store.listeners()
            except Unavailable as error:
                log.debug("listeners are not known yet", error=str(error))
                await trio.sleep(RETRY_S)
        for listener in known:
            self._listeners[listener.user_id] = listener
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            for user_id in list(self._dirty):
                del self._dirty[user_id]
                try:
                    await self._refresh(user_id)
                except Unavailable as error:
                    log.debug("listener is refreshed later", error=str(error))
                    await trio.sleep(RETRY_S)
                    self.changed(user_id)

    async def _refresh(self, user_id: str) -> None:
        before = self._listeners.get(user_id)
        listener = await self._store.listener(user_id)
        if listener is None:
            self._listeners.pop(user_id, None)
            return
        self._listeners[user_id] = listener
        self._newest.clear()
        had_documents = before is not None and before.home_assistant
        feeds = await self._feeds_of(user_id) if listener.home_assistant else []
        after = 0
        while True:
            devices = await self._store.devices(user_id, PAGE, after)
            if not devices:
                return
            messages = []
            for device in devices:
                # What went out meanwhile is newer than what was read.
                if device.state.version > self._newest.get(device.id, -1):
                    topic = listeners.status_topic(user_id, device.code)
                    messages.append(Publication(topic, listeners.status_payload(device), True))
                if listener.home_assistant or had_documents:
                    topic = listeners.discovery_topic(user_id, device.code)
                    document = self._document(device, feeds) if listener.home_assistant else b""
                    messages.append(Publication(topic, document, True))
            await self._send(messages)
            after = devices[-1].num

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

    async def _send(self, messages: Sequence[Publication]) -> None:
        for start in range(0, len(messages), PUBLISH_MAX):
            taken = await self._broker.publish(messages[start : start + PUBLISH_MAX])
            if not all(taken):
                raise Unavailable("the broker did not take it")
            self.published += len(taken)
