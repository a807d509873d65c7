"""A row that nobody can read hides no other: lists and snapshots show the rest (I6)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from actors.adapters.memory.store.store import MemoryStore
from actors.adapters.postgres.list_queries import NOUNS
from actors.adapters.postgres.wire import unreadable
from protocol.dead_letters import LISTENERS, ROWS
from protocol.rest.listing import (
    API_KEYS,
    DEVICES,
    FEEDS,
    LISTS,
    ORDERS,
    SCHEDULES,
    Listing,
    ListOf,
    UnreadableRow,
)
from tests.contract.pg_scene import Scene
from tests.contract.test_store import Home, of
from tests.contract.test_store_access import some_key
from tests.contract.test_store_listeners import some_listener
from tests.contract.test_store_media import some_media
from tests.contract.test_store_schedules import some_schedule, times
from tests.contract.test_store_shop import id_of, ordered, some_product
from tests.contract.test_store_webhooks import some_webhook
from tests.support.lists import devices_of
from tests.unit.makers import OTHER_USER, USER, some_device, some_feed, some_login

# Lists of which a home has three, and a column of theirs that can be spoiled.
COLUMNS = {
    "devices": "offline_after_s",
    "feeds": "unit",
    "media": "content_type",
    "media-schedules": "timezone",
    "webhooks": "description",
    "products": "stock",
    "orders": "note",
    "api-keys": "prefix",
}
KINDS = [noun for noun in LISTS if noun.name in COLUMNS]


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        yield await furnished(await Home(store).furnish())


async def furnished(home: Home) -> Home:
    store = home.store
    for n in range(1, 3):
        device = some_device(f"more{n}", id_of(0xD100, n), client_id=f"more{n}")
        await store.add_device(device, some_login(device))
    for n in range(1, 4):
        await store.add_media(some_media(n))
        await store.add_schedule(some_schedule(n, media_id=None), times(n))
        await store.add_webhook(some_webhook(n))
        product = await store.add_product(some_product(n))
        await ordered(home, n, (product, 1))
        await store.add_api_key(some_key(n))
    return home


def in_order(*, after: tuple[str, int] | None = None, limit: int = 100) -> Listing:
    return Listing(limit=limit, after=after)


async def spoil(home: Home, noun: ListOf[Any], num: int) -> None:
    """From now on nobody can read that row: where the database keeps it, a view divides by zero."""
    if isinstance(home.store, MemoryStore):
        home.store.unreadable[noun.name, num] = "DivisionByZeroError: division by zero"
        return

    async def unit(connection: Any) -> None:
        table = NOUNS[noun.name].tables.split()[0]
        found = await connection.fetch(
            "SELECT quote_ident(attname) AS name, format_type(atttypid, NULL) AS type"
            " FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0"
            " AND NOT attisdropped ORDER BY attnum",
            table,
        )
        bad = COLUMNS[noun.name]
        columns = [
            f"CASE WHEN num = {num} THEN (1 / (num - num))::text::{row['type']} ELSE {bad} END"
            f" AS {bad}"
            if row["name"] == bad
            else row["name"]
            for row in found
        ]
        await connection.execute(f"ALTER TABLE {table} RENAME TO {table}_there")
        await connection.execute(
            f"CREATE VIEW {table} AS SELECT {', '.join(columns)} FROM {table}_there"
        )

    await home.store._work(unit)  # type: ignore[attr-defined]


@pytest.mark.parametrize("noun", KINDS, ids=lambda noun: noun.name)
async def test_a_list_leaves_it_out_says_so_and_shows_all_others(
    home: Home, noun: ListOf[Any]
) -> None:
    """The whole list answered 400."""
    before = await home.store.listed(noun, USER, in_order())
    assert len(before) >= 3
    bad = before[1][1]
    assert not isinstance(bad, UnreadableRow)
    await spoil(home, noun, bad.num)
    after = await home.store.listed(noun, USER, in_order())
    assert after == [before[0], (before[1][0], UnreadableRow(bad.num)), *before[2:]]
    (letter,) = await home.store.dead_letters(10, None)
    assert (letter.work, letter.subject) == (ROWS, f"{noun.name} {bad.num}")
    assert letter.user_id == USER
    assert letter.reason == "DivisionByZeroError: division by zero"


async def test_pages_go_on_behind_it(home: Home) -> None:
    everything = await home.store.listed(DEVICES, USER, in_order())
    await spoil(home, DEVICES, everything[1][1].num)
    seen: list[int] = []
    after: tuple[str, int] | None = None
    while page := await home.store.listed(DEVICES, USER, in_order(after=after, limit=1)):
        ((place, item),) = page
        seen.append(item.num)
        after = place, item.num
    assert seen == [item.num for _, item in everything]


async def test_it_is_noted_once_however_often_somebody_looks(home: Home) -> None:
    everything = await home.store.listed(DEVICES, USER, in_order())
    await spoil(home, DEVICES, everything[1][1].num)
    for _ in range(5):
        await home.store.listed(DEVICES, USER, in_order())
        await devices_of(home.store, USER)
    (letter,) = await home.store.dead_letters(10, None)
    assert letter.attempts == 1


async def test_a_snapshot_has_all_other_devices(home: Home) -> None:
    """No dashboard of this user was ever told anything again."""
    before = await devices_of(home.store, USER)
    await spoil(home, DEVICES, before[1].num)
    assert await devices_of(home.store, USER) == [before[0], *before[2:]]
    (letter,) = await home.store.dead_letters(10, None)
    assert letter.subject == f"devices {before[1].num}"


async def test_pages_of_devices_and_feeds_and_last_values_have_all_others(home: Home) -> None:
    """Listeners were told nothing at the start, and a dashboard no last value."""
    store = home.store
    for n in range(3):
        await store.add_feed(some_feed(f"more{n}", id=id_of(0xF100, n)))
    for noun, page in ((DEVICES, store.devices), (FEEDS, store.feeds)):
        before = await page(USER, 100, 0)
        assert len(before) >= 3
        await spoil(home, noun, before[1].num)
        assert await page(USER, 100, 0) == [before[0], *before[2:]]
    ids = [feed.id for feed in before]
    assert await store.last_values(USER, ids[::-1]) == [before[0], *before[2:]][::-1]


async def test_of_listeners_the_bad_one_is_put_aside(home: Home) -> None:
    """No user's listener was served any more: who serves them starts from the list of all."""
    store = home.store
    good, bad = some_listener(), some_listener(2, user_id=OTHER_USER)
    await store.set_listener(good)
    await store.set_listener(bad)
    assert await store.dead_letters(10, None) == []
    if isinstance(store, MemoryStore):
        store.unreadable_listeners.add(OTHER_USER)
    else:
        spoiled = "UPDATE listeners SET created_at = 'infinity' WHERE user_id = $1::text::uuid"
        await store._work(  # type: ignore[attr-defined]
            lambda connection: connection.execute(spoiled, OTHER_USER)
        )
    assert await store.listeners() == [good]
    (letter,) = await store.dead_letters(10, None)
    assert (letter.work, letter.subject, letter.user_id) == (LISTENERS, OTHER_USER, OTHER_USER)


