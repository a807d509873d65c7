"""What every broker promises us: one suite for the memory twin, NATS and Mosquitto."""

import itertools
from collections import Counter

import pytest
import trio

from actors.adapters.mqtt import sending
from actors.adapters.mqtt.plans import OUT
from actors.ports.broker import PUBLISH_MAX, Delivery, Publication
from protocol.device.publishing import PAYLOAD_MAX
from protocol.device.topics import parse_topic, partition, unmapped
from protocol.errors import Unpublishable
from tests.contract.brokers import WAIT_S, Recorder, Rig

U = "06b72fa5-f615-4659-a9f9-4d313aba495d"
_numbers = itertools.count()
# NATS sends an unacknowledged message again five seconds after its first delivery.
PATIENCE_S = 6.5


@pytest.fixture
def base() -> str:
    """The topics of a device that no other test has."""
    return f"users/{U}/devices/c{next(_numbers)}"


def mine(recorder: Recorder, base: str) -> list[Delivery]:
    return [d for d in recorder.deliveries if (unmapped(d.topic) + "/").startswith(base + "/")]


async def arrived(recorder: Recorder, base: str, count: int = 1) -> list[Delivery]:
    await recorder.until(lambda: len(mine(recorder, base)) >= count)
    return mine(recorder, base)


async def test_a_message_arrives_as_it_was_sent_and_is_gone_when_acknowledged(
    rig: Rig, base: str
) -> None:
    async with rig.open() as recorder:
        await rig.publish(f"{base}/feeds/t", b"\x00\xff 1")
        (delivery,) = await arrived(recorder, base)
        assert (delivery.payload, delivery.dup, delivery.retain) == (b"\x00\xff 1", False, False)
        assert delivery.packet_id > 0
        rig.acknowledge(delivery)
        await recorder.until(lambda: recorder.confirmed)
    async with rig.open() as recorder:
        await trio.sleep(PATIENCE_S if rig.partitions else 0.5)
        assert mine(recorder, base) == []


async def test_what_is_not_acknowledged_comes_again_after_a_restart(rig: Rig, base: str) -> None:
    async with rig.open() as recorder:
        await rig.publish(f"{base}/feeds/t", b"1")
        await arrived(recorder, base)
    async with rig.open() as recorder:
        (again,) = await arrived(recorder, base)
        assert again.payload == b"1"
        rig.acknowledge(again)
        await recorder.until(lambda: recorder.confirmed)


async def test_what_was_published_while_we_were_away_waits_for_us(rig: Rig, base: str) -> None:
    async with rig.open():
        pass
    for n in range(50):
        await rig.publish(f"{base}/feeds/t", b"%d" % n)
    async with rig.open() as recorder:
        deliveries = await arrived(recorder, base, 50)
        assert [d.payload for d in deliveries] == [b"%d" % n for n in range(50)]
        rig.acknowledge(*deliveries)
        await recorder.until(lambda: recorder.confirmed)


async def test_qos_0_has_no_packet_id(rig: Rig, base: str) -> None:
    async with rig.open() as recorder:
        await rig.publish(f"{base}/feeds/t", b"1", qos=0)
        (delivery,) = await arrived(recorder, base)
        assert delivery.packet_id == 0


async def test_readings_and_status_come_by_sessions_of_their_own(rig: Rig, base: str) -> None:
    async with rig.open() as recorder:
        for tail in ("feeds", "feeds/t", "status", "commands/c1/ack"):
            await rig.publish(f"{base}/{tail}", b"{}")
        deliveries = await arrived(recorder, base, 4)
        kinds = {
            unmapped(d.topic).removeprefix(base): d.session.rpartition("-")[0] for d in deliveries
        }
        assert kinds == {
            "/feeds": "roost-part",
            "/feeds/t": "roost-part",
            "/status": "roost-state",
            "/commands/c1/ack": "roost-state",
        }
        rig.acknowledge(*deliveries)
        await recorder.until(lambda: len({name for name, _, _ in recorder.confirmed}) >= 2)


WRONG = ("", "/", "/feeds/t/", "/feeds//t", "/feeds/a/b", "/telemetry", "/Status", "/tele/SENSOR")


async def test_wrong_topics_below_a_devices_prefix_reach_us_once(rig: Rig, base: str) -> None:
    async with rig.open():
        pass
    await rig.publish(f"{base}/first", b"1")  # waits, as everything does
    async with rig.open() as recorder:
        for tail in WRONG:
            await rig.publish(base + tail, b"1")
            await rig.publish(f"{base}/feeds/t", b"2")
            await rig.publish(f"{base}/feeds", b"{}")
            await rig.publish(f"{base}/status", b"{}")
            await rig.publish(f"{base}/commands/c1/ack", b"{}")
        await arrived(recorder, base, 5 * len(WRONG) + 1)
        await rig.publish(f"{base}/last", b"1")
        await recorder.until(lambda: any(d.topic == f"{base}/last" for d in recorder.deliveries))
        deliveries = await arrived(recorder, base)
        came = Counter(unmapped(d.topic).removeprefix(base) for d in deliveries)
        usual = ("/feeds/t", "/feeds", "/status", "/commands/c1/ack")
        assert came == {
            "/first": 1,
            "/last": 1,
            **dict.fromkeys(WRONG, 1),
            **dict.fromkeys(usual, len(WRONG)),
        }
        rig.acknowledge(*deliveries)
        await recorder.until(lambda: recorder.confirmed)


