"""A device's retained messages, on a broker that shows them to subscriptions only.

A look subscribes on a short separate connection, and waits for the answer to a ping behind the
subscription. Clearing publishes an empty message with QoS 0, so that it is not queued for
disconnected sessions, including Roost's own.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import gmqtt
import trio

from actors.adapters.mqtt.broker import MqttBroker
from actors.adapters.mqtt.client import (
    CONNECT_TIMEOUT_S,
    Address,
    Client,
    close_client,
    connect_client,
)
from actors.ports.retained import Held
from protocol.device.publishing import can_be_cleared
from protocol.device.topics import partition, prefix
from protocol.errors import Unavailable

KEEPALIVE_S = 60
CLOSE_TIMEOUT_S = 1.0
LOOK_MAX = 10_000


class MqttRetained:
    """`actors.ports.retained.RetainedMessages`, while the broker port is open.

    Args:
        partitions: into how many the broker maps devices' topics; 0: it does not.
    """

    tells = False

    def __init__(self, broker: MqttBroker, partitions: int) -> None:
        self._broker = broker
        self._partitions = partitions

    async def limit(self) -> int:
        await trio.lowlevel.checkpoint()
        return 0

    async def held(self, after: int, *, states: bool) -> list[Held]:
        await trio.lowlevel.checkpoint()
        return []

    async def of_device(self, user_id: str, code: str) -> list[Held]:
        place = prefix(user_id, code)
        filters = [f"{place}/#"]
        if self._partitions:
            k = partition(user_id, code, self._partitions)
            filters += [f"part/{k}/{place}/#", f"state/{k}/{place}/#"]
        return await self._broker.look(_look, filters)

    async def clear(self, held: Sequence[Held]) -> bool:
        await trio.lowlevel.checkpoint()
        topics = [each.topic for each in held if can_be_cleared(each.topic)]
        sent = [self._broker.clear_nowait(each) for each in topics]
        return all(sent)


async def _look(
    address: Address, client_id: str, version: int, filters: Sequence[str]
) -> list[Held]:
    """asyncio-flavored. Raises `Unavailable`."""
    found: dict[str, Held] = {}
    ended, pong = asyncio.Event(), asyncio.Event()
    client = Client(client_id, clean_session=True)
    if address.username is not None:
        client.set_auth_credentials(address.username, address.password)

    def take(client: Any, topic: str, payload: bytes, qos: int, properties: Any) -> int:
        if properties["retain"] and payload and len(found) < LOOK_MAX:
            found[topic] = Held(topic, len(payload), qos)
        return 0

    def granted(client: Any, mid: int, codes: Sequence[int], properties: Any) -> None:
        client._connection._send_ping_request()

    def lost(client: Any, packet: Any, exc: Exception | None = None) -> None:
        ended.set()
        pong.set()

    client.on_message, client.on_subscribe, client.on_disconnect = take, granted, lost
    client._package_handler._handle_pingresp_packet = lambda cmd, packet: pong.set()
    try:
        await connect_client(client, ended, address, KEEPALIVE_S, version)
        client.subscribe([gmqtt.Subscription(each, qos=0) for each in filters])
        await asyncio.wait_for(pong.wait(), CONNECT_TIMEOUT_S)
        if ended.is_set():
            raise Unavailable("the connection was lost")
    except TimeoutError as error:
        raise Unavailable("the broker does not bring what is retained") from error
    finally:
        await close_client(client, CLOSE_TIMEOUT_S)  # noqa: ASYNC102 (bounded; asyncio's own)
    return list(found.values())
