"""A relay between a store and a broker that a test plays."""

from collections.abc import Sequence
from typing import Any

import trio
import trio.testing

from actors.ports.broker import Publication
from actors.user.mqtt_relay import MqttRelay
from protocol.device.listeners import Listener
from protocol.errors import Unavailable
from protocol.events import DeviceChanged, FeedValue
from protocol.records import DeviceState, Feed, SessionMemory
from tests.unit.makers import DEVICE, NOW, USER, some_device, some_feed


class Broker:
    """Takes what is published; at QoS 1 unless it is `away`, and it answers `after_s`."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bool]] = []
        self.away = False
        self.after_s = 0.0

    def publish_nowait(self, topic: str, payload: bytes) -> bool:
        self.sent.append((topic, payload, False))
        return True

    async def publish(self, messages: Sequence[Publication]) -> list[bool]:
        await trio.lowlevel.checkpoint()
        if self.away:
            return [False] * len(messages)
        self.sent += [(m.topic, m.payload, m.retain) for m in messages]
        if self.after_s:
            await trio.sleep(self.after_s)
        return [True] * len(messages)

    def texts(self, topic: str) -> list[bytes]:
        return [payload for to, payload, _ in self.sent if to == topic]


class Store:
    """A device with a feed, and who listens."""

    def __init__(self) -> None:
        self.leads = self.is_sure = True
        self.away = False
        self.is_deleted = False
        self.who: dict[str, Listener] = {}
        self.device = some_device()
        self.feeds_of = [some_feed("t", unit="°C"), some_feed("shared", 2, device_id=None)]
        self.reading: trio.Event | None = None
        self.reported_late: list[str] = []

    async def session_memory(self, session: str) -> SessionMemory:
        await trio.lowlevel.checkpoint()
        return SessionMemory()

    async def listeners(self) -> list[Listener]:
        await trio.lowlevel.checkpoint()
        return list(self.who.values())

    async def wait_may_serve(self) -> None:
        while not (self.leads and self.is_sure):
            await trio.sleep(0.1)

    async def listener(self, user_id: str) -> Listener | None:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise Unavailable("away")
        return self.who.get(user_id)

    async def say_again(self, user_id: str) -> None:
        if self.away:
            await trio.lowlevel.checkpoint()
            raise Unavailable("away")
        self.reported_late.append(user_id)
        await trio.sleep(0.1)  # its answer travels

    async def devices(self, user_id: str, limit: int, after: int) -> list[Any]:
        found = [self.device] if after < self.device.num and not self.is_deleted else []
        if self.reading is not None:
            await self.reading.wait()
        await trio.lowlevel.checkpoint()
        return found

    async def feeds(self, user_id: str, limit: int, after: int) -> list[Feed]:
        await trio.lowlevel.checkpoint()
        return [feed for feed in self.feeds_of if feed.num > after]


def listening(user_id: str = USER, *, home_assistant: bool = False) -> Listener:
    return Listener(
        user_id=user_id,
        username="listener-1",
        password_sha256=b"",
        home_assistant=home_assistant,
        created_us=NOW,
    )


def value(number: float = 1.5) -> FeedValue:
    return FeedValue("f", "t", DEVICE, number, NOW)


def state(version: int, **changes: Any) -> DeviceChanged:
    changed = DeviceState(version=version, status="online", **changes)
    return DeviceChanged(some_device(state=changed))


Parts = tuple[MqttRelay, Store, Broker]


STATUS = f"live/{USER}/devices/d1/status"
DOCUMENT = f"live/{USER}/homeassistant/device/d1/config"


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def begin(parts: Parts, nursery: trio.Nursery, *, home_assistant: bool = False) -> None:
    """There is a listener, and all that was there has been published."""
    mqtt_relay, store, broker = parts
    store.who[USER] = listening(home_assistant=home_assistant)
    nursery.start_soon(mqtt_relay.run)
    await settled()
    assert broker.texts(STATUS)
    broker.sent.clear()
