"""An MQTT device, for the demo and for load: what is on the other side of the broker.

async with open_devices() as connect:
    async with connect(address, client_id, username, password, will=(topic, payload)) as device:
        await device.publish("users/…/feeds/temperature", b"25.5")
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import gmqtt
import trio
from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTError

from actors.adapters.bridge import Bridge, open_bridge
from actors.adapters.mqtt.link import CONNECT_TIMEOUT_S, Address, Client, Window
from actors.reply import Reply
from protocol.errors import Unavailable

KEEPALIVE_S = 30
UNANSWERED_MAX = 10
CLOSE_TIMEOUT_S = 1.0


class DeviceClient:
    """One connected device."""

    def __init__(self, bridge: Bridge, client: Any, window: Window) -> None:
        self._bridge = bridge
        self._client = client
        self._window = window
        self._limit = trio.CapacityLimiter(UNANSWERED_MAX)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """QoS 1: returns at the PUBACK.

        Raises:
            Unavailable: it did not come within ten seconds, or the connection was lost.
        """
        async with self._limit:
            if not self._client.is_connected:
                raise Unavailable("the connection was lost")
            reply = Reply[bool]()
            self._client.publish(topic, payload, qos=1, retain=retain)
            self._window.waiting[self._window.newest] = reply.settle
            try:
                arrived = await reply.wait(CONNECT_TIMEOUT_S)
            except trio.TooSlowError:
                raise Unavailable("the broker does not answer") from None
            if not arrived:
                raise Unavailable("the connection was lost")

    async def close(self) -> None:
        await self._bridge.run(self._client.disconnect)


Connect = Callable[..., AbstractAsyncContextManager[DeviceClient]]


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
            window = Window()

            async def make() -> Any:
                message = gmqtt.Message(will[0], will[1], qos=1) if will else None
                client = Client(
                    client_id,
                    clean_session=True,
                    will_message=message,
                    persistent_storage=window,
                )
                client.on_disconnect = lambda client, packet, exc=None: window.fail()
                client.set_auth_credentials(username, password)
                await asyncio.wait_for(
                    client.connect(
                        address.host,
                        address.port,
                        ssl=address.ssl,
                        keepalive=KEEPALIVE_S,
                        version=MQTTv311,
                    ),
                    CONNECT_TIMEOUT_S,
                )
                return client

            try:
                device = DeviceClient(bridge, await bridge.run(make), window)
            except (OSError, TimeoutError, MQTTError) as error:
                raise Unavailable(f"device {client_id} cannot connect: {error}") from error
            try:
                yield device
            finally:
                with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
                    await device.close()

        yield connect
