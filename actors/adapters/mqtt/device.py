"""An MQTT device, for the demo and for load: what is on the other side of the broker.

async with open_devices() as connect:
    device = await connect(address, client_id, username, password, will=(topic, payload))
    await device.publish("users/…/feeds/temperature", b"25.5")
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import gmqtt
import trio
from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTError

from actors.adapters.bridge import Bridge, open_bridge
from actors.adapters.mqtt.link import CONNECT_TIMEOUT_S, Address
from protocol.errors import Unavailable

KEEPALIVE_S = 30
WINDOW = 10


class DeviceClient:
    """One connected device. gmqtt connects again by itself, and sends again what is unanswered."""

    def __init__(self, bridge: Bridge, client: Any) -> None:
        self._bridge = bridge
        self._client = client
        self._window = trio.CapacityLimiter(WINDOW)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """QoS 1. Waits while ten are unanswered; raises `Unavailable` after ten seconds of that."""
        storage = self._client._persistent_storage
        with trio.move_on_after(CONNECT_TIMEOUT_S):
            while len(storage.get_all()) >= WINDOW or not self._client.is_connected:
                await trio.sleep(0.05)
            self._client.publish(topic, payload, qos=1, retain=retain)
            return
        raise Unavailable("the broker does not answer")

    async def close(self) -> None:
        await self._bridge.run(self._client.disconnect)


Connect = Callable[..., Awaitable[DeviceClient]]


@asynccontextmanager
async def open_devices() -> AsyncIterator[Connect]:
    """A function that connects devices; all of them are disconnected when the block ends."""
    async with open_bridge("devices") as bridge:
        open_ones: list[DeviceClient] = []

        async def connect(
            address: Address,
            client_id: str,
            username: str,
            password: str,
            will: tuple[str, bytes] | None = None,
        ) -> DeviceClient:
            async def make() -> Any:
                message = gmqtt.Message(will[0], will[1], qos=1) if will else None
                client = gmqtt.Client(client_id, clean_session=True, will_message=message)
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
                device = DeviceClient(bridge, await bridge.run(make))
            except (OSError, TimeoutError, MQTTError) as error:
                raise Unavailable(f"device {client_id} cannot connect: {error}") from error
            open_ones.append(device)
            return device

        try:
            yield connect
        finally:
            with trio.move_on_after(1, shield=True):
                for device in open_ones:
                    await device.close()