@pytest.mark.parametrize("noun", [DEVICES, ORDERS], ids=lambda noun: noun.name)
async def test_it_is_read_again_and_its_letter_goes_when_it_can_be(
    home: Home, noun: ListOf[Any]
) -> None:
    everything = await home.store.listed(noun, USER, in_order())
    bad, good = everything[1][1].num, everything[0][1].num
    await spoil(home, noun, bad)
    await home.store.listed(noun, USER, in_order())
    await home.store.note_unreadable(noun.name, good, USER, "as it was once")
    await home.store.retry_dead_letters(None, 0)
    for num in (good, bad):
        await home.store.read_row_again(f"{noun.name} {num}", USER)
    (letter,) = await home.store.dead_letters(10, None)
    assert (letter.subject, letter.attempts) == (f"{noun.name} {bad}", 2)
    await home.store.note_unreadable(noun.name, 99_999, USER, "deleted since")
    await home.store.read_row_again(f"{noun.name} 99999", USER)
    assert len(await home.store.dead_letters(10, None)) == 1


async def test_what_a_view_cannot_show_is_noted_likewise(home: Home) -> None:
    for _ in range(2):
        await home.store.note_unreadable("feeds", 7, USER, "OverflowError: no such year")
    (letter,) = await home.store.dead_letters(10, None)
    assert (letter.subject, letter.attempts) == ("feeds 7", 1)


