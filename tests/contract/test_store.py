"""What every store promises: one suite for PostgreSQL and for its memory twin."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from actors.adapters.memory.clocks import SeededIds
from actors.ports.people import AccountChange
from actors.ports.store import Batch, Committed, FeedPage, Store
from protocol.device.alarms import Alarm
from protocol.device.values import digest64
from protocol.errors import Reason, Unstorable
from protocol.records import (
    Destination,
    Device,
    DeviceState,
    Feed,
    Reading,
    Rejection,
    SharedFeeds,
    StateChange,
    Taken,
    WriteUnit,
)
from protocol.rest.listing import REJECTIONS
from tests.contract.refused import refused
from tests.support.lists import devices_of, items
from tests.unit.makers import (
    DEVICE,
    NOW,
    OTHER_USER,
    SECOND,
    USER,
    some_alarm,
    some_device,
    some_feed,
    some_login,
    some_user,
)

KEY = (USER, "d1")
_ids = SeededIds(random.Random(5))


class Home:
    """A store with one user, one device and one feed of each kind."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.device: Device
        self.feeds: dict[str, Feed] = {}

    async def furnish(self) -> "Home":
        await self.store.add_user(some_user())
        await self.store.add_user(some_user(OTHER_USER, "bob@example.org"))
        device = some_device()
        self.device = await self.store.add_device(device, some_login(device))
        for n, kind in enumerate(("number", "text", "bool"), 1):
            self.feeds[kind] = await self.store.add_feed(some_feed(kind, n, kind=kind))
        return self

    def reading(self, value: Any, ts_us: int = NOW, **options: Any) -> Reading:
        kind = {bool: "bool", str: "text"}.get(type(value), "number")
        digest = digest64(value, options.get("message_id"))
        return Reading(self.feeds[kind].num, self.device.num, ts_us, digest, value, **options)

    def batch(self, *units: WriteUnit, name: str | None = None, **options: Any) -> Batch:
        return Batch(id=name or _ids.uuid(), units=units, confirmed=options.get("confirmed", {}))

    async def commit(self, *units: WriteUnit, **options: Any) -> Committed:
        return await self.store.commit(self.batch(*units, **options))

    async def values(self, kind: str = "number", **page: Any) -> list[Any]:
        found = await self.store.feed_values(FeedPage(feed_num=self.feeds[kind].num, **page))
        return [(reading.ts_us - NOW, reading.value) for reading in found]

    async def last(self, kind: str = "number") -> tuple[Any, Any]:
        feed = await self.store.feed(USER, self.feeds[kind].id)
        assert feed is not None
        return feed.last_value, feed.last_us


def of(*readings: Reading, **options: Any) -> WriteUnit:
    return WriteUnit(device=KEY, readings=readings, **options)


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await Home(store).furnish()


async def test_readings_of_every_kind_come_back_as_they_were(home: Home) -> None:
    await home.commit(of(home.reading(1.5), home.reading("é\n"), home.reading(True)))
    await home.commit(of(home.reading(2.5, NOW + 1, flagged=True)))
    assert await home.values("number") == [(1, 2.5), (0, 1.5)]
    assert await home.values("text") == [(0, "é\n")]
    assert await home.values("bool") == [(0, True)]
    (newest, _) = await home.store.feed_values(FeedPage(feed_num=home.feeds["number"].num))
    assert newest.flagged


async def test_a_reading_is_stored_once_however_often_it_comes(home: Home) -> None:
    first = await home.commit(of(home.reading(1.0)), of(home.reading(1.0), home.reading(2.0)))
    assert list(first.duplicates) == [0, 1]
    again = await home.commit(of(home.reading(1.0), home.reading(2.0)))
    assert list(again.duplicates) == [2]
    assert len(await home.values()) == 2


async def test_two_values_of_one_instant_live_together(home: Home) -> None:
    await home.commit(of(home.reading(1.0), home.reading(2.0)))
    assert sorted(await home.values()) == [(0, 1.0), (0, 2.0)]


async def test_a_message_id_is_known_for_a_week_at_any_time_with_its_value(home: Home) -> None:
    await home.commit(of(home.reading(1.0, message_id="m")))
    again = await home.commit(
        of(home.reading(1.0, NOW + SECOND, message_id="m")),
        of(home.reading(2.0, NOW + SECOND, message_id="m")),
        of(home.reading(1.0, message_id="n")),
    )
    assert list(again.duplicates) == [1, 0, 0]
    assert sorted(await home.values()) == [(0, 1.0), (0, 1.0), (SECOND, 2.0)]


