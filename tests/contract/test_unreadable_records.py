"""One record that is asked for alone, and that nobody can read or show: it is said so, and the row
is put aside like one that a list leaves out (I6)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.adapters.memory.store.store import MemoryStore
from protocol.dead_letters import ROWS
from protocol.errors import Unreadable
from protocol.rest.listing import DEVICES, Listing, UnreadableRow
from tests.contract import test_store_shop as of_shop
from tests.contract import test_store_webhooks as of_webhooks
from tests.contract.pg_scene import Scene
from tests.contract.test_store import Home
from tests.contract.test_store_commands import some_command
from tests.contract.test_store_schedules import some_media, some_schedule
from tests.unit.makers import USER

Read = Callable[[], Awaitable[Any]]

# Each list's table, and a time of its rows.
TIMES = {
    "devices": ("devices", "last_seen_at"),
    "feeds": ("feeds", "created_at"),
    "media": ("media", "created_at"),
    "media-schedules": ("media_schedules", "trigger_at"),
    "commands": ("commands", "expires_at"),
    "webhooks": ("webhooks", "created_at"),
    "products": ("products", "created_at"),
    "orders": ("orders", "created_at"),
}


async def reads_of(home: Home) -> dict[str, tuple[int, list[Read]]]:
    """By list: the number of one record of it, and the calls that read it alone."""
    store = home.store
    media = await store.add_media(some_media())
    schedule = await store.add_schedule(some_schedule(), [])
    command = await store.add_command(some_command(home))
    webhook = await of_webhooks.added(home)
    product = await of_shop.added(home)
    order = await of_shop.ordered(home, 1, (product, 1))
    device, feed = home.device, home.feeds["number"]
    return {
        "devices": (device.num, [lambda: store.device(USER, device.id)]),
        "feeds": (feed.num, [lambda: store.feed(USER, feed.id)]),
        "media": (
            media.num,
            [lambda: store.media(USER, media.id), lambda: store.media_by_id(media.id)],
        ),
        "media-schedules": (schedule.num, [lambda: store.schedule(USER, schedule.id)]),
        "commands": (command.num, [lambda: store.command(USER, command.id)]),
        "webhooks": (webhook.num, [lambda: store.webhook(USER, webhook.id)]),
        "products": (product.num, [lambda: store.product(USER, product.id)]),
        "orders": (order.num, [lambda: store.order(USER, order.id)]),
    }


async def letters(home: Home) -> list[tuple[str, str, str | None]]:
    found = await home.store.dead_letters(100, None)
    return [(each.work, each.subject, each.user_id) for each in found]


@pytest.mark.parametrize("noun", TIMES)
@pytest.mark.parametrize("time", ["infinity", "-infinity", "290000-01-01"])
async def test_a_record_with_a_time_that_no_calendar_has_is_put_aside_and_said_to_be(
    scene: Scene, noun: str, time: str
) -> None:
    """It was read, and answered with a traceback where it was shown."""
    num, reads = (await reads_of(scene.home))[noun]
    table, column = TIMES[noun]
    await scene.fetch(f"UPDATE {table} SET {column} = '{time}' WHERE num = {num}")
    for read in reads:
        with pytest.raises(Unreadable, match="a time outside the years 1 to 9999"):
            await read()
    assert await letters(scene.home) == [(ROWS, f"{noun} {num}", USER)]
    await scene.fetch(f"UPDATE {table} SET {column} = now() WHERE num = {num}")
    for read in reads:
        assert (await read()).num == num


async def test_a_last_value_of_a_time_that_no_calendar_has_is_of_its_feed(scene: Scene) -> None:
    home = scene.home
    feed = home.feeds["number"]
    await scene.fetch(
        f"INSERT INTO feed_last (feed_num, ts, number) VALUES ({feed.num}, 'infinity', 1)"
    )
    with pytest.raises(Unreadable, match="a time outside the years 1 to 9999"):
        await home.store.feed(USER, feed.id)
    assert await letters(home) == [(ROWS, f"feeds {feed.num}", USER)]


@pytest.mark.parametrize("noun", TIMES)
async def test_a_record_that_nobody_can_read_is_put_aside_by_who_asks_for_it_alone(
    opened_store: Any, noun: str
) -> None:
    async with opened_store() as store:
        home = await Home(store).furnish()
        num, reads = (await reads_of(home))[noun]
        if isinstance(store, MemoryStore):
            store.unreadable[noun, num] = "DivisionByZeroError: division by zero"
        else:
            table, column = TIMES[noun]
            spoiled = f"UPDATE {table} SET {column} = 'infinity' WHERE num = $1"
            await store._work(lambda connection: connection.execute(spoiled, num))
        for read in reads:
            with pytest.raises(Unreadable):
                await read()
        assert await letters(home) == [(ROWS, f"{noun} {num}", USER)]


async def test_the_letter_is_that_of_the_list(scene: Scene) -> None:
    home = scene.home
    await scene.fetch("UPDATE devices SET created_at = 'infinity'")
    with pytest.raises(Unreadable):
        await home.store.device(USER, home.device.id)
    ((_, found),) = await home.store.listed(DEVICES, USER, Listing(limit=10))
    assert found == UnreadableRow(home.device.num)
    assert await letters(home) == [(ROWS, f"devices {home.device.num}", USER)]
