"""After all faults: every device says one last thing, and everybody must know it.

Late words follow: an older reading, the will of an earlier boot. They change nothing but history.
"""

from typing import Any

from tests.simulation import quiet
from tests.simulation.broken import Broken
from tests.simulation.device import VirtualDevice
from tests.simulation.plan import DEVICES, LIMIT
from tests.simulation.screen import Screen
from tests.simulation.world import World

LAST = 900_000  # above every number of a plan, below LIMIT
LAST_SESSION = 1_000


async def final_checks(world: World, screens: list[Screen]) -> None:
    """Raises `Broken` when somebody does not know the last words, or took late ones for them."""
    world.store.poison = set()
    async with world.dashboard("ada") as ada, world.dashboard("bob", batch=True) as bob:
        devices = [world.device(code, owner) for owner, code in DEVICES]
        said = {}
        for n, device in enumerate(devices):
            said[device.name] = await last_words(world, device, LAST + 10 * n)
        await world.settle()
        for n, device in enumerate(devices):
            await late_words(world, device, LAST + 10 * n)
        await world.settle()
        for device in devices:
            await check_device(world, device, *said[device.name])
        for screen in [ada, bob, *(s for s in screens if s.is_calm)]:
            await check_screen(screen, said, devices)


async def last_words(world: World, device: VirtualDevice, number: int) -> tuple[int, int]:
    """A report, a reading, a violation. Answers with the time (ms) and the reading's value."""
    await world.advance(1)
    ts = world.clock.now_us() // 1000
    await device.status(
        status="online", temperature=number, ts=ts, session=LAST_SESSION, firmware="last"
    )
    await device.publish("by-ts", number, ts=ts)
    await device.publish("limited", LIMIT + number, ts=ts)
    await device.publish("strict", number, ts=ts)
    await device.publish("tuned", number + 1, ts=ts)
    return ts, number


async def late_words(world: World, device: VirtualDevice, number: int) -> None:
    """All of it is older than what was said before."""
    long_ago = world.clock.now_us() // 1000 - 7_200_000
    await device.publish("by-ts", number + 2, ts=long_ago)
    await device.publish("limited", number + 3, ts=long_ago)
    await device.publish("strict", LIMIT + number + 4, ts=long_ago)
    await device.status(status="offline", session=LAST_SESSION - 1)
    await device.status(temperature=1, ts=long_ago, session=LAST_SESSION)


async def check_device(world: World, device: VirtualDevice, ts: int, number: int) -> None:
    """In the store, and over REST."""
    last = await device.last("by-ts")
    if last != number:
        raise Broken("I3", f"last value of {device.name}: {last}, said last: {number}")
    state = await device.state()
    told = state["status"], state["temperature"], state["firmware"]
    if told != ("online", number, "last"):
        raise Broken("I3", f"{device.name} is {told}, said last: online, {number}")
    for key, is_open in (("limited", True), ("strict", False)):
        alarms = await _open_alarms(world, device, key)
        if bool(alarms) != is_open:
            raise Broken("I3", f"{device.name}/{key}: open alarms {alarms}")
    settings = await device.person.get(f"/feeds/{device.feeds['tuned']}")
    top = settings["max_value"]
    wanted = settings["enabled"] and (top is None or number + 1 <= top)
    if (number + 1 in await device.values("tuned")) != wanted:
        raise Broken("I6", f"{device.name}/tuned was judged by old settings, not {settings}")


async def _open_alarms(world: World, device: VirtualDevice, key: str) -> list[Any]:
    feed = await world.store.feed(device.person.id, device.feeds[key])
    stored = await world.store.device(device.person.id, device.id)
    assert feed is not None
    assert stored is not None
    alarms = world.store.all_alarms.values()
    return [a for a in alarms if (a.feed_num, a.device_num) == (feed.num, stored.num) and a.is_open]


async def check_screen(
    screen: Screen, said: dict[str, tuple[int, int]], devices: list[VirtualDevice]
) -> None:
    """A dashboard's picture is the picture that REST gives."""
    mine = [device for device in devices if device.person is screen.person]
    for device in mine:
        _, number = said[device.name]
        seen = screen.devices.get(device.id)
        shown = {k: v for k, v in (await device.state()).items() if seen and k in seen}
        if seen != shown:
            differs = {k: (v, shown.get(k)) for k, v in (seen or {}).items() if v != shown.get(k)}
            raise Broken("I3", f"a dashboard of {device.name} and REST differ: {differs or seen}")
        value = screen.values.get(device.feeds["by-ts"])
        if (value is None or value[1] != number) and not screen.has_lost:
            raise Broken("I3", f"a dashboard shows {value} of {device.name}, said last: {number}")
    others = {key for key, seen in screen.devices.items() if seen["device_code"] != quiet.CODE}
    extra = others - {device.id for device in mine}
    if extra:
        raise Broken("I3", f"a dashboard shows devices that are not there: {sorted(extra)}")
