"""What a Link takes gmqtt's private parts for, against a broker that says what the test tells it.

A release that calls them otherwise, or not at all, fails here.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import gmqtt.client
import gmqtt.mqtt.protocol
import pytest
import trio
import trustme
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from actors.adapters.asyncio_bridge import Bridge, open_bridge
from actors.adapters.mqtt import client as clients
from actors.adapters.mqtt import link as links
from actors.adapters.mqtt.client import Address, Client
from actors.adapters.mqtt.link import READ_BYTES_MAX, Link
from actors.adapters.mqtt.sending import Fate
from actors.adapters.mqtt.window import Pubacks
from actors.ports.broker import Delivery, Publication, SessionPlan
from protocol.errors import Unavailable
from tests.contract.brokers import Recorder

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ = 0x10, 0x30, 0x40, 0x80, 0xC0
CONNACK, SUBACK, PINGRESP = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01", b"\xd0\x00"
PLAN = SessionPlan(client_id="guard", filters=("a/#",), persistent=True)


def publication(qos: int, packet_id: int = 7, body: bytes = b"body") -> bytes:
    """PUBLISH with DUP and RETAIN (MQTT 3.1.1 §3.3)."""
    identity = packet_id.to_bytes(2, "big") if qos else b""
    rest = b"\x00\x03a/b" + identity + body
    assert len(rest) < 128
    return bytes([PUBLISH | qos << 1 | 0x09, len(rest)]) + rest


class Broker:
    """Takes one connection after another and logs it in.

    Attributes:
        heard: kind and body of each packet, but for CONNECT and SUBSCRIBE.
        answers_pings: whether PINGREQ gets its answer.
        reads: it takes what is sent as long as this is set.
        connects: how often somebody came.
    """

    def __init__(self, connack: bytes = CONNACK) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self.answers_pings = self.reads = True
        self.connects = 0
        self.stream: trio.SocketStream | None = None
        self._connack = connack

    async def serve(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        waiting = bytearray()
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in stream:
                waiting += data
                while len(waiting) >= 2 and len(waiting) >= 2 + waiting[1]:
                    size = 2 + waiting[1]
                    await self._take(waiting[0] & 0xF0, bytes(waiting[2:size]))
                    del waiting[:size]
                if not self.reads:
                    await trio.sleep_forever()

    async def _take(self, kind: int, body: bytes) -> None:
        if kind == CONNECT:
            self.connects += 1
            await self.say(self._connack)
        elif kind == SUBSCRIBE:
            await self.say(SUBACK)
        else:
            self.heard.append((kind, body))
            if kind == PINGREQ and self.answers_pings:
                await self.say(PINGRESP)

    async def say(self, data: bytes) -> None:
        assert self.stream is not None
        await self.stream.send_all(data)

    def of(self, kind: int) -> list[bytes]:
        return [body for each, body in self.heard if each == kind]


class Tls(NamedTuple):
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def tls() -> Tls:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Tls(server, client)


async def serve_tls(broker: Broker, context: ssl.SSLContext, stream: trio.SocketStream) -> None:
    over: Any = trio.SSLStream(stream, context, server_side=True)
    with suppress(trio.BrokenResourceError):  # the client does not trust us
        await over.do_handshake()
        await broker.serve(over)


class Scene:
    """A link that is connected to a broker, and what it tells."""

    def __init__(self, bridge: Bridge, broker: Broker, inbox: Recorder, link: Link) -> None:
        self.bridge, self.broker, self.inbox, self.link = bridge, broker, inbox, link
        self.lost = 0

    async def do(self, work: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """A synchronous method of the link, in asyncio's loop."""

        async def done() -> Any:
            return work(*args, **more)

        return await self.bridge.run(done)

    async def until(self, probe: Callable[[], Any]) -> Any:
        return await self.inbox.until(probe)


@asynccontextmanager
async def scene(
    connack: bytes = CONNACK,
    version: int = MQTTv311,
    refused: bool = False,
    tls: Tls | None = None,
) -> AsyncIterator[Scene]:
    broker, inbox = Broker(connack), Recorder()
    async with trio.open_nursery() as nursery, open_bridge("guard") as bridge:
        serve = broker.serve if tls is None else partial(serve_tls, broker, tls.server)
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        address = Address("127.0.0.1", port, tls=False if tls is None else tls.client)

        def lost() -> None:
            found.lost += 1

        async def made() -> Link:
            return Link(PLAN, 3, inbox, version, lost, lambda: None)

        link = await bridge.run(made)
        found = Scene(bridge, broker, inbox, link)
        try:
            if refused:
                with pytest.raises(Unavailable):
                    await bridge.run(link.connect, address)
            else:
                await bridge.run(link.connect, address)
            yield found
        finally:
            with trio.CancelScope(shield=True):
                await bridge.run(link.close)
        nursery.cancel_scope.cancel()


async def test_a_message_at_qos_1_is_handed_over_and_acknowledged_by_us_alone() -> None:
    async with scene() as found:
        await found.broker.say(publication(qos=1))
        (delivery,) = await found.inbox.received(1)
        assert delivery == Delivery("guard", 3, 7, True, True, "a/b", b"body")
        await found.broker.say(publication(qos=0))
        await found.inbox.received(2)
        assert found.broker.heard == []
        await found.do(found.link.acknowledge, [7])
        await found.until(lambda: found.inbox.confirmed == [("guard", 3, 1)])
        assert found.broker.heard == [(PUBACK, b"\x00\x07"), (PINGREQ, b"")]


