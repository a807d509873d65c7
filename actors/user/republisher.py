"""What is retained for a user's MQTT listener: device states, documents for Home Assistant.

    republisher = Republisher(store, retained, may_serve, version)
    await republisher.publish_all(listener)
    await republisher.clear_all(user_id)        # the listener was deleted

It reads one page of devices after the other, and waits while much is in flight to the broker.
"""

from collections.abc import Callable, Iterator

import structlog
import trio

from actors.ports.store import Store
from actors.user.retained import Retained, Version
from protocol.device import listeners
from protocol.device.listeners import Listener
from protocol.device.publishing import fault_of
from protocol.errors import Unpublishable
from protocol.records import Device, Feed

log = structlog.get_logger("roost.mqtt_relay")

PAGE = 100
FEEDS_PAGE = 500
# Devices with an incomplete document that are remembered: the log names each of them once.
CUT_MAX = 10_000


class Republisher:
    """Args:
    may_serve: whether this process certainly leads. Otherwise it publishes nothing.
    version: of Roost, for the documents for Home Assistant.
    """

    def __init__(
        self, store: Store, retained: Retained, may_serve: Callable[[], bool], version: str
    ) -> None:
        self._store = store
        self._retained = retained
        self._may_serve = may_serve
        self._version = version
        self._cut: set[str] = set()  # ids of devices with an incomplete document

    def publish_state(self, device: Device) -> None:
        """A device's state changed."""
        self._publish_state(listeners.status_topic(device.user_id, device.code), device)

    async def publish_all(self, listener: Listener) -> None:
        """Publish what the store has and was not published yet, and clear what it no longer has.

        Raises:
            Unavailable: the store does not answer.
            Unpublishable: for at least one device; the others are published.
        """
        left = dict.fromkeys(self._retained.topics(listener.user_id))
        feeds = await self._feeds_of(listener.user_id) if listener.home_assistant else None
        after = 0
        fault: Unpublishable | None = None
        while page := await self._store.devices(listener.user_id, PAGE, after):
            if not self._may_serve():
                return  # the leader does it
            for device in page:
                bad = fault_of(listeners.status_topic(device.user_id, device.code), b"")
                if bad is not None:
                    fault = bad
                    continue
                for topic in self._publish(device, feeds):
                    left.pop(topic, None)
                # One document takes a millisecond: other tasks run between two of them.
                await trio.lowlevel.checkpoint()
                await self._retained.wait_room()
            after = page[-1].num
        for topic in left:  # of deleted devices, or documents that are switched off
            self._retained.clear(topic)
        if fault is not None:
            raise fault

    async def clear_all(self, user_id: str) -> None:
        """Clear what an earlier process may have retained for any of the user's devices."""
        after = 0
        while page := await self._store.devices(user_id, PAGE, after):
            for device in page:
                self.clear(user_id, device.code)
            await self._retained.wait_room()
            after = page[-1].num

    def clear(self, user_id: str, code: str) -> None:
        """Clear what is retained for this device."""
        self._retained.clear(listeners.status_topic(user_id, code))
        self._retained.clear(listeners.discovery_topic(user_id, code))

    def _publish(self, device: Device, feeds: "FeedsOf | None") -> tuple[str, ...]:
        """Publish its state and, with feeds, its document. Returns their topics."""
        status = listeners.status_topic(device.user_id, device.code)
        # The state of a living actor is newer than the stored one until it is stored.
        if _version(device) >= self._retained.version(status):
            self._publish_state(status, device)
        if feeds is None:
            return (status,)
        discovery = listeners.discovery_topic(device.user_id, device.code)
        document = listeners.discovery(device, feeds.of(device), self._version)
        self._note_cut(device, document.left_out)
        self._retained.publish(discovery, document.payload)
        return status, discovery

    def _publish_state(self, topic: str, device: Device) -> None:
        self._retained.publish(topic, listeners.status_payload(device), _version(device))

    def _note_cut(self, device: Device, left_out: int) -> None:
        """Log each device with an incomplete document once."""
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
    """A user's enabled feeds, by the devices that write them."""

    def __init__(self) -> None:
        self._by_device: dict[str | None, dict[str, Feed]] = {}

    def add(self, feed: Feed) -> None:
        if feed.enabled and not feed.archived:
            self._by_device.setdefault(feed.device_id, {})[feed.key] = feed

    def of(self, device: Device) -> Iterator[Feed]:
        """The device's own feeds, then shared ones with other keys."""
        own = self._by_device.get(device.id, {})
        yield from own.values()
        for key, feed in self._by_device.get(None, {}).items():
            if key not in own:
                yield feed


def _version(device: Device) -> Version:
    return device.num, device.state.version
