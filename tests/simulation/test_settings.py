"""Settings that change reach the actors that they concern, and leave the others alone."""

from typing import Any

import pytest

from actors.device import settings
from protocol.errors import Unavailable
from tests.simulation.device import VirtualDevice
from tests.simulation.person import Person
from tests.simulation.world import World

DEVICES = 5


def configured(world: World, since: int) -> list[str]:
    """The codes of the devices whose actors took settings since that line of the trace."""
    lines = [line.split() for line in world.trace.lines[since:]]
    return sorted(line[2].rpartition("/")[2] for line in lines if line[3:] == ["Configured"])


async def living(world: World) -> tuple[list[VirtualDevice], Person, Any]:
    """Devices whose actors live, their owner, and a feed that they share and have not written."""
    devices = [world.device(f"d{n}") for n in range(3)]
    for device in devices:
        await device.register()
    ada = world.person()
    feed = await ada.post("/feeds", {"key": "wind", "name": "Wind"})
    for device in devices:
        await device.status(firmware="1")
    await world.advance(1)
    return devices, ada, feed


async def test_a_shared_feed_that_changes_touches_those_that_have_written_it(world: World) -> None:
    devices = [world.device(f"d{n}") for n in range(DEVICES)]
    for device in devices:
        await device.register()
    ada = world.person()
    feed = await ada.post("/feeds", {"key": "wind", "name": "Wind"})
    for device in devices[:2]:
        await device.send("feeds/wind", b"1")
    for device in devices[2:]:
        await device.status(firmware="1")
    await world.settle()
    since = len(world.trace.lines)
    await ada.patch(f"/feeds/{feed['id']}", {"enabled": False})
    await world.settle()
    touched = configured(world, since)
    assert {"d0", "d1"} <= set(touched)
    assert len(touched) == 3  # and one by which the shared feeds are read
    for device in devices:
        await device.send("feeds/wind", b"2")
    await world.settle()
    refused = (await ada.get("/rejected-messages"))["items"]
    assert [each["reason"] for each in refused] == ["feed_disabled"] * DEVICES


async def test_a_new_shared_feed_is_known_to_actors_that_live(world: World) -> None:
    devices = [world.device(f"d{n}") for n in range(DEVICES)]
    for device in devices:
        await device.register()
        await device.status(firmware="1")
    await world.settle()
    since = len(world.trace.lines)
    ada = world.person()
    feed = await ada.post("/feeds", {"key": "wind", "name": "Wind"})
    for device in devices:
        await device.send("feeds/wind", b"1")
    await world.settle()
    assert len(configured(world, since)) == 1
    assert (await ada.get(f"/feeds/{feed['id']}"))["last_value"] == 1
    assert not (await ada.get("/rejected-messages"))["items"]


async def test_a_device_s_own_feed_touches_that_device(world: World) -> None:
    devices = [world.device(f"d{n}") for n in range(DEVICES)]
    for device in devices:
        await device.feed("t")
        await device.publish("t", 1)
    await world.settle()
    since = len(world.trace.lines)
    await world.person().patch(f"/feeds/{devices[3].feeds['t']}", {"enabled": False})
    await world.settle()
    assert configured(world, since) == ["d3"]


async def test_all_settings_are_read_in_portions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a device that starts meanwhile waits for one portion only."""
    monkeypatch.setattr(settings, "LOAD_MAX", 2)
    for n in range(DEVICES):
        await world.device(f"d{n}").register()
        await world.device(f"d{n}").status(firmware="1")
    await world.settle()
    asked: list[int] = []
    load = world.store.load_devices

    async def counted(keys: Any) -> Any:
        asked.append(len(keys))
        return await load(keys)

    monkeypatch.setattr(world.service.devices.loader._store, "load_devices", counted)
    world.service.devices.doubt(world.person().id)
    await world.advance(10)
    assert asked == [2, 2, 1]


async def test_a_state_that_is_made_while_others_read_takes_the_new_settings(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made from the old ones, and nobody told it."""
    devices, ada, feed = await living(world)
    await devices[0].send("feeds/wind", b"1")
    await world.advance(1)
    loader = world.service.devices.loader
    load = loader._store.load_devices

    async def slowly(keys: Any) -> Any:
        loaded = await load(keys)
        if devices[1].code not in [code for _, code in keys]:
            await devices[1].send("feeds/wind", b"2")
            await world.advance(0.1)
        return loaded

    monkeypatch.setattr(loader._store, "load_devices", slowly)
    await ada.patch(f"/feeds/{feed['id']}", {"enabled": False})
    await devices[1].send("feeds/wind", b"3")
    await world.advance(1)
    refused = (await ada.get("/rejected-messages"))["items"]
    assert [each["payload"] for each in refused] == ["3"]


async def test_shared_feeds_are_read_though_the_device_to_read_them_by_was_just_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices, ada, feed = await living(world)
    all_devices = world.service.devices
    stored = await world.store.feed(ada.id, feed["id"])
    assert stored is not None
    picked = all_devices._concerned(ada.id, stored)
    assert len(picked) == 1
    load = all_devices.loader._store.load_devices

    async def deleted(keys: Any) -> Any:
        found = await load(keys)
        return [None] if [code for _, code in keys] == picked else found

    monkeypatch.setattr(all_devices.loader._store, "load_devices", deleted)
    await ada.patch(f"/feeds/{feed['id']}", {"enabled": False})
    (other, *_) = (device for device in devices if device.code not in picked)
    await other.send("feeds/wind", b"3")
    await world.advance(1)
    refused = (await ada.get("/rejected-messages"))["items"]
    assert [each["reason"] for each in refused] == ["feed_disabled"]


async def test_a_change_does_not_wait_twice_for_a_store_that_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ada, feed = await living(world)
    store, asked = world.service.devices.loader._store, 0

    async def away(keys: Any) -> Any:
        nonlocal asked
        asked += 1
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "load_devices", away)
        await ada.patch(f"/feeds/{feed['id']}", {"enabled": False})
        assert asked == 1
    await world.settle()  # they take it later
