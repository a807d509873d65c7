"""One process leads, whatever becomes of store, broker and processes, and settles what it took."""

import pytest
import trio

from actors.adapters.memory.broker.habits import MOSQUITTO_5, NATS, Habits
from actors.adapters.memory.store.line import StoreLine
from actors.ingest.canaries import EVERY_S
from actors.ports.store import Batch, Committed
from actors.pulse import Pulse
from actors.service import PATIENCE_CANARIES
from protocol.errors import Fenced
from protocol.times import SECOND_US
from tests.simulation.asgi import request
from tests.simulation.device import VirtualDevice
from tests.simulation.process import Process
from tests.simulation.running import simulate
from tests.simulation.world import World
from tests.support.lists import devices_of
from web.ops.readiness import assess

BOTH = pytest.mark.parametrize("habits", [NATS, MOSQUITTO_5], ids=["nats", "mosquitto"])


@BOTH
def test_an_outage_of_the_store_leaves_nothing_unacknowledged_and_no_alarm_unraised(
    habits: Habits,
) -> None:
    """The only process found a new epoch after the outage, took its own batch for another leader's,
    and forgot it on connections that stayed: messages waited for the next restart, and the alarm in
    the batch was never raised, because its actor took it for open."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t", max_value=50.0, on_violation="flag")
            await shed.publish("t", 1.0)
            await world.settle()
            world.fault("store away", seconds=10)
            await world.advance(0.01)
            for n in range(20):
                await shed.publish("t", float(n + 100))
            await world.advance(12)
            connections = world.service.own_sessions.connections()
            await world.settle()
            assert world.broker.waiting == 0
            assert sorted(await shed.values("t")) == [1.0, *(float(n + 100) for n in range(20))]
            (alarm,) = (await shed.person.get("/alarms"))["items"]
            assert alarm["state"] == "active"
            assert all(connections.values())

    simulate(World(1, habits), story)


@BOTH
def test_a_commit_refused_for_its_epoch_though_nobody_else_leads_loses_nothing(
    habits: Habits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody took the row of the lead away and put it back: the commit between was refused, its
    messages were never acknowledged, its alarm never raised, and `/readyz` said all is well."""
    commit = StoreLine.commit
    refusals = 0

    async def refusing(self: StoreLine, batch: Batch) -> Committed:
        nonlocal refusals
        if refusals and any(unit.readings for unit in batch.units):
            refusals -= 1
            raise Fenced("nobody leads")
        return await commit(self, batch)

    monkeypatch.setattr(StoreLine, "commit", refusing)

    async def story(world: World) -> None:
        nonlocal refusals
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t", max_value=50.0, on_violation="flag")
            await shed.publish("t", 1.0)
            await world.settle()
            refusals = 2
            for n in range(20):
                await shed.publish("t", float(n + 100), ts=world.clock.now_us() // 1000)
                await world.advance(0.01)
            await world.advance(15)
            await world.settle()
            assert refusals == 0
            assert world.broker.waiting == 0
            assert sorted(await shed.values("t")) == [1.0, *(float(n + 100) for n in range(20))]
            (alarm,) = (await shed.person.get("/alarms"))["items"]
            assert alarm["state"] == "active"

    simulate(World(1, habits), story)


HANGS_S = 30.0
REPLACED_WITHIN_S = 5.0
GIVES_WAY_WITHIN_S = PATIENCE_CANARIES * EVERY_S + REPLACED_WITHIN_S


async def settled(world: World, process: Process) -> None:
    """Until the process that leads has settled all that the broker has."""
    with trio.fail_after(60):
        while world.broker.waiting or process.service.own_sessions.unsettled()[0]:  # noqa: ASYNC110
            await trio.sleep(0.5)


async def leads(process: Process, within_s: float) -> None:
    await process.serving.wait()
    with trio.fail_after(within_s):
        while not process.service.leadership.leads:  # noqa: ASYNC110
            await trio.sleep(0.1)


async def speak(world: World, shed: VirtualDevice, values: range) -> None:
    """One reading each half second, each with its time."""
    for value in values:
        await shed.publish("t", float(value), ts=world.clock.now_us() // 1000)
        await world.advance(0.5)


async def status_of(process: Process) -> str:
    return (await assess(process.service)).status


@BOTH
def test_a_leader_that_hangs_is_replaced_and_what_it_had_is_fetched_again(habits: Habits) -> None:
    """Its lock's connection was kept alive by the kernel; and when it went on it took the sessions
    back, again and again. Its alarm was never raised."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t", max_value=50.0, on_violation="flag")
            await shed.publish("t", 1.0, ts=world.clock.now_us() // 1000)
            await world.settle()
            one = await world.serving()
            other = world.start()
            await world.advance(5)
            assert await status_of(other) == "standby"
            world.fault("store away", seconds=1)
            await world.advance(0.01)
            await shed.publish("t", 55.0, ts=world.clock.now_us() // 1000)
            await world.advance(0.1)
            assert one.service.own_sessions.unsettled()[0]
            one.hang(HANGS_S)
            began_s = trio.current_time()
            await shed.publish("t", 60.0, ts=world.clock.now_us() // 1000)
            await leads(other, REPLACED_WITHIN_S * world.pulse.beat_s)
            await speak(world, shed, range(70, 80))
            await world.advance(began_s + HANGS_S + 1 - trio.current_time())
            await speak(world, shed, range(80, 90))
            await settled(world, other)
            assert not one.service.leadership.leads
            assert (one.service.leadership.epoch, other.service.leadership.epoch) == (1, 2)
            assert await status_of(one) == "standby"
            sessions = one.service.own_sessions
            assert sessions.unsettled()[0] == 0  # it counted what the other one settled
            assert sessions.connected_count == 1  # the one that it sends by
            assert sorted(await shed.values("t")) == [1.0, 55.0, 60.0, *map(float, range(70, 90))]
            (alarm,) = (await shed.person.get("/alarms"))["items"]
            assert alarm["state"] == "active"
            # And back: nothing of its first life is in the way.
            other.kill()
            await leads(one, REPLACED_WITHIN_S * world.pulse.beat_s)
            await speak(world, shed, range(90, 95))
            await settled(world, one)
            assert len(await shed.values("t")) == 28

    simulate(World(1, habits), story)


@BOTH
def test_devices_are_judged_by_what_was_changed_through_a_standby(habits: Habits) -> None:
    """The leader's living actors went by the old settings until they ended, and its dashboards
    missed what was added."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            feed_id = await shed.feed("t", max_value=50.0, on_violation="reject")
            await shed.publish("t", 20.0)
            await world.settle()
            leader = await world.serving()
            other = world.start()
            await world.advance(5)
            assert await status_of(other) == "standby"
            async with world.dashboard() as screen:
                await world.advance(1)
                for path, method, body in (
                    (f"/api/v1/feeds/{feed_id}", "PATCH", {"max_value": 10.0}),
                    ("/api/v1/devices", "POST", {"device_code": "new", "name": "New"}),
                ):
                    headers = shed.person.headers
                    status, _ = await request(other.app, method, path, headers, body)
                    assert status < 300
                await world.advance(3)
                await shed.publish("t", 30.0)
                await world.settle()
                assert await shed.values("t") == [20.0]
                assert leader.service.leadership.leads
                assert {view["device_code"] for view in screen.devices.values()} == {"shed", "new"}

    simulate(World(1, habits), story)


@BOTH
def test_a_leader_that_the_broker_does_not_answer_gives_way_and_takes_the_lead_again(
    habits: Habits,
) -> None:
    """It kept the lead while a healthy standby stood by: nothing was lost, and nothing served."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t", max_value=50.0, on_violation="flag")
            await speak(world, shed, range(5))
            one = await world.serving()
            other = world.start()
            await world.advance(5)
            one.part_from_broker(120)
            await leads(other, GIVES_WAY_WITHIN_S)
            await speak(world, shed, range(5, 10))
            await settled(world, other)
            assert await status_of(one) == "standby"
            assert (one.service.leadership.gave_way, other.service.leadership.gave_way) == (1, 0)
            await world.advance(150)
            assert other.service.leadership.leads  # the one that reaches the broker again waits
            other.part_from_broker(120)
            await leads(one, GIVES_WAY_WITHIN_S)
            await speak(world, shed, range(10, 15))
            await settled(world, one)
            assert sorted(await shed.values("t")) == [float(n) for n in range(15)]

    world = World(1, habits)
    world.pulse = Pulse()
    simulate(world, story)


@BOTH
def test_where_no_process_reaches_the_broker_the_lead_stays(habits: Habits) -> None:
    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t")
            await speak(world, shed, range(5))
            one = await world.serving()
            other = world.start()
            await world.advance(5)
            for each in (one, other):
                each.part_from_broker(120)
            await world.advance(130)
            await speak(world, shed, range(5, 10))
            await settled(world, one)
            assert (one.service.leadership.epoch, other.service.leadership.gave_way) == (1, 0)
            assert sorted(await shed.values("t")) == [float(n) for n in range(10)]

    world = World(1, habits)
    world.pulse = Pulse()
    simulate(world, story)


@BOTH
def test_what_a_fenced_process_had_judged_is_judged_again(habits: Habits) -> None:
    """Another process led for a moment while a batch waited: the batch was given up, and its actor
    went on believing that its alarm was open and its device offline."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t", max_value=50.0, on_violation="flag")
            await shed.status(status="online")
            await shed.publish("t", 1.0, ts=world.clock.now_us() // 1000)
            await world.settle()
            async with world.dashboard() as screen:
                world.store_faults.away = True
                await world.advance(1)
                await shed.publish("t", 60.0, ts=world.clock.now_us() // 1000)
                await world.advance(0.5)
                shed.connect(status="offline", ts=world.clock.now_us() // 1000)
                shed.vanish()
                await world.advance(1)
                assert screen.devices[shed.id]["status"] == "offline"  # judged, and not stored
                await world.store.hold_lead("another", 0.1, seize=True)
                await world.store.resign_lead("another")
                world.store_faults.away = False
                await world.settle()
                service = world.service
                assert (service.leadership.epoch, service.leadership.stepped_down) == (3, 1)
                assert service.gateway.given_up > 0
                assert service.own_sessions.unsettled()[0] == 0
                (alarm,) = (await shed.person.get("/alarms?kind=threshold"))["items"]
                assert alarm["state"] == "active"
                assert (await shed.state())["status"] == "offline"
                assert screen.devices[shed.id]["status"] == "offline"
                assert sorted(await shed.values("t")) == [1.0, 60.0]

    simulate(World(1, habits, idle_s=3600), story)


@BOTH
def test_a_session_that_the_service_forgot_is_connected_anew(habits: Habits) -> None:
    """A record that knew no connection acknowledged nothing on the one that was there, for ever."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.publish("t", 1.0)
            await world.settle()
            redeliveries = world.service.own_sessions.redeliveries
            for plan in world.broker.plans:
                if plan.partition is not None:  # canaries come by these
                    redelivery = redeliveries[plan.client_id]
                    redeliveries[plan.client_id] = redelivery.replaced()
            await shed.publish("t", 2.0)
            await world.settle()
            assert sorted(await shed.values("t")) == [1.0, 2.0]

    simulate(World(1, habits), story)


@BOTH
def test_a_dashboard_of_the_next_leader_shows_what_changed_before_it_led(habits: Habits) -> None:
    """A dashboard opened on a standby while a commit of the leader before was still on its way: the
    standby took the lead, and what the commit had changed was never said there."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.status(status="online", temperature=1, ts=world.clock.now_us() // 1000)
            await world.settle()
            one = await world.serving()
            other = world.start()
            await world.advance(8)
            world.store_faults.work_s = 2.0
            await shed.status(temperature=2, ts=world.clock.now_us() // 1000)
            await world.advance(0.5)
            world.kill(one)
            async with world.dashboard() as screen:
                assert screen.devices[shed.id]["temperature"] == 1
                await leads(other, REPLACED_WITHIN_S * world.pulse.beat_s)
                await settled(world, other)
                await world.advance(5)
                assert (await shed.state())["temperature"] == 2
                assert screen.devices[shed.id]["temperature"] == 2

    simulate(World(1, habits), story)


@BOTH
def test_the_next_leader_has_the_leases_of_devices_that_came_online_before(habits: Habits) -> None:
    """Leases were restored when a process started, not when it took the lead: a device that came
    online through the leader before, and fell silent with it, was shown online for ever."""

    async def story(world: World) -> None:
        async with world.open():
            shed = await world.device("shed").register()
            await shed.person.patch(f"/devices/{shed.id}", {"offline_after_s": 30})
            one = await world.serving()
            other = world.start()
            await world.advance(8)
            await shed.status(status="online")
            await world.advance(2)
            leases = [len(each.service.device_timer.leases) for each in (one, other)]
            assert leases == [1, 0]
            one.kill()
            await leads(other, REPLACED_WITHIN_S * world.pulse.beat_s)
            await world.advance(60)
            (device,) = await devices_of(world.store, shed.person.id)
            assert device.state.status == "offline"

    simulate(World(1, habits), story)


@BOTH
def test_a_dashboard_hears_of_an_expiry_while_another_process_stands_by(habits: Habits) -> None:
    """The standby claimed due work, too, and told its own dashboards, of which there are none."""

    async def story(world: World) -> None:
        async with world.open():
            shed = await world.device("shed").register()
            world.command_listener.deaf.add(shed.name)
            other = world.start()
            await world.advance(8)
            async with world.dashboard() as screen:
                body = {"id": "00000000-0000-4000-9000-000000000001", "type": "beep", "ttl_s": 2}
                await shed.person.post(f"/devices/{shed.id}/commands", body)
                for job in other.service.scheduler.jobs.values():
                    job.due(world.clock.peek_us() + SECOND_US)
                await world.advance(5)
                told = [
                    f["command"]["state"] for f in screen.frames if f["type"] == "command_update"
                ]
                assert told[-1] == "expired"

    simulate(World(1, habits), story)


@BOTH
def test_the_next_leader_does_what_was_due_at_once(habits: Habits) -> None:
    async def story(world: World) -> None:
        world.look_again_s = 600.0
        async with world.open():
            shed = await world.device("shed").register()
            world.command_listener.deaf.add(shed.name)
            one = await world.serving()
            other = world.start()
            await world.advance(8)
            body = {"type": "beep", "ttl_s": 2}
            made = await shed.person.post(f"/devices/{shed.id}/commands", body)
            one.kill()
            await leads(other, REPLACED_WITHIN_S * world.pulse.beat_s)
            await world.advance(5)
            assert world.store.all_commands[shed.person.id, made["id"]].state == "expired"

    simulate(World(1, habits), story)
