"""What every store promises of alarms and leases: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from protocol.device.alarms import Alarm, AlarmRule
from protocol.problems.detail import Detail
from protocol.records import DeviceState, StateChange
from protocol.rest.listing import ALARMS
from tests.contract.test_store import KEY, Home, of
from tests.support.lists import items
from tests.unit.makers import DEVICE, NOW, OTHER_USER, SECOND, USER, some_alarm


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


def alarm(home: Home, n: int = 1, **changes: Any) -> Alarm:
    feed = home.feeds["number"]
    made = some_alarm(
        feed.num,
        id=f"00000000-0000-4000-a000-{n:012d}",
        device_num=home.device.num,
        feed_id=feed.id,
    )
    return msgspec.structs.replace(made, **changes)


async def listed(home: Home, *states: str, **options: Any) -> list[tuple[str, str]]:
    if states:
        options["state"] = states
    found = await items(home.store, ALARMS, USER, 10, **options)
    return [(each.id[-1], each.state) for each in found]


async def test_an_alarm_comes_back_as_it_was_kept(home: Home) -> None:
    below = Detail("value_below", value=-1.5, limit=2)
    wanted = alarm(home, severity="critical", count=3, since_us=NOW - SECOND)
    await home.commit(of(alarms=(wanted,)))  # another value has raised it meanwhile
    wanted = msgspec.structs.replace(wanted, detail=str(below), coded=below.coded)
    await home.commit(of(alarms=(wanted,)))
    (found,) = await items(home.store, ALARMS, USER, 10)
    assert msgspec.structs.replace(found, num=0) == wanted
    (loaded,) = await home.store.load_devices([KEY])
    assert loaded is not None
    assert loaded.alarms == (found,)
    assert await items(home.store, ALARMS, OTHER_USER, 10) == []


async def test_pending_alarms_are_nobodys_business_and_are_dropped_without_a_trace(
    home: Home,
) -> None:
    pending = alarm(home, state="pending", raised_us=None)
    await home.commit(of(alarms=(pending,)))
    assert await listed(home) == []
    await home.commit(of(alarms=(msgspec.structs.replace(pending, state="dropped"),)))
    (loaded,) = await home.store.load_devices([KEY])
    assert loaded is not None
    assert loaded.alarms == ()


async def test_alarms_that_wait_are_found_again_at_a_start(home: Home) -> None:
    feed = msgspec.structs.replace(home.feeds["number"], alarm=AlarmRule(after_s=60.0))
    await home.store.update_feed(feed)
    await home.commit(of(alarms=(alarm(home, state="pending", raised_us=None),)))
    page = await home.store.pending_alarms(10, 0)
    ((key, found, after_s),) = page.alarms
    assert page.after is None
    assert (key, found.id[-1], after_s) == (KEY, "1", 60.0)


async def test_alarms_that_wait_come_in_pages(home: Home) -> None:
    """They came all at once, however many there were."""
    feed = msgspec.structs.replace(home.feeds["number"], alarm=AlarmRule(after_s=60.0))
    await home.store.update_feed(feed)
    waiting = [alarm(home, n, kind=f"k{n}", state="pending", raised_us=None) for n in range(5)]
    await home.commit(of(alarms=tuple(waiting)))
    await home.commit(of(alarms=(msgspec.structs.replace(waiting[1], state="dropped"),)))
    seen, pages = list[str](), 0
    after: int | None = 0
    while after is not None:
        page = await home.store.pending_alarms(2, after)
        seen += [found.id[-1] for _, found, _ in page.alarms]
        after, pages = page.after, pages + 1
    assert (seen, pages) == (["0", "2", "3", "4"], 3)


async def test_acknowledging_holds_over_later_words_until_it_clears(home: Home) -> None:
    active = alarm(home)
    await home.commit(of(alarms=(active,)))
    assert await home.store.acknowledge_alarms(OTHER_USER, [active.id], NOW) == []
    (known,) = await home.store.acknowledge_alarms(USER, [active.id], NOW + 1)
    assert (known.state, known.acknowledged_us) == ("acknowledged", NOW + 1)
    await home.commit(of(alarms=(msgspec.structs.replace(active, value=9.0),)))
    assert await listed(home) == [("1", "acknowledged")]
    cleared = msgspec.structs.replace(active, state="cleared", cleared_us=NOW + 5)
    await home.commit(of(alarms=(cleared,)))
    (again,) = await home.store.acknowledge_alarms(USER, [active.id], NOW + 9)
    assert (again.state, again.acknowledged_us, again.cleared_us) == ("cleared", NOW + 1, NOW + 5)


async def test_an_alarm_that_cleared_unseen_is_listed_until_it_is_acknowledged(home: Home) -> None:
    unseen = alarm(home, 1, state="cleared", cleared_us=NOW)
    pending = alarm(home, 3, kind="k", state="pending", raised_us=None)
    await home.commit(of(alarms=(unseen,)))
    await home.commit(of(alarms=(alarm(home, 2), pending)))
    assert await listed(home, acknowledged=("false",)) == [("2", "active"), ("1", "cleared")]
    asked = [unseen.id, alarm(home, 2).id, pending.id, unseen.id, alarm(home, 9).id]
    done = await home.store.acknowledge_alarms(USER, asked, NOW + 1)
    seen = [(each.id[-1], each.state, each.acknowledged_us) for each in done]
    assert seen == [("1", "cleared", NOW + 1), ("2", "acknowledged", NOW + 1)]
    assert await listed(home, acknowledged=("false",)) == []
    assert await listed(home, acknowledged=("true",)) == [("2", "acknowledged"), ("1", "cleared")]
    (again, _) = await home.store.acknowledge_alarms(USER, asked, NOW + 5)
    assert again.acknowledged_us == NOW + 1
    # A late word of the device's actor changes nothing of it.
    await home.commit(of(alarms=(unseen,)))
    assert await listed(home, acknowledged=("false",)) == []


async def test_alarms_are_listed_of_one_feed(home: Home) -> None:
    offline = alarm(home, 2, kind="offline", feed_num=None, feed_id=None)
    await home.commit(of(alarms=(alarm(home), offline)))
    assert await listed(home, feed_id=(home.feeds["number"].id,)) == [("1", "active")]


async def test_alarms_are_listed_newest_first_by_state_and_device(home: Home) -> None:
    done = alarm(home, 1, state="cleared", cleared_us=NOW)
    await home.commit(of(alarms=(done,)))
    await home.commit(of(alarms=(alarm(home, 2),)))
    assert await listed(home) == [("2", "active"), ("1", "cleared")]
    assert await listed(home, "cleared") == [("1", "cleared")]
    assert await listed(home, "active", "acknowledged", device_id=DEVICE) == [("2", "active")]
    (newest, _) = await items(home.store, ALARMS, USER, 10)
    assert [a.id[-1] for a in await items(home.store, ALARMS, USER, 10, newest)] == ["1"]


async def test_alarms_of_what_is_gone_are_not_kept_and_go_with_it(home: Home) -> None:
    await home.commit(of(alarms=(alarm(home),)))
    await home.store.delete_feed(USER, home.feeds["number"].id)
    assert await listed(home) == []
    await home.commit(of(alarms=(alarm(home, 2),)))
    nobody = alarm(home, 3, kind="offline", feed_num=None, feed_id=None, device_num=999)
    await home.commit(of(alarms=(nobody,)))
    assert await listed(home) == []


async def test_devices_that_are_not_offline_have_a_lease(home: Home) -> None:
    assert await home.store.online_devices() == []
    state = DeviceState(version=1, status="sleeping", last_seen_us=NOW)
    await home.commit(of(state=StateChange(home.device.num, state)))
    (device,) = await home.store.online_devices()
    assert (device.key, device.state) == (KEY, state)


async def test_settings_of_alarms_come_back_as_they_were(home: Home) -> None:
    rule = AlarmRule(after_s=2.5, after_count=3, hysteresis=0.5, severity="critical")
    await home.store.update_feed(msgspec.structs.replace(home.feeds["number"], alarm=rule))
    feed = await home.store.feed(USER, home.feeds["number"].id)
    assert feed is not None
    assert feed.alarm == rule
    await home.store.update_device(msgspec.structs.replace(home.device, offline_alarm=False))
    device = await home.store.device(USER, DEVICE)
    assert device is not None
    assert not device.offline_alarm
