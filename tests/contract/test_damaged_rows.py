"""A damaged row is left out by whatever reads many: what the claims do (`test_unreadable_claims`),
for lists, and for what the service starts from (I6)."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from actors.runtime.isolation import Failed, attempt_each
from protocol.dead_letters import DEVICES, LISTENERS, ROWS
from protocol.device.alarms import AlarmRule
from protocol.errors import Unavailable, Unstorable
from protocol.records import Device, LoadedDevice, StateChange
from protocol.rest.listing import DEVICES as DEVICE_LIST
from protocol.rest.listing import Listing, UnreadableRow
from tests.contract import test_store_alarms as of_alarms
from tests.contract.damage import garbled, lost, mended
from tests.contract.pg_scene import Scene
from tests.contract.test_store import Home, of
from tests.contract.test_store_listeners import some_listener
from tests.support.lists import devices_of
from tests.unit.makers import NOW, OTHER_USER, USER, some_device, some_feed, some_login

WHY = {lost: "DataCorruptedError: ", garbled: "UnicodeDecodeError: "}


@pytest.fixture(params=WHY, ids=lambda damage: damage.__name__)
def damage(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def home(scene: Scene) -> Home:
    return scene.home


async def with_devices(home: Home) -> list[Device]:
    devices = [home.device]
    for n in range(1, 4):
        device_id = f"00000000-0000-4000-8000-00000000d10{n}"
        made = some_device(f"more{n}", device_id, client_id=f"m{n}")
        devices.append(await home.store.add_device(made, some_login(made)))
    return devices


async def letters(home: Home) -> list[tuple[str, str]]:
    return [(each.work, each.subject) for each in await home.store.dead_letters(10, None)]


async def loaded(home: Home, devices: Sequence[Device]) -> list[bool]:
    """Which of them can be loaded, asked for together."""
    keys = [device.key for device in devices]
    done = await attempt_each(keys, home.store.load_devices)
    for each in done:
        assert isinstance(each, LoadedDevice) or (
            isinstance(each, Failed) and isinstance(each.error, Unstorable)
        )
    return [isinstance(each, LoadedDevice) for each in done]


async def test_a_device_that_is_damaged_is_loaded_by_nobody_and_all_others_are(
    home: Home, damage: Any
) -> None:
    """Nobody's device was loaded any more that was asked for together with it."""
    devices = await with_devices(home)
    await damage(home.store, "devices", devices[1].num)
    assert await loaded(home, devices) == [True, False, True, True]
    assert await loaded(home, devices[1:2]) == [False]
    await mended(home.store, "devices", devices[1].num, "kitchen")
    assert all(await loaded(home, devices))


async def test_so_is_one_with_a_damaged_feed_or_alarm(home: Home) -> None:
    devices = await with_devices(home)
    feed = await home.store.add_feed(
        some_feed("bad", 0xF1, id="00000000-0000-4000-9000-0000000000f1", device_id=devices[1].id)
    )
    alarm = of_alarms.alarm(home, 1, device_num=devices[2].num, feed_num=None)
    await home.commit(of(alarms=(alarm,)))
    ((num,),) = [(each.num,) for each in await open_alarms(home, devices[2])]
    await lost(home.store, "feeds", feed.num)
    await lost(home.store, "alarms", num)
    assert await loaded(home, devices) == [True, False, False, True]


async def open_alarms(home: Home, device: Device) -> Sequence[Any]:
    (found,) = await home.store.load_devices([device.key])
    assert found is not None
    return found.alarms


async def test_where_no_device_can_be_read_the_server_is_in_trouble(home: Home) -> None:
    devices = await with_devices(home)
    for device in devices:
        await lost(home.store, "devices", device.num)
    with pytest.raises(Unavailable):
        await home.store.load_devices([devices[0].key])
    with pytest.raises(Unavailable):
        await home.store.listed(DEVICE_LIST, USER, Listing(limit=10))
    assert await letters(home) == []


async def test_a_list_leaves_it_out_and_shows_all_others(home: Home, damage: Any) -> None:
    """It answered 503, however often somebody asked."""
    devices = await with_devices(home)
    bad = devices[1].num
    await damage(home.store, "devices", bad)
    found = [item for _, item in await home.store.listed(DEVICE_LIST, USER, Listing(limit=10))]
    assert [item for item in found if isinstance(item, UnreadableRow)] == [UnreadableRow(bad)]
    assert len(found) == len(devices)
    assert len(await devices_of(home.store, USER)) == len(devices) - 1
    (letter,) = await home.store.dead_letters(10, None)
    assert (letter.work, letter.subject) == (ROWS, f"devices {bad}")
    assert letter.reason.startswith(WHY[damage])
    # It is read again alone: that fails for the row, and is one more attempt.
    await home.store.retry_dead_letters(None, 0)
    await home.store.read_row_again(letter.subject, USER)
    assert (await home.store.dead_letters(10, None))[0].attempts == 2
    await mended(home.store, "devices", bad, "kitchen")
    await home.store.read_row_again(letter.subject, USER)
    assert await letters(home) == []


async def test_all_other_devices_have_their_leases_at_the_start(home: Home, damage: Any) -> None:
    devices = await with_devices(home)
    for device in devices[:3]:
        state = msgspec.structs.replace(device.state, version=1, status="online", state_us=NOW)
        await home.commit(of(state=StateChange(device.num, state)))
    await damage(home.store, "devices", devices[1].num)
    assert [each.num for each in await home.store.online_devices()] == [
        devices[0].num,
        devices[2].num,
    ]
    assert await letters(home) == [(DEVICES, "/".join(devices[1].key))]
    # It may be the only one that is online.
    for device in (devices[0], devices[2]):
        state = msgspec.structs.replace(device.state, version=2, status="offline", state_us=NOW)
        await home.commit(of(state=StateChange(device.num, state)))
    assert await home.store.online_devices() == []


async def test_all_other_alarms_wait_at_the_start(home: Home, damage: Any) -> None:
    feed = msgspec.structs.replace(home.feeds["number"], alarm=AlarmRule(after_s=60.0))
    await home.store.update_feed(feed)
    waiting = [of_alarms.alarm(home, n, kind=f"k{n}", state="pending") for n in range(3)]
    await home.commit(of(alarms=tuple(waiting)))
    page = await home.store.pending_alarms(10, 0)
    await damage(home.store, "alarms", page.alarms[1][1].num)
    page = await home.store.pending_alarms(10, 0)
    assert [each.kind for _, each, _ in page.alarms] == ["k0", "k2"]
    assert await letters(home) == [(DEVICES, "/".join(home.device.key))]
    # It may be the only one that waits.
    over = [msgspec.structs.replace(waiting[n], state="active", raised_us=NOW) for n in (0, 2)]
    await home.commit(of(alarms=tuple(over)))
    assert (await home.store.pending_alarms(10, 0)).alarms == ()


async def test_all_other_listeners_are_served(scene: Scene) -> None:
    home = scene.home
    good = some_listener()
    await home.store.set_listener(good)
    await home.store.set_listener(some_listener(2, user_id=OTHER_USER))
    await scene.fetch("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
    await scene.fetch(
        "UPDATE listeners SET username = '\\xff22'::bytea::text WHERE user_id = $1::text::uuid",
        OTHER_USER,
    )
    assert await home.store.listeners() == [good]
    assert await letters(home) == [(LISTENERS, OTHER_USER)]
