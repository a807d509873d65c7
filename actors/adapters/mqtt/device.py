"""An MQTT device, for the demo and for load: the other side of the broker.

async with open_devices() as connect:
    async with connect(address, client_id, username, password, will=(topic, payload)) as device:
        await device.subscribe("users/…/commands", take)
        await device.publish("users/…/feeds/temperature", b"25.5")
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import gmqtt
import trio
from gmqtt.mqtt.constants import MQTTv311

from actors.adapters.asyncio_bridge import Bridge, open_bridge
from actors.adapters.mqtt.client import (
    CONNECT_TIMEOUT_S,
    Address,
    Client,
    close_client,
    connect_client,
)
from actors.adapters.mqtt.window import Window
from actors.runtime.reply import Reply
from protocol.errors import Unavailable, in_words

KEEPALIVE_S = 30
UNANSWERED_MAX = 10
CLOSE_TIMEOUT_S = 1.0
REFUSED = 0x80  # from this code on a SUBACK reports a failure

Connect = Callable[..., AbstractAsyncContextManager["DeviceClient"]]


class DeviceClient:
    """One connected device.

    Attributes:
        lost: set when the connection ends, whoever ended it.
        ended: the same, for the asyncio side of the bridge.
    """

    def __init__(self, bridge: Bridge, client: Any, window: Window) -> None:
        self.lost = trio.Event()
        self.ended = asyncio.Event()
        self._bridge = bridge
        self._client = client
        self._window = window
        self._granted = Reply[bool]()
        self._limit = trio.CapacityLimiter(UNANSWERED_MAX)
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """QoS 1: returns at the PUBACK.

        Raises:
            Unavailable: there was none within ten seconds, or the connection was lost.
        """
        async with self._limit:
            self._check_connected()
            reply = Reply[bool]()
            self._client.publish(topic, payload, qos=1, retain=retain)
            self._window.waiting[self._window.newest] = reply.settle
            if not await self._answered(reply):
                raise Unavailable("the connection was lost")

    async def subscribe(self, topic: str, take: Callable[[bytes], None]) -> None:
        """Subscribe to one topic, once per connection; return when it is granted. `take` gets each
        payload. QoS 0 is enough: a command is sent again until the device itself has acknowledged
        it, and a QoS 1 subscription costs the broker time for every message.

        Raises:
            Unavailable: it was refused or not granted in ten seconds, or the connection was lost.
        """

        def on_message(client: Any, topic: str, payload: bytes, qos: int, properties: Any) -> int:
            take(payload)
            return 0

        self._check_connected()
        self._client.on_message = on_message
        self._client.subscribe(topic, qos=0)
        if not await self._answered(self._granted):
            raise Unavailable(f"not allowed to listen to {topic}, or the connection was lost")

    async def close(self) -> None:
        await self._bridge.run(close_client, self._client, CLOSE_TIMEOUT_S)

    def _check_connected(self) -> None:
        if not self._client.is_connected:
            raise Unavailable("the connection was lost")

    async def _answered(self, reply: Reply[bool]) -> bool:
        try:
            return await reply.wait(CONNECT_TIMEOUT_S)
        except trio.TooSlowError:
            raise Unavailable("the broker does not answer") from None

    def _on_subscribe(self, client: Any, mid: int, codes: Sequence[int], properties: Any) -> None:
        self._granted.settle(all(code < REFUSED for code in codes))

    def _on_disconnect(self, client: Any, packet: Any, exc: Exception | None = None) -> None:
        self._window.fail()
        self._granted.settle(False)
        self.lost.set()
        self.ended.set()


@asynccontextmanager
async def open_devices() -> AsyncIterator[Connect]:
    """A function that connects a device for the length of an `async with` block."""
    async with open_bridge("devices") as bridge:

        @asynccontextmanager
        async def connect(
            address: Address,
            client_id: str,
            username: str,
            password: str,
            will: tuple[str, bytes] | None = None,
        ) -> AsyncIterator[DeviceClient]:
            message = gmqtt.Message(will[0], will[1], qos=1) if will else None
            window = Window()

            client = Client(
                client_id, clean_session=True, will_message=message, persistent_storage=window
            )
            client.set_auth_credentials(username, password)
            device = DeviceClient(bridge, client, window)
            try:
                try:
                    await bridge.run(
                        connect_client, client, device.ended, address, KEEPALIVE_S, MQTTv311
                    )
                except Unavailable as error:
                    raise Unavailable(
                        f"device {client_id} cannot connect: {in_words(error)}"
                    ) from error
                yield device
            finally:
                with trio.CancelScope(shield=True):
                    await device.close()

        yield connect
