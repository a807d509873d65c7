"""What devices have retained: how each broker tells of it, and what clearing it does."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import pytest
import trio

from actors.adapters.asyncio_bridge import open_bridge
from actors.adapters.memory.broker.retained import MemoryRetained
from actors.adapters.mqtt.retained import MqttRetained
from actors.adapters.nats.retained import NatsRetained
from actors.ports.broker import Delivery
from actors.ports.retained import Held, RetainedMessages
from protocol.device.publishing import PAYLOAD_MAX
from protocol.device.topics import prefix, unmapped
from roost.embedded.broker import EmbeddedBroker
from roost.embedded.broker_config import PARTITIONS
from tests.contract.brokers import MemoryWorld, Recorder, Rig

U = "5b0f2f0e-1b1f-4c0e-9a38-4b8a5a3c1a11"
# So long nothing comes that does not come at all.
QUIET_S = 0.3
_numbers = itertools.count()


@pytest.fixture
def code() -> str:
    """A device that no other test has."""
    return f"r{next(_numbers)}"


@pytest.fixture
def telling(rig: Rig, request: pytest.FixtureRequest) -> "Telling":
    server = None
    if rig.partitions and rig.world is None:
        server = request.getfixturevalue("nats")
    return Telling(rig, server)


class Telling:
    """A rig with the port beside it."""

    def __init__(self, rig: Rig, server: EmbeddedBroker | None) -> None:
        self.rig = rig
        self._server = server

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Recorder, RetainedMessages]]:
        async with self.rig.open() as recorder:
            if isinstance(self.rig.world, MemoryWorld):
                yield recorder, MemoryRetained(self.rig.world.broker, self.rig.broker)
            elif self._server is None:
                yield recorder, MqttRetained(self.rig.broker, 0)
            else:
                access = self._server.access
                async with open_bridge("retained") as bridge:
                    connection = await bridge.run(_connect, access.url, access.auth_password)
                    yield recorder, NatsRetained(bridge, connection, PARTITIONS)
                    await bridge.run(connection.close)


async def _connect(url: str, password: str) -> Any:
    return await nats.connect(url, user="auth", password=password)


def of(recorder: Recorder, code: str) -> list[Delivery]:
    place = prefix(U, code) + "/"
    return [each for each in recorder.deliveries if unmapped(each.topic).startswith(place)]


async def acknowledge_all(rig: Rig, recorder: Recorder) -> None:
    rig.acknowledge(*[each for each in recorder.deliveries if each.packet_id])
    sessions = {each.session for each in recorder.deliveries}
    await recorder.until(lambda: sessions <= {session for session, _, _ in recorder.confirmed})


async def found(port: RetainedMessages, code: str, many: int) -> list[Held]:
    """A message may be acknowledged a moment before it can be found."""
    with trio.fail_after(5):
        while len(held := await port.of_device(U, code)) != many:
            await trio.sleep(0.05)
    return sorted(held, key=lambda each: each.topic)


async def test_what_is_cleared_no_subscription_brings_and_the_rest_stays(
    telling: Telling, code: str
) -> None:
    place = prefix(U, code)
    async with telling.open() as (recorder, port):
        await telling.rig.publish(f"{place}/feeds/t", b"21.5", retain=True)
        await telling.rig.publish(f"{place}/status", b"online", retain=True)
        await recorder.until(lambda: len(of(recorder, code)) == 2)
        await acknowledge_all(telling.rig, recorder)
        held = await found(port, code, 2)
        assert [(unmapped(each.topic), each.size) for each in held] == [
            (f"{place}/feeds/t", 4),
            (f"{place}/status", 6),
        ]
    # Once it was brought the broker has it in its memory, too.
    async with telling.open() as (recorder, port):
        await recorder.until(lambda: len([d for d in of(recorder, code) if d.retain]) >= 2)
        await acknowledge_all(telling.rig, recorder)  # else a copy may be kept for us by itself
        reading = next(d for d in of(recorder, code) if d.retain and "feeds" in d.topic)
        (held_reading,) = [each for each in held if "feeds" in each.topic]
        assert held_reading.topic == reading.topic
        assert await port.clear([held_reading])
        assert await found(port, code, 1)
    async with telling.open() as (recorder, port):
        await recorder.until(lambda: [d for d in of(recorder, code) if d.retain])
        await trio.sleep(QUIET_S)
        assert {unmapped(d.topic) for d in of(recorder, code) if d.retain} == {f"{place}/status"}
        assert await port.clear(await port.of_device(U, code))
        assert await found(port, code, 0) == []


async def test_a_clearing_of_ours_comes_back_at_qos_0_or_not_at_all(
    telling: Telling, code: str
) -> None:
    async with telling.open() as (recorder, port):
        await telling.rig.publish(f"{prefix(U, code)}/feeds/t", b"1", retain=True)
        held = await found(port, code, 1)
        await recorder.until(lambda: of(recorder, code))
        assert await port.clear(held)
        if not port.tells:
            await recorder.until(lambda: len(of(recorder, code)) == 2)
        await trio.sleep(QUIET_S)
        echoes = [(d.payload, d.packet_id, d.retain) for d in of(recorder, code)[1:]]
        assert echoes == ([] if port.tells else [(b"", 0, False)])


async def test_of_a_broker_that_tells_a_newer_one_is_not_cleared(
    telling: Telling, code: str
) -> None:
    topic = f"{prefix(U, code)}/feeds/t"
    async with telling.open() as (_, port):
        await telling.rig.publish(topic, b"old", retain=True)
        old = await found(port, code, 1)
        await telling.rig.publish(topic, b"newer", retain=True)
        with trio.fail_after(5):
            while (newer := await port.of_device(U, code)) == old or not newer:
                await trio.sleep(0.05)
        if port.tells:
            assert await port.clear(old)
            assert await port.of_device(U, code) == newer
            assert newer[0].no > old[0].no
        assert await port.clear(newer)


async def test_a_broker_that_tells_lists_what_is_new_and_statuses_where_asked(
    telling: Telling, code: str
) -> None:
    place = prefix(U, code)
    async with telling.open() as (_, port):
        await telling.rig.publish(f"{place}/feeds/t", b"1", retain=True, qos=0)
        await telling.rig.publish(f"{place}/status", b"online", retain=True)
        await telling.rig.publish(f"{place}/feeds/u", b"2", retain=True)
        mine = await found(port, code, 3)

        async def listed(after: int, *, states: bool) -> list[tuple[str, int]]:
            held = await port.held(after, states=states)
            return [
                (unmapped(h.topic).removeprefix(place), h.qos) for h in held if place in h.topic
            ]

        if not port.tells:
            assert await port.limit() == 0
            assert await port.held(0, states=True) == []
        else:
            t, u, status = ("/feeds/t", 0), ("/feeds/u", 1), ("/status", 1)
            assert await listed(0, states=True) == [t, status, u]
            assert await listed(0, states=False) == [t, u]
            first = min(each.no for each in mine)
            assert await listed(first, states=False) == [u]
            assert await listed(max(each.no for each in mine), states=True) == []
        assert await port.clear(mine)


async def test_what_is_longer_than_anything_of_ours_is_brought_and_not_retained(
    telling: Telling, code: str
) -> None:
    async with telling.open() as (recorder, port):
        await port.limit()
        long = b"x" * (PAYLOAD_MAX + 10_000)
        await telling.rig.publish(f"{prefix(U, code)}/feeds/t", long, retain=True)
        await recorder.until(lambda: [d for d in of(recorder, code) if len(d.payload) == len(long)])
        held = await found(port, code, 0 if port.tells else 1)
        assert await port.clear(held)
