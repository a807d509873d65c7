"""Every list, in every order, page by page: PostgreSQL and its memory twin."""

from collections.abc import AsyncIterator
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec
import pytest

from protocol.people.people import AuditEntry
from protocol.records import DeviceState, Rejection, StateChange
from protocol.rest.listing import (
    ALARMS,
    COMMANDS,
    DEVICES,
    FEEDS,
    LISTS,
    MEDIA,
    OCCURRENCES,
    ORDERS,
    PRODUCTS,
    REJECTIONS,
    SCHEDULES,
    WEBHOOKS,
    Listing,
    ListOf,
)
from protocol.shop.shop import COMPLETED
from tests.contract.test_store import Home, of
from tests.contract.test_store_access import some_key
from tests.contract.test_store_alarms import alarm
from tests.contract.test_store_commands import some_command
from tests.contract.test_store_media import some_media
from tests.contract.test_store_people import signed_in
from tests.contract.test_store_schedules import some_schedule, times
from tests.contract.test_store_shop import id_of, ordered, some_product
from tests.contract.test_store_webhooks import some_webhook, with_news
from tests.support.lists import items
from tests.unit.makers import (
    DEVICE,
    NOW,
    OTHER_USER,
    SECOND,
    USER,
    some_device,
    some_feed,
    some_login,
)

# In the order of code points, whatever a language thinks of them.
NAMES = ["Zeta", "alpha", "Älpha", "beta", "alpha", "100% wool", "a_b", "日本"]


@pytest.fixture
async def home(opened_store: Any) -> AsyncIterator[Home]:
    async with opened_store() as store:
        at = await Home(store).furnish()
        for n, name in enumerate(NAMES):
            device = some_device(f"c{9 - n}", id_of(0xD000, n), client_id=f"device-l{n}", name=name)
            await store.add_device(device, some_login(device))
            await store.add_feed(some_feed(f"k{9 - n}", 100 + n, name=name, device_id=None))
            price, stock = Decimal(n % 3) / 4, n % 4 * 10
            await store.add_product(some_product(n, name=name, price=price, stock=stock))
            rich = await store.add_product(some_product(50 + n, stock=100))
            await ordered(at, n, (rich, n % 3 + 1))
            await furnish_time(at, n)
            await furnish_people(at, n)
        yield at


async def furnish_time(at: Home, n: int) -> None:
    """One more of what happens because time passes; every value but the number comes again."""
    await at.store.add_media(
        some_media(n + 1, filename=NAMES[n], size=n % 3 + 1, content_type=f"image/{n % 2}")
    )
    schedule = await at.store.add_schedule(
        some_schedule(n + 1, trigger_us=NOW - n % 3, enabled=n % 2 == 0),
        times(n % 4, n % 4 + 50) if n % 2 == 0 else [],
    )
    assert schedule.num > 0
    await at.store.add_command(
        some_command(at, n + 1, type=f"t{n % 3}", expires_us=NOW + 600 * SECOND + n % 2)
    )
    raised = alarm(at, n + 1, since_us=NOW - n % 3, severity=("info", "critical")[n % 2])
    await at.commit(of(alarms=(msgspec.structs.replace(raised, state="cleared"),)))
    refused = Rejection(USER, DEVICE, NOW, f"t{n % 3}", "p", "utf-8", f"r{n % 2}", "d")
    await at.commit(of(rejections=(refused,)))


async def furnish_people(at: Home, n: int) -> None:
    """One more of what belongs to an account."""
    hook = await at.store.add_webhook(some_webhook(n + 1, enabled=n % 2 == 0))
    for event in range(n % 3):
        await with_news(at, hook, 10 * n + event)
    await signed_in(at, n + 1, address=f"192.0.2.{n % 3}", expires_us=NOW + SECOND * (n % 4 + 9))
    await at.store.add_audit(
        AuditEntry(
            user_id=USER, at_us=NOW, action=("signed_in", "signed_out")[n % 2], address=f"a{n % 3}"
        )
    )
    key = await at.store.add_api_key(some_key(n + 1, name=NAMES[n]))
    if n % 2:
        await at.store.api_key_used(key.id, NOW + n % 3, "192.0.2.1")


async def all_of(home: Home, noun: ListOf[Any], pages: int, **asked: Any) -> list[Any]:
    """The whole list, so many items at a time."""
    found: list[Any] = []
    after = None
    while True:
        question = Listing(limit=pages, after=after, **{"sort": next(iter(noun.sorts)), **asked})
        page = await home.store.listed(noun, USER, question)
        found += [item for _, item in page]
        if len(page) < pages:
            return found
        value, last = page[-1]
        after = value, last.num


