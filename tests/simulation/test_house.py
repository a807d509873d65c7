"""Gateway, actors, writer and web together, with faults, on virtual time."""

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
import trio

from actors.ports import FeedPage
from protocol.topics import prefix
from tests.conftest import Logs
from tests.simulation.world import Person, World, feeds_of, simulate

SEEDS = range(60)
DEVICES = 4
MESSAGES = 120
KINDS = ("by-ts", "by-id", "bare", "wrong")
EXPECTED = ("message set aside", "actor given up")


class Sent:
    """What the devices published, and what must have become of it."""

    def __init__(self) -> None:
        self.values: dict[str, Counter[float]] = {kind: Counter() for kind in KINDS}
        self.count = 0


async def publish(world: World, user_id: str, sent: Sent) -> None:
    """Devices talk at random moments; each value is unique, so that nothing is ambiguous."""
    for n in range(MESSAGES):
        device = world.rng.randrange(DEVICES)
        kind = world.rng.choice(KINDS)
        body: dict[str, Any] = {"value": n if kind != "wrong" else f"not a number {n}"}
        if kind == "by-ts":
            body["ts"] = 1_789_990_000 + n
        if kind == "by-id":
            body["id"] = f"message-{n}"
        topic = f"{prefix(user_id, f'd{device}')}/feeds/{kind}"
        for _ in range(1 if kind in ("bare", "wrong") else world.rng.choice((1, 1, 2))):
            world.broker.publish_from_device(topic, json.dumps(body).encode())
            sent.count += 1
        sent.values[kind][n] += 1
        await trio.sleep(world.rng.expovariate(4.0))


async def misfortune(world: World) -> None:
    """Faults of every kind, at random moments."""
    sessions = [plan.client_id for plan in world.broker.sessions]
    while True:
        await trio.sleep(world.rng.uniform(0.2, 3.0))
        fault = world.rng.choice(("drop", "restart", "away", "slow", "answer", "crash"))
        world.note(f"fault: {fault}")
        match fault:
            case "drop":
                world.broker.drop(world.rng.choice(sessions))
            case "restart":
                world.broker.restart()
            case "away":
                world.store.away = True
                await trio.sleep(world.rng.uniform(0.1, 8.0))
                world.store.away = False
            case "slow":
                world.store.delay_s = world.rng.uniform(0.01, 1.0)
                await trio.sleep(2)
                world.store.delay_s = 0.0
            case "answer":
                world.store.answers_to_lose += 1
            case "crash":
                world.crash_one_in = 8
                await trio.sleep(0.5)
                world.crash_one_in = 0


async def furnish(world: World) -> str:
    async with world.open():
        ada = await Person(world, "ada@example.org").sign_up()
        for n in range(DEVICES):
            made = await ada.post("/devices", {"device_code": f"d{n}", "name": f"d{n}"})
            for kind in KINDS:
                await ada.post("/feeds", {"key": kind, "name": kind, "device_id": made["id"]})
    return ada.id