async def test_one_message_id_twice_in_one_batch_is_one_reading_if_it_says_the_same(
    home: Home,
) -> None:
    done = await home.commit(
        of(home.reading(1.0, message_id="m")),
        of(home.reading(1.0, NOW + 1, message_id="m")),
        of(home.reading(2.0, message_id="m")),
    )
    assert list(done.duplicates) == [0, 1, 0]


async def test_a_copy_is_a_reading_of_an_empty_feed_only(home: Home) -> None:
    def copy(value: float, at_us: int = NOW) -> WriteUnit:
        reading = home.reading(
            value, at_us, message_id=f"of {value}", into=Destination.EMPTY_HISTORY
        )
        return of(reading, is_copy=True)

    first = await home.commit(copy(1.0), copy(1.0, NOW + 1))
    assert list(first.duplicates) == [0, 1]
    again = await home.commit(copy(1.0, NOW + 2), copy(2.0, NOW + 2), of(home.reading("x", NOW)))
    assert list(again.duplicates) == [1, 1, 0]
    assert await home.values() == [(0, 1.0)]
    assert await home.last() == (None, None)


async def test_what_was_deleted_does_not_come_back_by_a_copy(home: Home) -> None:
    """The broker's copies come again at each start of Roost, long after retention."""
    num = home.feeds["number"].num
    copy = home.reading(1.0, NOW, message_id="c", into=Destination.EMPTY_HISTORY)
    timed = home.reading(2.0, NOW - SECOND)
    await home.commit(of(copy, is_copy=True))
    await home.commit(of(timed))
    assert await home.store.delete_history(num, None, NOW) == 1
    done = await home.commit(of(timed, is_copy=True))
    assert list(done.duplicates) == [1]
    assert await home.store.delete_history(num, None, None) == 1
    later = home.reading(3.0, NOW + 9 * SECOND, message_id="d", into=Destination.EMPTY_HISTORY)
    done = await home.commit(of(copy, is_copy=True), of(later, is_copy=True))
    assert list(done.duplicates) == [1, 1]
    assert await home.values() == []
    # Neither what a device sends itself, nor what it said later.
    done = await home.commit(of(timed), of(home.reading(4.0, NOW + SECOND), is_copy=True))
    assert list(done.duplicates) == [0, 0]
    assert await home.values() == [(SECOND, 4.0), (-SECOND, 2.0)]


async def test_a_copy_beside_another_reading_of_its_feed_is_left_out(home: Home) -> None:
    copy = home.reading(1.0, NOW + 1, message_id="c", into=Destination.EMPTY_HISTORY)
    done = await home.commit(of(copy, is_copy=True), of(home.reading(1.0)))
    assert list(done.duplicates) == [1, 0]
    assert await home.values() == [(0, 1.0)]


async def test_a_refused_copy_is_kept_once(home: Home) -> None:
    def refused(payload: str, *, is_copy: bool, reason: Reason = Reason.BAD_VALUE) -> WriteUnit:
        row = Rejection(USER, home.device.id, NOW, "t", payload, "utf-8", reason, "why")
        return of(rejections=(row,), is_copy=is_copy)

    done = [
        await home.commit(refused("a", is_copy=False), refused("a", is_copy=True)),
        await home.commit(refused("a", is_copy=True), refused("b", is_copy=True)),
        await home.commit(refused("b", is_copy=True), refused("b", is_copy=False)),
        await home.commit(refused("c", is_copy=True), refused("c", is_copy=False)),
        await home.commit(refused("b", is_copy=True, reason=Reason.BAD_TIME)),
    ]
    listed = [[(each.payload, str(each.reason)) for each in one.listed] for one in done]
    assert listed == [[], [("b", "bad_value")], [], [], [("b", "bad_time")]]
    kept = await items(home.store, REJECTIONS, USER, 100)
    said = sorted((each.payload, str(each.reason)) for each in kept)
    bad = [(payload, "bad_value") for payload in "abbc"]
    assert said == sorted([*bad, ("b", "bad_time")])


async def test_the_last_value_goes_by_event_time_not_by_arrival(home: Home) -> None:
    await home.commit(of(home.reading(2.0, NOW + 5)))
    await home.commit(of(home.reading(1.0, NOW)))
    assert await home.last() == (2.0, NOW + 5)