# What the names of lists mean, where the records have another name for it.
READS: dict[str, Any] = {
    "created_at": attrgetter("num"),
    "device_code": attrgetter("code"),
    "status": lambda item: item.state if isinstance(item.state, str) else item.state.status,
    "last_seen": lambda item: item.state.last_seen_us or 0,
    "trigger_time": attrgetter("trigger_us"),
    "next_due_at": lambda item: item.next_us or 0,
    "due_at": attrgetter("due_us"),
    "expires_at": attrgetter("expires_us"),
    "since": attrgetter("since_us"),
    "last_used_at": lambda item: item.last_used_us or 0,
}


async def test_every_order_is_whole_whatever_the_pages(home: Home) -> None:
    for noun in LISTS:
        await check_orders(home, noun)


async def check_orders(home: Home, noun: ListOf[Any]) -> None:
    everything = await all_of(home, noun, 100)
    assert len(everything) >= len(NAMES) - 1
    for sort in noun.sorts:
        read = READS.get(sort, attrgetter(sort))
        for descending in (False, True):
            wanted = [
                item.num
                for item in sorted(
                    everything, key=lambda item: (read(item), item.num), reverse=descending
                )
            ]
            for pages in (1, 3, 100):
                found = await all_of(home, noun, pages, sort=sort, descending=descending)
                assert [i.num for i in found] == wanted, (noun.name, sort, descending, pages)
    assert (
        await home.store.listed(noun, OTHER_USER, Listing(limit=10, sort=next(iter(noun.sorts))))
        == []
    )


async def test_every_filter_leaves_something_out(home: Home) -> None:
    for noun in LISTS:
        await check_filters(home, noun)


async def check_filters(home: Home, noun: ListOf[Any]) -> None:
    whole = await all_of(home, noun, 100)
    nobody = "00000000-0000-4000-8000-00000000dead"
    for name in noun.filters:
        word = nobody if name.endswith("_id") else "nothing"
        assert await all_of(home, noun, 100, filters={name: (word,)}) == [], (noun.name, name)
        texts = [getattr(item, name, None) for item in whole]
        for value in {text for text in texts if isinstance(text, str)}:
            found = await all_of(home, noun, 100, filters={name: (value, word)})
            assert found == [i for i in whole if getattr(i, name) == value], (noun.name, name)


async def test_parts_of_names_are_found_literally(home: Home) -> None:
    async def names(q: str, noun: ListOf[Any] = DEVICES) -> list[str]:
        return sorted(item.name for item in await all_of(home, noun, 100, q=q))

    for noun in (DEVICES, FEEDS):
        assert await names("ALPHA", noun) == ["alpha", "alpha", "Älpha"]
        assert await names("älp", noun) == ["alpha", "alpha", "Älpha"]
        assert await names("%", noun) == ["100% wool"]
        assert await names("_", noun) == ["a_b"]
        assert await names("\\", noun) == []
        assert await names("本", noun) == ["日本"]
    assert await names("C9") == ["Zeta"]
    lake = await home.store.add_product(some_product(90, name="Đèn Hồ Gươm"))
    for q in ("den ho guom", "ĐÈN", "hồ", lake.name):
        assert await names(q, PRODUCTS) == [lake.name]
    assert len(await names("L-5", PRODUCTS)) == 9


async def test_filters_leave_what_fits(home: Home) -> None:
    online = DeviceState(version=1, status="sleeping", last_seen_us=NOW)
    await home.commit(of(state=StateChange(home.device.num, online)))

    async def count(noun: ListOf[Any], **filters: str) -> int:
        wanted = {name: (value,) for name, value in filters.items()}
        return len(await all_of(home, noun, 3, filters=wanted))

    assert await count(DEVICES, status="online") == 1
    assert await count(DEVICES, status="offline") == len(NAMES)
    assert await count(FEEDS, device_id=home.device.id) == len(home.feeds)
    assert await count(FEEDS, has_device="true") == len(home.feeds)
    assert await count(FEEDS, kind="text") == 1
    assert await count(PRODUCTS, in_stock="false") == 2
    assert await count(PRODUCTS, in_stock="true") == 14
    assert await count(SCHEDULES, enabled="false") == 4
    assert await count(OCCURRENCES, schedule_id=some_schedule(1).id) == 2
    assert await count(WEBHOOKS, enabled="true") == 4
    assert await count(COMMANDS, device_id=DEVICE, type="t1") == 3
    assert await count(ALARMS, device_id=DEVICE, severity="info") == 4
    assert await count(REJECTIONS, device_id=DEVICE, reason="r1") == 4
    assert await count(MEDIA, content_type="image/1") == 4
    (first, *_) = await items(home.store, ORDERS, USER)
    await home.store.finish_order(USER, first.id, COMPLETED, NOW)
    assert await count(ORDERS, status=COMPLETED) == 1