async def test_a_step_reads_no_more_over_tls_than_without(tls: Tls) -> None:
    """asyncio's TLS layer has a buffer of its own, of 256 kB: other tasks waited eight times as
    long."""
    most = 0
    async with scene(tls=tls) as found:
        connection = found.link._client._connection
        receive = connection._protocol.data_received

        def seen(data: bytes) -> None:
            nonlocal most
            most = max(most, len(data))
            receive(data)

        connection._protocol.data_received = seen
        many = 5_000
        await found.broker.say(publication(qos=1, body=b"x" * 100) * many)
        await found.until(lambda: len(found.inbox.deliveries) == many)
        await found.do(found.link.acknowledge, [7])
        await found.until(lambda: found.broker.of(PUBACK))
    assert 0 < most <= READ_BYTES_MAX


async def test_a_broker_with_a_certificate_of_another_ca_gets_no_login(tls: Tls) -> None:
    other = Tls(tls.server, ssl.create_default_context())
    async with scene(tls=other, refused=True) as found:
        assert found.broker.connects == 0


async def test_a_connection_over_tls_is_cut_like_any_other(tls: Tls) -> None:
    async with scene(tls=tls) as found:
        await found.do(found.link.abort)
        await found.until(lambda: found.lost)


async def test_an_answer_to_a_ping_of_gmqtt_s_own_tells_of_what_went_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its keep-alive goes through the method that counts."""
    monkeypatch.setattr(links, "KEEPALIVE_S", 1)
    async with scene() as found:
        await found.until(lambda: found.inbox.confirmed)
        assert found.inbox.confirmed[0] == ("guard", 3, 0)
        assert found.broker.of(PINGREQ)


async def test_a_lost_connection_is_told_and_gmqtt_makes_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    reconnect = Client.reconnect

    async def reconnecting(self: Client, delay: bool = False) -> None:
        asked.append(delay)
        await reconnect(self, delay)

    monkeypatch.setattr(Client, "reconnect", reconnecting)
    async with scene() as found:
        assert found.broker.stream is not None
        await found.broker.stream.aclose()
        await found.until(lambda: found.lost and asked)
        assert (found.lost, found.broker.connects) == (1, 1)


async def test_publications_go_out_in_one_write_and_each_hears_of_its_puback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scene() as found:
        transport = found.link._client._connection._transport
        writes: list[bytes] = []
        write = transport.write

        def seen(data: bytes) -> None:
            writes.append(bytes(data))
            write(data)

        monkeypatch.setattr(transport, "write", seen)
        pubacks = Pubacks(3)
        messages = [Publication(topic=f"c/{n}", payload=b"x") for n in range(3)]
        await found.do(found.link.publish, messages, pubacks)
        said = await found.until(lambda: len(p := found.broker.of(PUBLISH)) == 3 and p)
        assert len(writes) == 1
        assert [body[2:5] for body in said] == [b"c/0", b"c/1", b"c/2"]
        ids = [body[5:7] for body in said]
        for packet_id in (ids[2], ids[0]):
            await found.broker.say(b"\x40\x02" + packet_id)
        await found.until(lambda: pubacks.fates == [Fate.TAKEN, Fate.UNKNOWN, Fate.TAKEN])
        assert not pubacks.all_settled.is_set()
        assert found.broker.stream is not None
        await found.broker.stream.aclose()
        with trio.fail_after(5):
            await pubacks.all_settled.wait()
        assert pubacks.fates == [Fate.TAKEN, Fate.ENDED, Fate.TAKEN]


async def test_a_broker_that_says_nothing_is_left_and_one_that_says_something_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "SILENCE_MAX_S", 0.5)
    monkeypatch.setattr(links, "LOOK_EVERY_S", 0.05)
    async with scene() as found:
        found.broker.answers_pings = False
        for n in range(12):
            await found.broker.say(publication(qos=0))
            await found.inbox.received(n + 1)
            await trio.sleep(0.1)
        assert not found.lost
        await found.until(lambda: found.lost)


async def test_a_read_takes_no_more_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    protocol = gmqtt.mqtt.protocol.BaseMQTTProtocol
    data_received = protocol.data_received

    def seen(self: Any, data: bytes) -> None:
        sizes.append(len(data))
        data_received(self, data)

    monkeypatch.setattr(protocol, "data_received", seen)
    async with scene() as found:
        message = publication(qos=0, body=bytes(100))
        count = 8 * READ_BYTES_MAX // len(message)
        await found.broker.say(message * count)
        await found.inbox.received(count)
    assert max(sizes) <= READ_BYTES_MAX


async def test_a_broker_of_an_older_version_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "CONNECT_TIMEOUT_S", 1.0)
    async with scene(connack=b"\x20\x02\x00\x01", version=MQTTv50, refused=True) as found:
        assert found.link.version == MQTTv311


async def test_a_notice_is_not_written_where_the_broker_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(links, "CLOSE_TIMEOUT_S", 0.1)
    async with scene() as found:
        found.broker.reads = False
        assert await found.do(found.link.publish_nowait, "c/0", b"x")
        piece = bytes(links.WRITE_BUFFER_MAX)
        for _ in range(32):  # more than the kernel keeps
            if not await found.do(found.link.publish_nowait, "c/1", piece):
                return
        raise AssertionError("all of it was written")


async def test_its_transport_gives_what_it_reads_to_the_method_that_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By which each read is acknowledged on the level of TCP (`tcp_acks`)."""
    async with scene() as found:
        line = found.link._client._connection._transport.get_extra_info("socket")
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        await found.broker.say(publication(qos=0))
        await found.inbox.received(1)
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)
