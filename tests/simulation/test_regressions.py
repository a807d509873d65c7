"""What the search found once, each as the smallest story that shows it."""

from contextlib import nullcontext
from itertools import count

import msgspec
import pytest

from actors.adapters.memory.broker.habits import MOSQUITTO_311, NATS
from actors.device.settings import SettingsRefresh
from protocol.device.topics import partition
from protocol.errors import Unavailable
from protocol.events import DeviceChanged
from protocol.times import SECOND_US, format_us
from tests.simulation.device import VirtualDevice
from tests.simulation.orders import id_of
from tests.simulation.person import Refused
from tests.simulation.plan import Fault, Kill, Plan, Publish, Tune, Watch
from tests.simulation.running import SMALL_WINDOW, run, simulate, sized
from tests.simulation.world import World
from tests.support.lists import devices_of


def plan_of(*steps: object, **options: object) -> Plan:
    usual = {"seed": 1, "broker": "nats", "small": False, "idle_s": 600.0, "poison": -1.0}
    return msgspec.convert({**usual, **options, "steps": list(steps)}, Plan)


async def test_an_unforeseen_error_while_a_snapshot_is_read_stays_with_its_dashboard(
    world: World,
) -> None:
    """It ended the service."""
    await world.person().sign_up()
    world.fault("load fails")
    await world.advance(0.1)
    async with world.dashboard() as screen:
        assert screen.devices == {}
    assert world.trace.fired["store: unforeseen error"] == 1
    assert world.replicas.started == 1


@pytest.mark.parametrize("fault", ["answer lost", "load fails"])
async def test_a_change_that_failed_but_was_done_is_taken_by_living_actors(
    world: World, fault: str
) -> None:
    """The settings were written, the actor went on with the old ones."""
    await changed_in_doubt(world, fault)


@pytest.mark.parametrize("fault", ["answer lost", "load fails"])
async def test_old_settings_after_a_failed_change_are_seen(
    world: World, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the drawn plans one in some hundreds sees this mistake; this story does each time."""
    monkeypatch.setattr(SettingsRefresh, "refresh_later", lambda self, user_id: None)
    with pytest.raises(AssertionError):
        await changed_in_doubt(world, fault)


async def changed_in_doubt(world: World, fault: str) -> None:
    shed = world.device("shed")
    feed = await shed.feed("t")
    await shed.publish("t", 1.0)
    await world.advance(1)  # its actor lives
    person = shed.person
    user = await world.store.user(person.id)
    assert user is not None
    process = await world.serving()
    stored = await world.store.feed(person.id, feed)
    assert stored is not None
    changed = msgspec.structs.replace(stored, enabled=False)
    world.fault(fault)
    await world.advance(0.1)
    is_lost = (
        fault == "answer lost"
    )  # what cannot be read is read later, and no error of the change
    with pytest.raises(Unavailable, match="lost") if is_lost else nullcontext():
        async with process.service.devices.changing(person.id, feed=changed):
            await process.service.store.update_feed(changed)
    await world.advance(5)
    await shed.publish("t", 2.0)
    await world.settle()
    assert await shed.values("t") == [1.0]


def test_what_was_left_to_a_broker_that_sends_again_on_new_connections_only_is_fetched() -> None:
    """Mosquitto never sent it again; it lay there for as long as the connection held."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t")
            world.fault("store away", seconds=3)
            await world.advance(0.1)
            for n in range(20):
                await shed.publish("t", float(n), ts=1_789_999_000 + n)
            assert world.service.gateway.left.untaken > 0
            await world.settle()
            assert len(await shed.values("t")) == 20

    with sized(small=True):
        simulate(World(1, msgspec.structs.replace(MOSQUITTO_311, window=100)), story)


async def test_an_alarm_outlives_the_reading_that_could_not_be_stored(world: World) -> None:
    """The reading that cleared an alarm was refused by the database, and the alarm with it: the
    actor thought it cleared, the store kept it open for ever."""
    shed = world.device("shed")
    await shed.feed("t", max_value=100.0)
    await shed.publish("t", 200.0, ts=1_789_999_000)
    world.store.poison = {7.0}
    await shed.publish("t", 7.0, ts=1_789_999_001)
    await shed.publish("t", 8.0, ts=1_789_999_002)
    await world.settle()
    assert await shed.values("t") == [8.0]
    (alarm,) = world.store.all_alarms.values()
    assert alarm.cleared_us is not None


async def test_a_reading_that_could_not_be_stored_holds_no_later_one_off_the_last_value(
    world: World,
) -> None:
    """The actor had seen a newer reading, which the database refused; what was older than that
    became no last value, though the store had none at all."""
    shed = world.device("shed")
    await shed.feed("t")
    world.store.poison = {7.0}
    await shed.publish("t", 7.0, ts=1_789_999_005)
    await shed.publish("t", 8.0, ts=1_789_999_001)
    await world.settle()
    assert await shed.last("t") == 8.0


