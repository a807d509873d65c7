"""After the faults: what an operator looks at first, and the alarms that the readings imply."""

from typing import TYPE_CHECKING

import trio

from actors.access.mqtt_credentials import username_of
from actors.ingest.retained_rules import stays, topic_of
from protocol.device.topics import prefix
from protocol.records import Feed
from tests.simulation.broken import Broken
from tests.simulation.plan import DEVICES, LIMIT
from web.ops.readiness import assess

if TYPE_CHECKING:
    from tests.simulation.world import World

# What was put aside is tried again after an hour at the latest.
READY_WITHIN_S = 4_000.0
LOOK_S = 20.0
# What devices say beside one that nobody can read: above every number of a plan.
BESIDE = 880_000.0
STORED_WITHIN_S = 60.0


async def well(world: "World") -> None:
    """I6: `/readyz` says `ready`, one process leads, the others stand by, and nothing is owed.

    Raises:
        Broken: it never comes to that.
    """
    last = "no answer"
    with trio.move_on_after(READY_WITHIN_S):
        while last := await _unwell(world):  # noqa: ASYNC110 (a probe asks now and then)
            await trio.sleep(LOOK_S)
    if last:
        raise Broken("I6", f"not well long after the faults: {last}")


async def _unwell(world: "World") -> str:
    living = world.replicas.living
    if not all(process.serving.is_set() for process in living):
        return "a process does not serve"
    leaders = [process for process in living if process.service.leadership.leads]
    if len(living) > 1 and len(leaders) != 1:
        return f"{len(leaders)} of {len(living)} processes lead"
    leader = await world.serving()
    for process in living:
        found = await assess(process.service)
        if found.status != ("ready" if process is leader else "standby"):
            return f"process {process.number}: {found.status}, {found.checks}"
    owed, _ = leader.service.own_sessions.unsettled()
    if owed or world.broker.waiting:
        return f"{owed} messages unsettled, {world.broker.waiting} at the broker"
    return await _retained(world)


async def _retained(world: "World") -> str:
    """What stays retained at the broker, and must not."""
    for text in world.broker.retained:
        topic = topic_of(text)
        if topic is None:
            continue
        (device,) = await world.store.load_devices([topic.device])
        if device is None:
            return f"{text} is retained, and its device is gone"
        if not stays(topic, is_seen=not world.broker.habits.partitions):
            return f"{text} is still retained"
    return ""


async def sessions_kept(world: "World") -> None:
    """I5: what the broker keeps goes with its login, and not before.

    Raises:
        Broken: it keeps something for who is gone, or nothing for who is there.
    """
    if not world.broker.habits.partitions:
        return  # a broker of somebody else's
    left: list[str] = []
    with trio.move_on_after(READY_WITHIN_S):
        while left := await _left_over(world):  # noqa: ASYNC110 (a probe asks now and then)
            await trio.sleep(LOOK_S)
    if left:
        raise Broken("I5", f"sessions that belong to nobody: {left}")
    there = [each.client_id for each in world.store._logins.values()]
    if missing := [each for each in there if each not in world.broker.clients.sessions]:
        raise Broken("I6", f"sessions that went, and their devices are there: {missing}")


async def _left_over(world: "World") -> list[str]:
    names = {each: username_of(each) or "" for each in world.broker.clients.sessions}
    issued = await world.store.issued(list(names.values()))
    return [each for each, name in names.items() if name not in issued]


async def alarmed(world: "World", names: tuple[str, ...], spoiled: set[str]) -> None:
    """I1: a feed whose last value is above its limit has an open alarm, and else none.

    Args:
        spoiled: devices ("owner/code") of which a reading was judged, and then refused by the
            store: the alarm is that of the reading, and the last value another one's.
    """
    excepted = {world.device(*reversed(name.split("/"))).id for name in spoiled}
    for name in names:
        for feed in await world.store.feeds(world.person(name).id, 1_000, 0):
            # With its device its alarms are deleted.
            is_kept = feed.key == "limited" and feed.device_id not in (None, *excepted)
            if is_kept and isinstance(feed.last_value, float) and not _is_outdone(world, feed):
                _check_alarm(world, name, feed, is_above=feed.last_value > LIMIT)


def _is_outdone(world: "World", feed: Feed) -> bool:
    """Whether the store refused a reading of the device that was newer than the last one it has:
    the alarm was judged by that."""
    device = next(d for d in world.store._devices.values() if d.id == feed.device_id)
    topic = f"{prefix(device.user_id, device.code)}/feeds"
    refused = [row for _, row in world.store._rejections if row.topic == topic]
    newest_us = max((r.received_us for r in refused if r.reason == "unstorable"), default=0)
    return newest_us > (feed.last_us or 0)


def _check_alarm(world: "World", name: str, feed: Feed, *, is_above: bool) -> None:
    alarms = [each for each in world.store.all_alarms.values() if each.feed_num == feed.num]
    if any(each.is_open for each in alarms) != is_above:
        said = f"the last value is {feed.last_value}, its alarms {alarms}"
        raise Broken("I1", f"{name}'s feed {feed.id}: {said}")


async def blocks_nobody(world: "World") -> None:
    """I6: a device whose row nobody can read holds up no other, and no other that is loaded with it
    is put aside. It is read again when its row is well.

    Raises:
        Broken: another one's reading is not stored, or another one was put aside.
    """
    began = len(world.trace.lines)
    bad, *others = (world.device(code, owner) for owner, code in DEVICES[:3])
    key = bad.person.id, bad.code
    world.store_faults.bad_devices.append(key)
    world.kill()
    ts = world.clock.now_us() // 1000
    for device in (bad, *others):  # which the next process hears at once, and loads together
        await device.publish("by-ts", BESIDE, ts=ts)
    await trio.sleep(1)
    world.start()
    with trio.move_on_after(STORED_WITHIN_S):
        for device in others:
            while await device.last("by-ts") != BESIDE:  # noqa: ASYNC110 (a probe)
                await trio.sleep(1)
        world.store_faults.bad_devices.remove(key)
        aside = [line for line in world.trace.lines[began:] if "put aside {'work': 'dev" in line]
        if wrong := [line for line in aside if bad.name not in line]:
            raise Broken("I6", f"put aside beside {bad.name}: {wrong}")
        return
    raise Broken("I6", f"readings of others wait for {bad.name}, whose row cannot be read")