async def test_a_time_that_no_calendar_has_spoils_its_own_device_alone(scene: Scene) -> None:
    home = await furnished(scene.home)
    before = await devices_of(home.store, USER)
    await scene.fetch("UPDATE devices SET last_seen_at = 'infinity' WHERE num = $1", before[0].num)
    assert await devices_of(home.store, USER) == before[1:]
    (letter,) = await home.store.dead_letters(10, None)
    assert letter.reason.startswith("This record holds a time")


async def test_a_last_value_of_a_time_that_no_calendar_has_hides_no_other(scene: Scene) -> None:
    home = await furnished(scene.home)
    feeds = list(home.feeds.values())
    await home.commit(of(home.reading(1.0), home.reading(True)))
    bad = home.feeds["number"]
    await scene.fetch("UPDATE feed_last SET ts = 'infinity' WHERE feed_num = $1", bad.num)
    found = await home.store.last_values(USER, [feed.id for feed in feeds])
    assert [feed.id for feed in found] == [feed.id for feed in feeds if feed.id != bad.id]
    page = await home.store.listed(FEEDS, USER, in_order())
    assert [item for _, item in page if isinstance(item, UnreadableRow)] == [UnreadableRow(bad.num)]
    (letter,) = await home.store.dead_letters(10, None)
    assert letter.subject == f"feeds {bad.num}"
    # It stays noted as long as it is so, and its device lives with it.
    await home.store.retry_dead_letters(None, 0)
    await home.store.read_row_again(letter.subject, USER)
    assert (await home.store.dead_letters(10, None))[0].attempts == 2
    assert (await home.store.load_devices([home.device.key]))[0] is not None


@pytest.mark.parametrize(
    ("noun", "column", "sort"),
    [
        (DEVICES, "last_seen_at", "last_seen"),
        (SCHEDULES, "trigger_at", "trigger_time"),
        (API_KEYS, "last_used_at", "last_used_at"),
    ],
    ids=["devices", "schedules", "keys"],
)
@pytest.mark.parametrize("when", ["infinity", "-infinity", "200000-01-01"])
async def test_it_hides_no_other_in_a_list_that_is_sorted_by_that_time(
    scene: Scene, noun: ListOf[Any], column: str, sort: str, when: str
) -> None:
    """An endless time is no number: the place of the row could not be written."""
    home = await furnished(scene.home)
    everything = await home.store.listed(noun, USER, in_order())
    bad = everything[1][1].num
    table = NOUNS[noun.name].tables.split()[0]
    await scene.fetch(f"UPDATE {table} SET {column} = '{when}' WHERE num = {bad}")
    for descending in (False, True):
        seen: list[int] = []
        after: tuple[str, int] | None = None
        for _ in everything:
            asked = Listing(limit=1, sort=sort, descending=descending, after=after)
            ((place, item),) = await home.store.listed(noun, USER, asked)
            seen.append(item.num)
            after = place, item.num
            assert isinstance(item, UnreadableRow) == (item.num == bad)
        assert sorted(seen) == sorted(item.num for _, item in everything)


async def test_a_due_time_that_no_calendar_has_spoils_no_figure_of_the_dashboard(
    scene: Scene,
) -> None:
    """The whole page answered 500."""
    home = await furnished(scene.home)
    (first,) = times(1)
    await scene.fetch(
        "UPDATE schedule_occurrences SET due_at = '-infinity' WHERE num ="
        " (SELECT max(num) FROM schedule_occurrences)"
    )
    counts = await home.store.dashboard_counts(USER, 0, 1)
    assert (counts.schedules, counts.next_us) == (3, first)


async def test_a_table_that_is_spoiled_as_a_whole_is_noted_by_some_of_its_rows(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unreadable, "NOTED_MAX", 2)
    home = await furnished(scene.home)
    await scene.fetch("UPDATE devices SET created_at = '-infinity'")
    assert await devices_of(home.store, USER) == []
    found = await home.store.listed(DEVICES, USER, in_order())
    assert all(isinstance(item, UnreadableRow) for _, item in found)
    assert len(await home.store.dead_letters(10, None)) == 2