async def test_a_device_that_was_deleted_without_a_word_leaves_every_dashboard(
    world: World,
) -> None:
    """Its deletion was done and the answer lost; the second try found nothing to tell of."""
    shed = await world.device("shed").register()
    async with world.dashboard() as screen:
        assert set(screen.devices) == {shed.id}
        world.fault("answer lost")
        await world.advance(0.1)
        with pytest.raises(Refused, match="404"):
            await shed.person.delete(f"/devices/{shed.id}")
        await screen.until(lambda: screen.is_listed and not screen.devices)


def test_a_snapshot_waits_for_what_a_passivated_actor_left_to_the_writer() -> None:
    """It was read before the last state of an actor that had gone to sleep was committed."""

    async def story(world: World) -> None:
        async with world.open():
            shed = await world.device("shed").register()
            await shed.status(firmware="1")
            await world.advance(0.5)
            world.fault("store away", seconds=10)
            await world.advance(0.1)
            await shed.status(firmware="2")
            await world.advance(9.95)
            assert len(world.service.devices) == 0
            assert world.service.gateway.room.messages == 1
            async with world.dashboard() as screen:
                assert screen.devices[shed.id]["firmware"] == "2"

    simulate(World(1, idle_s=1.0), story)


async def test_a_writer_that_fails_after_its_commit_doubles_no_refusal(world: World) -> None:
    """It tried again under a new name."""
    shed = world.device("shed")
    await shed.feed("t")
    world.fault("commit crash after")
    await world.advance(0.1)
    await shed.send("feeds/t", b"not json")
    await world.settle()
    assert world.trace.fired["store: commit, crash after"] == 1
    refused = (await world.person().get("/rejected-messages"))["items"]
    assert [each["reason"] for each in refused] == ["bad_value"]


def test_a_dashboard_that_loses_events_gets_its_list_before_anything_else() -> None:
    """More events than its queue holds pushed the list itself out."""

    async def story(world: World) -> None:
        async with world.open():
            devices = [world.device(f"d{n}") for n in range(4)]
            for device in devices:
                for key in ("a", "b", "c", "d"):
                    await device.feed(key)
            async with world.dashboard(pace_s=0.5) as screen:
                for n in range(12):
                    for device in devices:
                        for key in device.feeds:
                            await device.publish(key, float(n))
                await world.advance(120)
                kinds = [frame["type"] for frame in screen.frames]
            assert kinds[0] == "device_list"
            assert kinds.count("device_list") > 1  # it lost something, and was told

    with sized(small=True):
        simulate(World(1), story)


def test_events_that_a_user_actor_loses_are_made_up_for_by_a_new_list() -> None:
    """More things than its mailbox holds changed in one turn; dashboards kept the older picture."""

    async def story(world: World) -> None:
        async with world.open():
            ada = world.person()
            for n in range(12):
                await world.device(f"d{n}").register()
            async with world.dashboard() as screen:
                devices = await devices_of(world.store, ada.id)
                for device in devices:
                    await world.store.update_device(msgspec.structs.replace(device, name="new"))
                for device in await devices_of(world.store, ada.id):  # no turn of the actor between
                    world.service.users.tell(ada.id, DeviceChanged(device))
                await world.advance(5)
                assert {device["name"] for device in screen.devices.values()} == {"new"}

    with sized(small=True):
        simulate(World(1), story)


async def test_a_process_waits_for_the_commits_that_the_one_before_left_running(
    world: World,
) -> None:
    """The next process read its memory before they were done, and stored messages twice."""
    shed = world.device("shed")
    await shed.feed("t")
    world.fault("commit late")
    await world.advance(0.1)
    await shed.publish("t", 1.0)
    await world.advance(0.01)
    await world.restart(down_s=0.0)
    await world.settle()
    assert world.trace.fired["store: commit, late"] == 1
    assert await shed.values("t") == [1.0]


def test_a_retained_reading_does_not_make_its_own_live_copy_ambiguous() -> None:
    """The broker's copy counted as a repeat; the live one, delivered again, was stored twice."""

    async def story(world: World) -> None:
        async with world.open():
            shed = world.device("shed")
            await shed.feed("t")
            world.fault("commit answer")
            await world.advance(0.1)
            await shed.publish("t", 5.0, retain=True)
            world.fault("line cut", target="roost-part-0")
            world.fault("line cut", target="roost-part-1")
            world.fault("line cut", target="roost-part-2")
            world.fault("line cut", target="roost-part-3")
            await world.settle()
            assert await shed.values("t") == [5.0]  # the copy is left out

    simulate(World(1, NATS), story)