async def test_of_one_instant_the_later_arrival_is_last_within_and_across_batches(
    home: Home,
) -> None:
    await home.commit(of(home.reading(1.0), home.reading(2.0)))
    assert await home.last() == (2.0, NOW)
    await home.commit(of(home.reading(3.0)))
    assert await home.last() == (3.0, NOW)
    await home.commit(of(home.reading(1.0)))  # known: it replaces nothing
    assert await home.last() == (3.0, NOW)


async def test_what_is_for_the_history_only_sets_no_last_value(home: Home) -> None:
    await home.commit(of(home.reading(1.0, into=Destination.HISTORY)))
    assert await home.last() == (None, None)


async def test_the_same_batch_again_changes_nothing_and_answers_the_same(home: Home) -> None:
    rejection = Rejection(USER, DEVICE, NOW, "t", "p", "utf-8", "r", "d")
    await home.commit(of(home.reading(1.0)))
    units = [of(home.reading(1.0), home.reading(2.0)), of(rejections=(rejection,))]
    name = _ids.uuid()
    first = await home.commit(*units, name=name)
    second = await home.commit(*units, name=name)
    assert first == second
    assert list(first.duplicates) == [1, 0]
    assert len(await items(home.store, REJECTIONS, USER, 10)) == 1


async def test_commits_are_numbered_upwards(home: Home) -> None:
    first = await home.commit(of(home.reading(1.0)))
    second = await home.commit(of(home.reading(2.0)))
    assert second.no > first.no


@pytest.mark.parametrize("poison", ["a\0b", "\ud800"])
async def test_a_batch_that_cannot_be_stored_is_stored_in_no_part(home: Home, poison: str) -> None:
    with pytest.raises(Unstorable):
        await home.commit(of(home.reading(1.0)), of(home.reading(poison)))
    assert await home.values() == []


async def test_dates_of_any_time_find_a_partition(home: Home) -> None:
    long_ago = 946_684_800 * SECOND
    await home.commit(
        of(home.reading(1.0, long_ago), home.reading(2.0, NOW + 400 * 86400 * SECOND))
    )
    assert len(await home.values()) == 2


