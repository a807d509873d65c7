"""One connection of one session by gmqtt 0.8.0, with acknowledgements of our own.

gmqtt acknowledges before its handler runs, or makes a task for each message; Roost can use neither.
So three methods are replaced on the instance, here and nowhere else (guarded by
`tests/contract/guards/test_gmqtt.py`):

- `_handle_qos_1_publish_packet` passes on the packet id instead of acknowledging;
- `_handle_pingresp_packet` reports that the broker has processed everything before the ping;
- `write_data` of its protocol collects packets that are sent in one write.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gmqtt
import structlog
from gmqtt.mqtt.constants import MQTTv50

from actors.adapters.mqtt.client import Address, Client, close_client, connect_client
from actors.adapters.mqtt.reads import bound_reads
from actors.adapters.mqtt.tcp_acks import acknowledge_at_once
from actors.adapters.mqtt.window import Pubacks, Window
from actors.ports.broker import Delivery, Inbox, Publication, SessionPlan
from protocol.errors import Unavailable

log = structlog.get_logger("roost.mqtt")

CLOSE_TIMEOUT_S = 2.0
# A ping after this time without a packet; a broker that sends nothing for twice as long hangs.
KEEPALIVE_S = 10
SILENCE_MAX_S = 20.0
LOOK_EVERY_S = 5.0
SESSION_EXPIRY_S = 7 * 24 * 3600
RECEIVE_MAXIMUM = 10_000
# One read from the socket: some 300 messages, 10 ms of work. With asyncio's 256 kB other tasks
# would wait eight times as long.
READ_BYTES_MAX = 32 * 1024
# A ping behind acknowledgements shows that they arrived; more than twenty a second are not needed.
PING_EVERY_S = 0.05
# Bounds the socket's buffer if the broker does not read.
WRITE_BUFFER_MAX = 1 << 20


class Link:
    """A connection from CONNECT to its loss. Methods are asyncio-flavored or synchronous.

    Args:
        number: counts the connections of the session.
        lost: called once, when an established connection ends.
        subscribed: called when the broker has granted all filters.
    """

    def __init__(
        self,
        plan: SessionPlan,
        number: int,
        inbox: Inbox,
        version: int,
        lost: Callable[[], None],
        subscribed: Callable[[], None],
    ) -> None:
        self.number = number
        self.version = version
        self._plan = plan
        self._inbox = inbox
        self._lost = lost
        self._subscribed = subscribed
        self._open = False
        self._ended = asyncio.Event()
        self._acks = 0
        self._acks_at_pings: deque[int] = deque()  # one for each unanswered PINGREQ
        self._ping_is_due = False
        self._window = Window()
        options: dict[str, Any] = {}
        if version == MQTTv50:
            options = {
                "session_expiry_interval": SESSION_EXPIRY_S if plan.persistent else 0,
                "receive_maximum": RECEIVE_MAXIMUM,
            }
        self._client = Client(
            plan.client_id,
            clean_session=not plan.persistent,
            persistent_storage=self._window,
            **options,
        )
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        handler = self._client._package_handler
        handler._handle_qos_1_publish_packet = self._on_qos_1
        handler._handle_pingresp_packet = self._on_pingresp

    async def connect(self, address: Address) -> None:
        """Connect and subscribe; call `close` also after a failure. Raises `Unavailable`."""
        if address.username is not None:
            self._client.set_auth_credentials(address.username, address.password)
        try:
            await connect_client(self._client, self._ended, address, KEEPALIVE_S, self.version)
            if not self._open:
                raise Unavailable("the broker did not answer")
        finally:
            # gmqtt notes that a broker only supports MQTT 3.1.1; the next connection starts with
            # that.
            self.version = self._client._connection_state.protocol_version

    async def close(self) -> None:
        """Send DISCONNECT if possible, and close the socket in any case."""
        self._open = False
        await close_client(self._client, CLOSE_TIMEOUT_S)

    # Sending

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """PUBACKs in one write (two bytes of header, success implied in both versions)."""
        if not self._open:
            return
        packets = b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in packet_ids])
        self._client._connection.send_package(packets)
        self._acks += len(packet_ids)
        if not self._acks_at_pings and not self._ping_is_due:
            self._client._connection._send_ping_request()

    def abort(self) -> None:
        """Cut the connection; its loss is reported like any other."""
        if self._open:
            self._client._connection._transport.abort()

    def publish_nowait(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """QoS 0; False if the connection is gone or its buffer is full."""
        if not self._open:
            return False
        transport = self._client._connection._transport
        if transport.get_write_buffer_size() > WRITE_BUFFER_MAX:
            return False
        self._client.publish(topic, payload, qos=0, retain=retain)
        return True

    def publish(self, messages: Sequence[Publication], pubacks: Pubacks) -> None:
        """QoS 1, in one write; each message is settled by its PUBACK, or by the end of the
        connection."""
        if not self._open:
            pubacks.all_settled.set()  # their fate stays unknown
            return
        packets: list[bytes] = []
        protocol = self._client._connection._protocol
        protocol.write_data = packets.append  # on the instance, for this loop
        try:
            for n, each in enumerate(messages):
                self._client.publish(each.topic, each.payload, qos=1, retain=each.retain)
                self._window.waiting[self._window.newest] = partial(pubacks.settle, n)
        finally:
            del protocol.write_data
        protocol.write_data(b"".join(packets))

    def _count_pings(self) -> None:
        """Note at every PINGREQ, including gmqtt's own, how many PUBACKs were sent before it."""
        connection = self._client._connection
        send = connection._send_ping_request

        def counted() -> None:
            self._acks_at_pings.append(self._acks)
            send()

        connection._send_ping_request = counted

    def _ping_again(self) -> None:
        self._ping_is_due = False
        if self._open:
            self._client._connection._send_ping_request()

    def _look(self) -> None:
        """Cut the connection of a broker that hangs. gmqtt's own close would wait until the broker
        has read everything."""
        if not self._open:
            return
        connection = self._client._connection
        if time.monotonic() - connection._last_data_in >= SILENCE_MAX_S:
            log.warning("the broker is silent", session=self._plan.client_id)
            connection._transport.abort()
        else:
            asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    # Callbacks of gmqtt, synchronous

    def _on_connect(self, client: Any, flags: int, rc: int, properties: Any) -> None:
        self._open = True
        bound_reads(client._connection._transport, READ_BYTES_MAX)
        acknowledge_at_once(client._connection._transport, client._connection._protocol)
        self._count_pings()
        self._look()
        self._inbox.connected(self._plan.client_id, self.number)
        subscriptions = [gmqtt.Subscription(each, qos=1) for each in self._plan.filters]
        if subscriptions:
            client.subscribe(subscriptions)
        else:
            self._subscribed()

    def _on_subscribe(self, client: Any, mid: int, granted: Sequence[int], properties: Any) -> None:
        if any(qos >= 128 for qos in granted):
            log.error("the broker refused a subscription", session=self._plan.client_id)
            client._connection._transport.abort()  # the next connection subscribes again
            return
        # After the new filters, so that none of a device's messages falls between the two.
        if self._plan.former:
            client.unsubscribe(list(self._plan.former))
        self._subscribed()

    def _on_message(
        self, client: Any, topic: str, payload: bytes, qos: int, properties: dict[str, Any]
    ) -> None:
        self._deliver(0, payload, topic, properties)

    def _on_qos_1(self, mid: int, payload: bytes, topic: str, properties: dict[str, Any]) -> None:
        self._deliver(mid, payload, topic, properties)

    def _deliver(self, mid: int, payload: bytes, topic: str, properties: dict[str, Any]) -> None:
        if self._open:
            dup, retain = bool(properties["dup"]), bool(properties["retain"])
            self._inbox.deliver(
                Delivery(self._plan.client_id, self.number, mid, dup, retain, topic, payload)
            )

    def _on_pingresp(self, cmd: int, packet: bytes) -> None:
        if not self._acks_at_pings:
            return
        processed = self._acks_at_pings.popleft()
        self._inbox.heard(self._plan.client_id, self.number, processed)
        if self._acks > processed and not self._acks_at_pings and not self._ping_is_due:
            self._ping_is_due = True
            asyncio.get_running_loop().call_later(PING_EVERY_S, self._ping_again)

    def _on_disconnect(self, client: Any, packet: Any, exc: Any = None) -> None:
        self._ended.set()
        self._window.fail()
        if self._open:
            self._open = False
            self._lost()