async def test_what_we_publish_to_a_device_is_taken_from_no_session(rig: Rig, base: str) -> None:
    async with rig.open() as recorder:
        command = Publication(f"{base}/commands", b"{}")
        assert list(await rig.broker.publish([command])) == [True]
        assert rig.broker.publish_nowait(f"{base}/errors", b"{}")
        await rig.publish(f"{base}/feeds/t", b"1")
        await recorder.until(lambda: len(recorder.copies) >= 2)
        (delivery,) = await arrived(recorder, base)
        rig.acknowledge(delivery)
        await recorder.until(lambda: recorder.confirmed)


async def test_a_device_is_in_the_partition_that_we_compute(rig: Rig, base: str) -> None:
    if not rig.partitions:
        pytest.skip("this broker maps nothing")
    async with rig.open() as recorder:
        for n in range(12):
            await rig.publish(f"{base}-{n}/feeds/t", b"1")
        await recorder.until(lambda: len(recorder.deliveries) >= 12)
        ours = [d for d in recorder.deliveries if unmapped(d.topic).startswith(base + "-")]
        assert len(ours) == 12
        for delivery in ours:
            k = partition(*parse_topic(delivery.topic).device, rig.partitions)
            assert delivery.session == f"roost-part-{k}"
            assert delivery.topic.startswith(f"part/{k}/")
        rig.acknowledge(*ours)
        await recorder.until(lambda: recorder.confirmed)


async def test_a_lost_connection_is_made_again_and_the_message_comes_again(
    rig: Rig, base: str
) -> None:
    async with rig.open() as recorder:
        await rig.publish(f"{base}/feeds/t", b"1")
        (first,) = await arrived(recorder, base)
        rig.drop(first.session)
        first_copy, again = (await arrived(recorder, base, 2))[:2]
        assert again.connection > first_copy.connection
        assert (again.payload, again.packet_id, again.dup) == (b"1", first.packet_id, True)
        rig.acknowledge(first)  # of a connection that is gone: this says nothing
        rig.acknowledge(again)
        await recorder.until(lambda: recorder.confirmed)
        assert all(number == again.connection for _, number, _ in recorder.confirmed)


async def test_the_broker_keeps_a_retained_message_and_says_so(rig: Rig, base: str) -> None:
    await rig.publish(f"{base}/status", b'{"status": "x"}', retain=True)
    try:
        async with rig.open() as recorder:
            await recorder.until(lambda: any(d.retain for d in mine(recorder, base)))
            rig.acknowledge(*mine(recorder, base))
            await recorder.until(lambda: recorder.confirmed)
    finally:
        await rig.publish(f"{base}/status", b"", retain=True)


async def test_what_we_publish_is_acknowledged_to_us(rig: Rig, base: str) -> None:
    async with rig.open():
        topic = f"{base}/commands"
        assert await rig.broker.publish([]) == []
        assert await rig.broker.publish([Publication(topic, b"{}")]) == [True]
        assert rig.broker.publish_nowait(f"{base}/errors", b"{}")

        async def some(first: int) -> None:
            batch = [Publication(topic, b"%d" % n) for n in range(first, first + PUBLISH_MAX)]
            assert await rig.broker.publish(batch) == [True] * PUBLISH_MAX

        async with trio.open_nursery() as nursery:
            for n in range(20):  # far beyond any receive-maximum
                nursery.start_soon(some, n * PUBLISH_MAX)


async def test_what_no_broker_takes_is_refused_alone_and_the_connection_stays(
    rig: Rig, base: str
) -> None:
    """A device's code with a wildcard in the database ended the connection of everybody's commands
    at each command for that device."""
    topic = f"{base}/commands"
    bad = [f"{base}#/commands", f"{base}+", f"{base}\0", f"{base} x", "", f"{base}/{'x' * 70_000}"]
    async with rig.open() as recorder:
        batch = [
            Publication(topic, b"1"),
            *(Publication(each, b"{}") for each in bad),
            Publication(topic, b"x" * (PAYLOAD_MAX + 1)),
            Publication(topic, b"x" * PAYLOAD_MAX),
        ]
        answers = await rig.broker.publish(batch)
        assert [each for each in answers if not isinstance(each, Unpublishable)] == [True, True]
        assert (answers[0], answers[-1]) == (True, True)
        for each in bad:
            assert not rig.broker.publish_nowait(each, b"{}")
        assert not rig.broker.publish_nowait(topic, b"x" * (PAYLOAD_MAX + 1))
        assert all(isinstance(a, Unpublishable) for a in await rig.broker.publish(batch[1:-1]))
        assert await rig.broker.publish(batch[:1]) == [True]
        assert recorder.lost == []


async def test_what_ends_the_connection_each_time_is_found_and_the_others_arrive(
    rig: Rig, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason: here our own bounds are gone."""
    monkeypatch.setattr(sending, "fault_of", lambda topic, payload: None)
    topic = f"{base}/commands"
    batch = [Publication(f"{topic}{n}", b"{}") for n in range(PUBLISH_MAX - 1)]
    batch.insert(5, Publication(f"{base}#/commands", b"{}"))
    async with rig.open() as recorder:
        left = {each.topic: each for each in batch}
        refused: list[str] = []
        with trio.fail_after(PATIENCE_S + WAIT_S):
            while left:
                sent = list(left.values())
                for each, answer in zip(sent, await rig.broker.publish(sent), strict=True):
                    if isinstance(answer, Unpublishable):
                        refused.append(each.topic)
                    if answer:
                        del left[each.topic]
                await trio.sleep(0.2)
        assert refused == [batch[5].topic]
        assert [name for name, _ in recorder.lost] == [OUT] * 3
        assert await rig.broker.publish(batch[5:6]) != [False]
        await recorder.until(lambda: [name for name, _ in recorder.connections].count(OUT) == 4)
        with trio.fail_after(WAIT_S):
            while not all(await rig.broker.publish(batch)):
                await trio.sleep(0.1)
        assert len(recorder.lost) == 3