async def test_pages_of_readings_by_time_and_place(home: Home) -> None:
    await home.commit(of(*[home.reading(float(n), NOW + n // 2) for n in range(10)]))
    everything = await home.values()
    seen: list[Any] = []
    before = None
    while True:
        page = await home.store.feed_values(
            FeedPage(feed_num=home.feeds["number"].num, before=before, limit=3)
        )
        if not page:
            break
        seen += [(r.ts_us - NOW, r.value) for r in page]
        before = page[-1].ts_us, page[-1].device_num, page[-1].digest
    assert seen == everything
    assert len(set(seen)) == 10
    times = {ts for ts, _ in await home.values(start_us=NOW + 1, end_us=NOW + 3)}
    assert times == {1, 2}


async def test_an_older_state_never_replaces_a_newer(home: Home) -> None:
    def state(version: int, status: str) -> WriteUnit:
        known = DeviceState(version=version, status=status, last_seen_us=NOW, session=2**40)
        return of(state=StateChange(home.device.num, known))

    await home.commit(state(2, "online"), state(3, "sleeping"))
    await home.commit(state(1, "offline"))
    device = await home.store.device(USER, DEVICE)
    assert device is not None
    assert (device.state.status, device.state.version) == ("sleeping", 3)
    assert (device.state.last_seen_us, device.state.session) == (NOW, 2**40)
    assert await devices_of(home.store, USER) == [device]


async def test_refusals_are_kept_and_listed_newest_first(home: Home) -> None:
    for n in range(5):
        detail = Rejection(USER, "" if n else DEVICE, NOW + n, "t", f"p{n}", "utf-8", "r", "d")
        await home.commit(of(rejections=(detail,)))
    first = await items(home.store, REJECTIONS, USER, 3)
    assert [r.payload for r in first] == ["p4", "p3", "p2"]
    rest = await items(home.store, REJECTIONS, USER, 3, first[-1])
    assert [r.payload for r in rest] == ["p1", "p0"]
    assert (rest[1].received_us, rest[1].device_id) == (NOW, DEVICE)
    assert await items(home.store, REJECTIONS, OTHER_USER, 3) == []
    assert len(await items(home.store, REJECTIONS, USER, 3, device_id=DEVICE)) == 1


async def test_one_alarm_of_a_feed_is_open_at_a_time(home: Home) -> None:
    feed = home.feeds["number"].num

    def alarm(n: int, state: str, at: int) -> Alarm:
        cleared_us = NOW + at if state == "cleared" else None
        return some_alarm(
            feed,
            id=f"00000000-0000-4000-a000-{n:012d}",
            device_num=home.device.num,
            state=state,
            cleared_us=cleared_us,
        )

    async def opened() -> list[str]:
        (loaded,) = await home.store.load_devices([KEY])
        assert loaded is not None
        return [alarm.id[-1] for alarm in loaded.alarms]

    await home.commit(of(alarms=(alarm(1, "active", 0),)))
    assert await opened() == ["1"]
    await home.commit(of(alarms=(alarm(2, "active", 1),)))
    assert await opened() == ["1"]
    some = (alarm(1, "cleared", 2), alarm(3, "active", 3), alarm(3, "cleared", 4))
    await home.commit(of(alarms=some))
    assert await opened() == []
    await home.commit(of(alarms=(alarm(4, "pending", 5),)), of(alarms=(alarm(4, "active", 6),)))
    assert await opened() == ["4"]


async def test_devices_are_loaded_with_their_feeds_in_the_order_asked(home: Home) -> None:
    shared = await home.store.add_feed(some_feed("shared", 9, device_id=None))
    await home.store.add_feed(
        msgspec.structs.replace(some_feed("foreign", 10, device_id=None), user_id=OTHER_USER)
    )
    await home.commit(of(home.reading(7.0)))
    keys = [(USER, "none"), KEY, ("no uuid", "d1"), (OTHER_USER, "d1")]
    nobody, loaded, *others = await home.store.load_devices(keys)
    assert nobody is None and others == [None, None]
    assert loaded is not None
    assert loaded.device == home.device
    by_key = {feed.key: feed for feed in loaded.feeds}
    assert by_key.keys() == {"number", "text", "bool"}
    assert loaded.shared == SharedFeeds([shared])
    assert (by_key["number"].last_value, by_key["number"].last_us) == (7.0, NOW)


async def test_identities_are_suspect_until_confirmed(home: Home) -> None:
    def taken(n: int, session: str = "s") -> WriteUnit:
        return of(taken=Taken(session, bytes([n]) * 16))

    first = await home.commit(taken(1), taken(2), taken(9, "other"))
    await home.commit(taken(3))
    memory = await home.store.session_memory("s")
    assert memory.known == ()
    assert memory.suspects == tuple(bytes([n]) * 16 for n in (1, 2, 3))
    await home.commit(confirmed={"s": first.no})
    memory = await home.store.session_memory("s")
    assert memory.known == (b"\1" * 16, b"\2" * 16)
    assert memory.suspects == (b"\3" * 16,)


async def test_confirmed_identities_are_forgotten_after_a_while(home: Home) -> None:
    for n in range(80):
        last = await home.commit(of(taken=Taken("s", bytes([n]) * 16)))
    await home.commit(confirmed={"s": last.no})
    memory = await home.store.session_memory("s")
    assert len(memory.known) == 64
    assert memory.known[-1] == bytes([79]) * 16


async def test_an_address_has_one_account_whatever_its_case(home: Home) -> None:
    with refused("account_exists"):
        await home.store.add_user(some_user(DEVICE, "ADA@example.org"))
    user = await home.store.user_by_email("Ada@Example.org")
    assert user is not None and user.id == USER
    bob = some_user(OTHER_USER, "ada@example.org")
    with refused("account_exists"):
        await home.store.update_user(AccountChange(user=bob))
    assert await home.store.user_by_email("nobody@example.org") is None
    assert await home.store.user(DEVICE) is None


async def test_a_device_code_is_taken_once_per_user(home: Home) -> None:
    second = some_device("d1", "99999999-0000-4000-8000-000000000001")
    with refused("device_exists"):
        await home.store.add_device(second, some_login(second))
    theirs = msgspec.structs.replace(second, user_id=OTHER_USER)
    await home.store.add_device(theirs, some_login(theirs))
    assert await home.store.device(USER, theirs.id) is None
    assert [d.id for d in await home.store.devices(OTHER_USER, 10, 0)] == [theirs.id]
    assert await home.store.devices(OTHER_USER, 10, 999) == []


async def test_changing_a_device_leaves_its_state_alone(home: Home) -> None:
    await home.commit(of(state=StateChange(home.device.num, DeviceState(version=1, status="x"))))
    await home.store.update_device(
        msgspec.structs.replace(home.device, name="New", offline_after_s=60)
    )
    device = await home.store.device(USER, DEVICE)
    assert device is not None
    assert (device.name, device.offline_after_s, device.state.status) == ("New", 60, "x")


async def test_a_login_is_found_by_its_name_and_can_be_replaced(home: Home) -> None:
    login = some_login(home.device)
    assert await home.store.logins([login.username, "x"]) == {login.username: login}
    changed = msgspec.structs.replace(login, password_sha256=b"y" * 32)
    await home.store.set_login(DEVICE, changed)
    assert await home.store.logins([login.username]) == {login.username: changed}
    assert await home.store.logins(["nobody"]) == {}


async def test_a_deleted_device_leaves_its_feeds_archived_with_their_history(home: Home) -> None:
    await home.commit(of(home.reading(1.0)))
    await home.store.delete_device(USER, DEVICE, purge=False)
    assert await home.store.device(USER, DEVICE) is None
    assert await home.store.logins([home.device.client_id]) == {}
    feed = await home.store.feed(USER, home.feeds["number"].id)
    assert feed is not None
    assert (feed.archived, feed.enabled, feed.device_id) == (True, False, None)
    assert len(await home.values()) == 1
    # Its place is free for a feed that all devices share.
    await home.store.add_feed(some_feed("number", 20, device_id=None))


async def test_a_purged_device_takes_its_history_with_it(home: Home) -> None:
    await home.commit(of(home.reading(1.0)))
    await home.store.delete_device(USER, DEVICE, purge=True)
    assert await home.store.feeds(USER, 10, 0) == []
    assert await home.values() == []


async def test_what_is_on_its_way_to_a_deleted_feed_stops_nobody(home: Home) -> None:
    await home.store.delete_feed(USER, home.feeds["number"].id)
    done = await home.commit(of(home.reading(1.0)), of(home.reading("kept")))
    assert len(done.duplicates) == 2
    assert await home.values("text") == [(0, "kept")]


async def test_a_feed_key_is_taken_once_for_each_place(home: Home) -> None:
    with refused("feed_exists"):
        await home.store.add_feed(some_feed("number", 20))
    await home.store.add_feed(some_feed("number", 21, device_id=None))
    with refused("feed_exists"):
        await home.store.add_feed(some_feed("number", 22, device_id=None))


async def test_feeds_are_listed_and_changed_for_their_owner_only(home: Home) -> None:
    def keys(feeds: Sequence[Feed]) -> list[str]:
        return [feed.key for feed in feeds]

    await home.store.add_feed(some_feed("shared", 9, device_id=None))
    assert keys(await home.store.feeds(USER, 10, 0)) == ["number", "text", "bool", "shared"]
    assert keys(await home.store.feeds(USER, 10, 0, DEVICE)) == ["number", "text", "bool"]
    assert await home.store.feeds(OTHER_USER, 10, 0) == []
    feed = home.feeds["number"]
    assert await home.store.feed(OTHER_USER, feed.id) is None
    await home.store.update_feed(
        msgspec.structs.replace(feed, enabled=False, min_value=1.0, unit="°C", name="N")
    )
    changed = await home.store.feed(USER, feed.id)
    assert changed is not None
    assert (changed.enabled, changed.min_value, changed.unit, changed.name) == (
        False,
        1.0,
        "°C",
        "N",
    )


async def test_housekeeping_runs_beside_everything(home: Home) -> None:
    await home.commit(of(home.reading(1.0, message_id="m")))
    await home.store.tidy()
    again = await home.commit(of(home.reading(1.0, message_id="m")))
    assert list(again.duplicates) == [1]
    await home.store.ping()


async def test_cursors_beyond_every_place_are_the_end_of_the_list(home: Home) -> None:
    await home.commit(of(home.reading(1.0)))
    far = 2**62
    assert await home.store.devices(USER, 10, far) == []
    assert await home.store.feeds(USER, 10, far) == []
    assert await home.values(before=(NOW - 1, 2**40, far)) == []


async def test_a_snapshot_comes_page_by_page(home: Home) -> None:
    for n in range(2, 6):
        made = some_device(f"d{n}", f"00000000-0000-4000-8000-{n:012d}")
        await home.store.add_device(made, some_login(made))
    pages = []
    after: int | None = 0
    while after is not None:
        page, after = await home.store.snapshot(USER, after, 2)
        pages.append([device.code for device in page])
    assert pages == [["d1", "d2"], ["d3", "d4"], ["d5"]]
    assert await home.store.snapshot(OTHER_USER, 0, 2) == ([], None)
