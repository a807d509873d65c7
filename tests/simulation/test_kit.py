"""The kit as an engineer uses it: small stories of a whole installation."""

import inspect
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from tests.simulation.lived import FOUND_AT, seed_of
from tests.simulation.options import parts_of
from tests.simulation.person import Refused
from tests.simulation.world import World

ROOT = Path(__file__).parents[2]


async def test_a_crash_between_two_readings_loses_neither(world: World) -> None:
    shed = world.device("shed")
    async with world.dashboard() as screen:
        await shed.publish("temperature", 21.5)
        await world.advance(1)
        world.fault("store away", seconds=30)  # nothing can be committed
        await shed.publish("temperature", 22.0)
        await world.restart()  # kill -9, and a new process
        await world.settle()
        assert sorted(await shed.values("temperature")) == [21.5, 22.0]
        assert screen.devices[shed.id]["status"] == "online"


def test_parts_are_of_one_size_and_who_asks_for_one_life_is_in_one_part() -> None:
    asked = [{"name": name} for name in FOUND_AT] + [{"source": seed} for seed in range(300)]
    items = [SimpleNamespace(callspec=SimpleNamespace(params=each)) for each in [*asked, {}, {}]]
    parts = parts_of(items, 2)
    half = len(items) // 2
    assert sorted(len(part) for part in parts) == [half, len(items) - half]
    seeds = [{seed_of(item) for item in part} - {None} for part in parts]
    assert not seeds[0] & seeds[1]


def test_the_manuals_show_a_test_that_runs() -> None:
    told = inspect.getsource(test_a_crash_between_two_readings_loses_neither)
    for manual in ("README.md", "docs/testing.md"):
        assert told in (ROOT / manual).read_text(), manual


async def test_a_reading_is_on_the_screen_before_it_is_committed(world: World) -> None:
    shed = world.device("shed")
    await shed.publish("temperature", 20.0)
    async with world.dashboard() as screen:
        world.fault("store away", seconds=5)
        await world.advance(0.1)
        started_s = trio.current_time()
        await shed.publish("temperature", 21.5)
        assert (await screen.next("feed_value"))["value"] == 21.5
        assert trio.current_time() - started_s < 0.1
    await world.settle()
    assert await shed.values("temperature") == [21.5, 20.0]


async def test_a_crashed_actor_is_invisible_to_its_neighbours(world: World) -> None:
    shed, barn = world.device("shed"), world.device("barn")
    await shed.feed("t")
    await barn.feed("t")
    world.crash("device", "shed", times=2)
    await shed.publish("t", 1.0)
    await shed.publish("t", 2.0)
    await barn.publish("t", 3.0)
    await world.settle()
    assert await barn.values("t") == [3.0]
    assert await shed.values("t") == [2.0]
    (refused,) = (await world.person().get("/rejected-messages"))["items"]
    assert (refused["reason"], refused["payload"]) == ("internal_error", '{"value": 1.0}')
    assert world.trace.fired["actor crash, same message again"] == 1


async def test_a_dashboard_shows_devices_as_they_are_and_hears_when_one_goes(world: World) -> None:
    shed = await world.device("shed").register()
    async with world.dashboard() as screen, world.dashboard("bob") as stranger:
        await shed.status(status="sleeping", firmware="1.2")
        await screen.until(lambda: screen.devices[shed.id]["status"] == "sleeping")
        await shed.person.delete(f"/devices/{shed.id}")
        await screen.until(lambda: shed.id not in screen.devices)
        assert [frame["seq"] for frame in screen.frames] == list(range(1, len(screen.frames) + 1))
        assert stranger.devices == {}
        assert [frame["type"] for frame in stranger.frames] == ["device_list"]


async def test_a_will_makes_a_device_offline_unless_it_has_started_again(world: World) -> None:
    shed = await world.device("shed").register()
    shed.connect(status="offline", session=1)
    await shed.status(status="online", session=1)
    shed.vanish()
    await world.settle()
    assert (await shed.state())["status"] == "offline"
    await shed.status(status="online", session=2)
    await shed.status(status="offline", session=1)  # the will of the boot before, late
    await world.settle()
    assert (await shed.state())["status"] == "online"