async def test_an_alarm_that_nobody_could_read_at_a_start_is_raised_when_it_can_be_read(
    world: World,
) -> None:
    """It kept all other alarms from waiting, and itself waited for ever."""
    for code in ("shed", "barn"):
        device = world.device(code)
        await device.feed("t", max_value=1.0, alarm={"after_s": 20})
        await device.publish("t", 5.0)
    await world.settle()
    bad, good = world.store.all_alarms
    world.store.unreadable_alarms[bad] = 0
    world.look_again_s = 10.0
    await world.restart()
    await world.advance(30)
    alarms = world.store.all_alarms
    assert (alarms[bad].state, alarms[good].state) == ("pending", "active")
    world.store.unreadable_alarms.clear()
    await world.advance(120)
    assert alarms[bad].state == "active"


async def test_a_listener_that_nobody_can_read_keeps_no_other_in_the_dark(world: World) -> None:
    """Who serves listeners ended at each start with the row of one, and nobody was told a state."""
    shed = await world.device("shed").register()
    await world.listeners.register("ada")
    await world.listeners.register("bob")
    await shed.status(status="online", temperature=1)
    await world.settle()
    bob = world.person("bob").id
    world.store.unreadable_listeners.add(bob)
    await world.restart()
    await world.advance(5)
    await shed.status(status="online", temperature=2)
    await world.settle()
    await world.listeners.check()
    assert ("listeners", bob) in world.store.all_dead_letters

    world.store.unreadable_listeners.clear()
    await world.advance(120)
    assert world.store.all_dead_letters == {}
    barn = await world.device("barn", "bob").register()
    await barn.status(status="online", temperature=3)
    await world.settle()
    await world.listeners.check()


async def order(device: VirtualDevice, number: int, ttl_s: int = 600) -> str:
    body = {"id": id_of(number), "type": "beep", "ttl_s": ttl_s}
    made = await device.person.post(f"/devices/{device.id}/commands", body)
    return str(made["id"])


async def test_an_expiry_whose_claim_lost_its_answer_is_known_to_dashboards(world: World) -> None:
    """It was told with that answer, or never."""
    shed = await world.device("shed").register()
    world.command_listener.deaf.add(shed.name)
    async with world.dashboard() as screen:
        await order(shed, 1, ttl_s=2)
        await world.advance(1)
        lists = screen.lists
        world.fault("call after", target="claim_commands")
        await world.advance(5)
        assert world.store.all_commands[shed.person.id, id_of(1)].state == "expired"
        assert screen.lists == lists + 1  # everything is asked for again


async def test_a_command_that_fired_in_a_claim_without_an_answer_goes_out_at_once(
    world: World,
) -> None:
    """It waited until the next look for what nobody knew of."""
    shed = await world.device("shed").register()
    await shed.status(status="online")
    body = {
        "media_id": await world.add_media(),
        "device_id": shed.id,
        "trigger_time": format_us(world.clock.peek_us() + 5 * SECOND_US),
    }
    await shed.person.post("/media-schedules", body)
    await world.advance(1)
    world.fault("call after", target="claim_occurrences")
    await world.advance(11)
    assert world.trace.fired["store: call, after"] == 1
    (heard,) = world.command_listener.heard.values()
    assert heard.times == 1


async def test_a_change_that_was_done_though_its_answer_was_lost_is_known_to_dashboards(
    world: World,
) -> None:
    shed = await world.device("shed").register()
    world.command_listener.deaf.add(shed.name)
    async with world.dashboard() as screen:
        command_id = await order(shed, 1)
        await world.advance(1)
        lists = screen.lists
        world.fault("call after", target="cancel_command")
        await world.advance(0.1)
        assert (await shed.person.once("DELETE", f"/commands/{command_id}"))[0] == 503
        await world.advance(5)
        assert world.store.all_commands[shed.person.id, command_id].state == "cancelled"
        assert screen.lists == lists + 1


async def test_an_alarm_waits_no_longer_for_a_clock_that_was_set_back_before_a_start(
    world: World,
) -> None:
    """It waited for as long as the clock was behind."""
    shed = world.device("shed")
    await shed.feed("t", max_value=1.0, alarm={"after_s": 20})
    await shed.publish("t", 5.0)
    await world.advance(5)
    world.clock.jump(-3_600)
    await world.restart()
    await world.advance(60)
    (alarm,) = world.store.all_alarms.values()
    assert alarm.state == "active"


def test_whole_plans_run_from_a_few_steps() -> None:
    steps = [
        Watch(at_s=0.0, owner="ada", lasts_s=20.0),
        Publish(at_s=1.0, device="ada/a0", key="bare", form="bare", number=10_001, arrivals=[0.0]),
        Tune(at_s=1.5, device="ada/a0", enabled=False, max_value=None),
        Fault(at_s=2.0, kind="store away", seconds=2.0),
        Publish(at_s=2.5, device="ada/a0", key="by-ts", form="ts", number=10_002, arrivals=[0.0]),
        Kill(at_s=3.0, steps=5, down_s=1.0),
    ]
    outcome = run(plan_of(*steps))
    assert outcome.error is None
    assert outcome.world.trace.fired["process killed, something in flight"] == 1