async def live(world: World, user_id: str, sent: Sent) -> None:
    """The house lives and is killed at any await, three times; the devices go on all the while."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(publish, world, user_id, sent)
        for _ in range(3):
            with trio.CancelScope() as kill:
                async with world.open(), trio.open_nursery() as faults:
                    faults.start_soon(misfortune, world)
                    await trio.sleep(world.rng.uniform(1, 12))
                    world.kill()
                    kill.cancel()
            world.store.away, world.store.delay_s, world.crash_one_in = False, 0.0, 0
            await trio.sleep(world.rng.uniform(0, 3))
    world.store.answers_to_lose = 0


async def check(world: World, user_id: str, sent: Sent) -> None:
    stored: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for feed in await feeds_of(world, user_id):
        readings = await world.store.feed_values(FeedPage(feed_num=feed.num, limit=10_000))
        stored[feed.key] += [float(reading.value) for reading in readings]
        if readings and feed.key == "by-ts":
            newest = readings[0]
            assert (feed.last_us, feed.last_value) == (newest.ts_us, newest.value), "I3"
    refused = await world.store.rejections(user_id, 10_000, None)
    aside = {json.loads(r.payload)["value"] for r in refused if r.reason == "internal_error"}
    for kind in ("by-ts", "by-id", "bare"):
        wanted = set(sent.values[kind])
        assert set(stored[kind]) | (aside & wanted) == wanted, f"I1: {kind}"
        assert len(stored[kind]) == len(set(stored[kind])), f"I2: {kind}"
    wrong = Counter(json.loads(r.payload)["value"] for r in refused if r.reason == "bad_value")
    assert set(wrong) | aside >= {f"not a number {n}" for n in sent.values["wrong"]}, "I1: wrong"
    total = world.house.accounts.total
    assert total.in_flight == 0, "I4"
    for ledger in world.house.gateway.ledgers.values():
        assert ledger.in_flight == 0, "a receipt was forgotten"


async def a_life_with_faults(world: World) -> None:
    sent = Sent()
    user_id = await furnish(world)
    await live(world, user_id, sent)
    async with world.open():
        await world.settle()
        await check(world, user_id, sent)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_doubled_whatever_fails(seed: int, logs: Logs) -> None:
    for event in EXPECTED:
        logs.claim(event)
    world = simulate(seed, a_life_with_faults)
    assert any("fault" in line for line in world.trace)


def test_the_same_seed_gives_the_same_trace(logs: Logs) -> None:
    for event in EXPECTED:
        logs.claim(event)
    first = simulate(4, a_life_with_faults)
    assert first.digest == simulate(4, a_life_with_faults).digest
    assert first.digest != simulate(5, a_life_with_faults).digest


async def a_dashboard_watches(world: World) -> None:
    async with world.open():
        ada = await Person(world, "ada@example.org").sign_up()
        made = await ada.post("/devices", {"device_code": "d", "name": "D"})
        feed = await ada.post("/feeds", {"key": "t", "name": "T", "device_id": made["id"]})
        base = made["mqtt"]["topic_prefix"]
        frames: list[dict[str, Any]] = []
        async with ada.socket() as socket:
            frames.append(json.loads(await socket.receive()))
            world.broker.publish_from_device(f"{base}/feeds/t", b'{"value": 21.5}')
            while len(frames) < 3:
                frames.append(json.loads(await socket.receive()))
            world.broker.publish_from_device(f"{base}/status", b'{"status": "sleeping"}')
            frames.append(json.loads(await socket.receive()))
        assert frames[0]["type"] == "device_list"
        assert [frame["seq"] for frame in frames] == [1, 2, 3, 4]
        values = [f for f in frames if f["type"] == "feed_value"]
        assert [(f["feed_id"], f["value"]) for f in values] == [(feed["id"], 21.5)]
        updates = [f["device"]["status"] for f in frames if f["type"] == "device_update"]
        assert updates[-1] == "sleeping"
        await world.settle()
        page = await ada.get(f"/feed-values/{feed['id']}")
        assert [item["value"] for item in page["items"]] == [21.5]
        (device,) = (await ada.get("/devices"))["items"]
        assert device["status"] == "sleeping"


def test_a_reading_goes_from_the_broker_to_the_screen_and_to_the_store() -> None:
    simulate(1, a_dashboard_watches)


async def a_stand_still(world: World) -> None:
    async with world.open():
        ada = await Person(world, "ada@example.org").sign_up()
        async with ada.socket() as socket:
            await socket.receive()
            world.broker.drop("roost-state-0")
            assert json.loads(await socket.receive())["type"] == "stale"
            assert json.loads(await socket.receive())["type"] == "fresh"


def test_a_dashboard_hears_when_live_data_stands_still() -> None:
    simulate(1, a_stand_still)


async def a_switch_says_the_same_after_a_quiet_night(world: World) -> None:
    """A payload without `ts` that was confirmed long ago is a new message after a restart."""
    async with world.open():
        ada = await Person(world, "ada@example.org").sign_up()
        made = await ada.post("/devices", {"device_code": "d", "name": "D"})
        feed = await ada.post("/feeds", {"key": "s", "name": "S", "kind": "bool"})
        topic = f"{made['mqtt']['topic_prefix']}/feeds/s"
        world.broker.publish_from_device(topic, b"true")
        await trio.sleep(12 * 3600)
    async with world.open():
        await trio.sleep(1)
        world.broker.publish_from_device(topic, b"true")
        await world.settle()
        page = await ada.get(f"/feed-values/{feed['id']}")
        assert len(page["items"]) == 2


def test_a_switch_that_repeats_itself_after_a_restart_is_heard() -> None:
    simulate(1, a_switch_says_the_same_after_a_quiet_night)


async def settings_change_while_the_database_stumbles(world: World) -> None:
    async with world.open() as house:
        ada = await Person(world, "ada@example.org").sign_up()
        made = await ada.post("/devices", {"device_code": "d", "name": "D"})
        feed = await ada.post("/feeds", {"key": "t", "name": "T", "device_id": made["id"]})
        topic = f"{made['mqtt']['topic_prefix']}/feeds/t"
        world.broker.publish_from_device(topic, b"1")
        await trio.sleep(1)
        stored = await world.store.feed(ada.id, feed["id"])
        assert stored is not None
        await world.store.update_feed(msgspec.structs.replace(stored, enabled=False))
        world.store.away = True
        await house.devices.refresh(ada.id)  # the store goes away between change and refresh
        await trio.sleep(5)
        world.store.away = False
        await trio.sleep(5)
        world.broker.publish_from_device(topic, b"2")
        await world.settle()
        assert house.accounts.total.refused == 1


def test_settings_that_could_not_be_taken_at_once_are_taken_later() -> None:
    simulate(1, settings_change_while_the_database_stumbles)


async def a_flood_of_large_payloads(world: World) -> None:
    async with world.open() as house:
        ada = await Person(world, "ada@example.org").sign_up()
        made = await ada.post("/devices", {"device_code": "d", "name": "D"})
        topic = f"{made['mqtt']['topic_prefix']}/feeds/t"
        world.store.away = True
        for n in range(200):
            world.broker.publish_from_device(topic, b"%d" % n + b"x" * 800_000)
        await trio.sleep(5)
        assert house.gateway.bytes_in_flight < 1_000_000
        world.store.away = False
        await world.settle()
        assert house.accounts.total.refused == 200


def test_payloads_that_are_refused_for_their_size_are_not_held() -> None:
    simulate(1, a_flood_of_large_payloads)