async def test_a_dashboard_hears_when_live_data_stands_still(world: World) -> None:
    async with world.dashboard() as screen:
        world.fault("line cut", target="roost-state-0")
        assert (await screen.next("stale"))["since"].endswith("Z")
        await screen.next("fresh")


async def test_a_switch_that_repeats_itself_after_a_quiet_night_is_heard(world: World) -> None:
    """A payload without `ts` that was confirmed long ago is a new message after a restart."""
    door = world.device("door")
    await door.publish("open", True)
    await world.advance(12 * 3600)
    await world.restart()
    await world.advance(1)
    await door.publish("open", True)
    await world.settle()
    assert await door.values("open") == [True, True]


async def test_what_the_process_had_not_committed_comes_again_after_its_death(world: World) -> None:
    shed = world.device("shed")
    await shed.feed("t")
    world.fault("store away", seconds=3)
    await world.advance(0.1)
    for n in range(20):
        await shed.publish("t", float(n))
    await world.advance(1)
    assert world.service.gateway.room.messages == 20
    await world.restart(down_s=4)
    await world.settle()
    assert sorted(await shed.values("t")) == [float(n) for n in range(20)]


async def test_payloads_that_are_refused_for_their_size_are_not_held(world: World) -> None:
    shed = await world.device("shed").register()
    world.fault("store away", seconds=6)
    await world.advance(0.1)
    for n in range(200):
        await shed.send("feeds/t", b"%d" % n + b"x" * 800_000)
    await world.advance(5)
    assert world.service.gateway.room.payload_bytes < 1_000_000
    await world.settle()
    assert world.service.counters.total.refused == 200


async def test_a_slow_dashboard_gets_the_newest_of_each_feed_and_slows_nobody(
    world: World,
) -> None:
    shed = world.device("shed")
    await shed.feed("t")
    async with world.dashboard() as fast, world.dashboard(pace_s=1.0) as slow:
        for n in range(30):
            await shed.publish("t", float(n), ts=1_789_999_000 + n)
        await fast.until(lambda: (fast.values.get(shed.feeds["t"]) or ("", 0))[1] == 29.0)
        quick_s = trio.current_time()
        await slow.until(lambda: (slow.values.get(shed.feeds["t"]) or ("", 0))[1] == 29.0)
        assert trio.current_time() > quick_s + 5


async def test_who_leads_again_says_to_listeners_what_is_stored(world: World) -> None:
    shed = await world.device("shed").register()
    await world.listeners.register("ada")
    await shed.status(status="online", temperature=7)
    await world.settle()
    await world.listeners.check()

    assert (await world.store.hold_lead("other", 60.0, seize=True)).epoch == 2
    await world.advance(10)  # until it is known here
    for plan in world.broker.plans:
        if plan.persistent:  # which that one has now
            world.broker.drop(plan.client_id)
    (topic,) = [topic for topic in world.broker.kept if topic.endswith("/status")]
    world.broker.take(topic, b"{}", retain=True)  # which that one said
    await world.advance(5)
    assert world.broker.kept[topic] == b"{}"
    await world.store.resign_lead("other")
    await world.settle()
    await world.listeners.check()


async def test_somebody_else_s_things_are_not_there(world: World) -> None:
    shed = world.device("shed")
    feed = await shed.feed("t")
    bob = await world.person("bob").sign_up()
    for path in (f"/devices/{shed.id}", f"/feeds/{feed}", f"/feed-values/{feed}"):
        with pytest.raises(Refused, match="404"):
            await bob.get(path)


async def test_the_trace_tells_who_handled_what_and_which_fault(world: World) -> None:
    shed = world.device("shed")
    await shed.publish("t", 1.0)
    world.fault("line cut", target="roost-out")
    await world.settle()
    trace = "\n".join(world.trace.lines)
    assert "device ada/shed" in trace
    assert f"ReadingsReceived feeds/t {json.dumps({'value': 1.0})!r}" in trace
    assert "FAULT                    line cut roost-out" in trace


async def test_when_all_is_calm_the_clock_is_set_right_and_whoever_waits_for_it_hears(
    world: World,
) -> None:
    """What was due stayed pending: a timer that nothing else wakes sleeps by the clock set back."""
    world.clock.jump(-3_600)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.clock.wait_set)
        await trio.testing.wait_all_tasks_blocked()
        world.calm()
    assert world.clock.offset_s == 0