async def test_a_device_that_lives_again_is_not_told_as_put_aside_for_ever(world: World) -> None:
    """One process put it aside, the next could read it: its letter stayed as long as the device
    spoke, and `/readyz` said `degraded`."""
    shed = world.device("shed")
    await shed.feed("t")
    world.store_faults.bad_devices.append((shed.person.id, shed.code))
    await shed.publish("t", 1.0)
    await world.advance(1)
    assert await world.store.count_dead_letters() == {"devices": 1}
    await world.restart()
    world.store_faults.bad_devices.clear()
    for n in range(80):
        await shed.publish("t", float(n))
        await world.advance(60)
    assert not await world.store.count_dead_letters()


async def test_a_copy_of_an_earlier_value_of_the_same_instant_clears_no_alarm(world: World) -> None:
    """Two values of one instant, and the first once more: the store keeps the second as the last
    value, and the copy cleared its alarm."""
    shed = world.device("shed")
    await shed.feed("t", max_value=10.0, on_violation="flag")
    ts = world.clock.peek_us() // 1000
    for value in (1.0, 50.0, 1.0):
        await shed.publish("t", value, ts=ts)
    await world.settle()
    assert await shed.last("t") == 50.0
    (alarm,) = (await shed.person.get("/alarms"))["items"]
    assert alarm["state"] == "active"


@pytest.mark.parametrize("is_hasty", [False, True])
async def test_what_waited_in_one_session_is_not_refused_for_what_came_by_another(
    world: World, is_hasty: bool
) -> None:
    """What a device said while its session stood still was taken for too fast, because another
    device of its user, by a session that did not stand still, had said something since. It was
    acknowledged, and not kept (seed 5133)."""
    shed = await world.device("shed").register()
    mine = partition(shed.person.id, "shed", NATS.partitions)
    codes = (f"barn-{n}" for n in count())
    other = next(c for c in codes if partition(shed.person.id, c, NATS.partitions) != mine)
    barn = world.device(other)
    await barn.feed("t")
    await shed.publish("t", 0.0)
    await world.settle()
    world.fault("line stalls", target=f"roost-part-{mine}", seconds=150)
    await world.advance(1)
    for n in range(1, 6):
        await shed.publish("t", float(n), ts=world.clock.now_us() // 1000)
    await world.advance(148)  # canaries wait behind them
    await barn.send("feeds/t", b"1", is_hasty=is_hasty)
    await world.settle()
    assert await barn.values("t") == [1.0]
    assert sorted(await shed.values("t")) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("lives", [False, True])
async def test_a_dashboard_is_not_told_what_is_given_up_already(world: World, lives: bool) -> None:
    """An actor still waited for the store when its process stepped down, and then judged what it
    had before it ended: a dashboard that was opened meanwhile was told of it behind the list that
    said what is stored, and went back with the next one (seed 367)."""
    shed = await world.device("shed").register()
    barn = world.device("barn")
    await barn.feed("t")
    await shed.status(status="online", temperature=1, ts=world.clock.now_us() // 1000)
    await world.advance(1 if lives else 2 * world.idle_s)
    await barn.publish("t", 1.0)
    await world.advance(1)
    service = world.service
    async with world.dashboard():
        world.store_faults.away = True
        await barn.publish("t", 2.0)  # the writer waits longer for the store than the actor does
        await shed.status(status="online", temperature=2, ts=world.clock.now_us() // 1000)
        await world.advance(5.1)
        await world.store.hold_lead("another", 0.1, seize=True)
        await world.store.resign_lead("another")
        world.store_faults.away = False
        service.leadership.doubt(service.leadership.epoch)
        await world.advance(0.01)
        assert service.leadership.gives_up
        async with world.dashboard() as screen:
            await screen.until(lambda: screen.devices[shed.id]["temperature"] == 2)
            await world.settle()
        assert service.leadership.epoch == 3


def test_retained_readings_of_more_devices_than_there_are_actors_starve_nobody() -> None:
    """Each connection brought them all again, to fetch the one for which there had been no room."""

    async def story(world: World) -> None:
        async with world.open():
            devices = [world.device(f"d{n}") for n in range(5)]
            for n, device in enumerate(devices):
                await device.publish("t", float(n), retain=True)
            await world.settle()
            world.fault("line cut", target="roost-part-0")
            await world.settle()
            for n, device in enumerate(devices):
                assert set(await device.values("t")) == {float(n)}

    with sized(small=True):
        habits = msgspec.structs.replace(MOSQUITTO_311, window=SMALL_WINDOW)
        simulate(World(1, habits), story)
