"""Nobody has more of a noun than they may, also where many are added at the same time: PostgreSQL
and its memory twin."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import pytest
import trio

from protocol.errors import Conflict
from tests.contract.refused import refused
from tests.contract.test_store import KEY, Home, of
from tests.contract.test_store_media import some_media
from tests.contract.test_store_schedules import MEDIA, some_schedule
from tests.contract.test_store_webhooks import some_webhook
from tests.unit.makers import DEVICE, OTHER_USER, USER, some_device, some_feed, some_login

Add = Callable[[Home, int, str, int | None], Awaitable[Any]]


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        made = await Home(store).furnish()
        await store.add_media(some_media(id=MEDIA))
        yield made


def _device(n: int, user_id: str) -> Any:
    code = f"more-{n}"
    device_id = f"00000000-0000-4000-b000-{n:012d}"
    device = some_device(code, device_id, user_id=user_id, client_id=code)
    return device, some_login(device)


async def device(home: Home, n: int, user_id: str, most: int | None) -> Any:
    return await home.store.add_devices([_device(n, user_id)], most)


async def feed(home: Home, n: int, user_id: str, most: int | None) -> Any:
    device_id = DEVICE if user_id == USER else None
    made = some_feed(f"more-{n}", 100 + n, user_id=user_id, device_id=device_id)
    return await home.store.add_feed(made, most)


async def schedule(home: Home, n: int, user_id: str, most: int | None) -> Any:
    return await home.store.add_schedule(some_schedule(n, user_id=user_id), [], most)


async def webhook(home: Home, n: int, user_id: str, most: int | None) -> Any:
    return await home.store.add_webhook(some_webhook(n, user_id=user_id), most or 1_000)


# How many the user has before.
NOUNS: dict[str, tuple[Add, int]] = {
    "devices": (device, 1),
    "feeds": (feed, 3),
    "schedules": (schedule, 0),
    "webhooks": (webhook, 0),
}


@pytest.mark.parametrize("noun", NOUNS)
async def test_a_user_has_no_more_than_the_bound(home: Home, noun: str) -> None:
    add, before = NOUNS[noun]
    most = before + 4
    ended: list[str] = []

    async def try_one(n: int) -> None:
        try:
            await add(home, n, USER, most)
        except Conflict as conflict:
            ended.append(conflict.detail)
        else:
            ended.append("added")

    async with trio.open_nursery() as nursery:
        for n in range(12):
            nursery.start_soon(try_one, n)
    assert sorted(set(ended)) == [
        f"You can have at most {most} {noun}, and already have {most}",
        "added",
    ]
    assert ended.count("added") == 4
    await add(home, 50, OTHER_USER, most)  # somebody else's are her own
    await add(home, 51, USER, None)  # where nothing is bounded


async def test_of_many_devices_all_are_added_or_none(home: Home) -> None:
    made = [_device(n, USER) for n in range(3)]
    add = partial(home.store.add_devices, made)
    with refused("devices_full", most=3, count=1):
        await add(3)
    assert len(await add(4)) == 3


@pytest.mark.parametrize("device_id", [DEVICE, None])
async def test_a_device_has_no_more_feeds_than_it_may_nor_have_all_together(
    home: Home, device_id: str | None
) -> None:
    def made(n: int, place: str | None) -> Any:
        return some_feed(f"more-{n}", 100 + n, device_id=place)

    user_feeds = await home.store.feeds(USER, 100, 0)
    there = sum(each.device_id == device_id for each in user_feeds)
    await home.store.add_feed(made(0, device_id), 1_000, there + 1)
    code = "device_feeds_full" if device_id else "shared_feeds_full"
    with refused(code, most=there + 1, count=there + 1):
        await home.store.add_feed(made(1, device_id), 1_000, there + 1)
    await home.store.add_feed(made(2, None if device_id else DEVICE), 1_000, 100)


async def test_shared_feeds_are_equal_whatever_was_written_to_them(home: Home) -> None:
    """So actors that started at other times have one copy."""
    shared = some_feed("all", 100, device_id=None)
    num = (await home.store.add_feed(shared)).num
    (before,) = await home.store.load_devices([KEY])
    await home.commit(of(msgspec.structs.replace(home.reading(1.0), feed_num=num)))
    (after,) = await home.store.load_devices([KEY])
    assert before is not None and after is not None
    assert before.shared == after.shared
    assert after.shared.of_key("all") is not None
