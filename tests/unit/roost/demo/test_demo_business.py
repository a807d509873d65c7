"""The demo's shop and screens, through the calls that people's shops and screens go through."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.media.sniffing import Sniffer
from protocol.rest.listing import (
    API_KEYS,
    AUDIT,
    MEDIA,
    OCCURRENCES,
    ORDERS,
    PRODUCTS,
    SCHEDULES,
)
from protocol.shop.shop import CANCELLED, COMPLETED, PLACED
from protocol.times import SECOND_US
from roost.demo.business import PLACES, PLAYS, SCREENS, WARES
from roost.demo.office import ACTIVITY, KEY_NAME, add_office
from roost.demo.shop import add_shop
from roost.demo.signage import FOLDER, add_signage
from roost.provisioning import NewLogin, provision_device
from tests.support.lists import items
from tests.unit.site import Site, open_site

DAY_US = 24 * 3_600 * SECOND_US
FILES_BYTES_MAX = 300_000


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


async def user_of(site: Site) -> str:
    _, me = await site.call("GET", "/users/me")
    return str(me["id"])


async def test_two_weeks_of_orders_take_what_is_in_stock(site: Site) -> None:
    store, user, now = site.service.store, await user_of(site), site.clock.now_us()
    await add_shop(store, user, now)
    orders = await items(store, ORDERS, user, 1_000)
    assert len(orders) > 60
    assert {order.state for order in orders} == {PLACED, COMPLETED, CANCELLED}
    assert all(now - 15 * DAY_US < order.created_us < now for order in orders)
    sold: Counter[str] = Counter()
    for order in orders:
        for item in order.items:
            sold[item.sku] += item.quantity if order.state != CANCELLED else 0
    products = await items(store, PRODUCTS, user, 100)
    assert {each.sku: each.stock for each in products} == {
        ware.sku: ware.stock - sold[ware.sku] for ware in WARES
    }


async def test_a_shop_that_was_set_up_is_not_set_up_again(site: Site) -> None:
    store, user, now = site.service.store, await user_of(site), site.clock.now_us()
    await add_shop(store, user, now)
    before = await items(store, ORDERS, user, 1_000), await items(store, PRODUCTS, user, 100)
    await add_shop(store, user, now)
    again = await items(store, ORDERS, user, 1_000), await items(store, PRODUCTS, user, 100)
    assert again == before


async def screens(site: Site, user: str) -> dict[str, NewLogin]:
    service = site.service
    return {
        place.code: await provision_device(
            service.store, service.clock, service.ids, user, place.code, place.name, ()
        )
        for place in PLACES
        if place.is_screen
    }


async def test_a_week_of_plays_was_played_missed_and_failed(site: Site) -> None:
    service, user, now = site.service, await user_of(site), site.clock.now_us()
    logins = await screens(site, user)
    for _ in range(2):  # the second time adds nothing
        await add_signage(service, user, logins, now)
    schedules = await items(service.store, SCHEDULES, user, 100)
    assert len(schedules) == sum(len(play.screens) for play in PLAYS) + 1
    states: Counter[str] = Counter()
    for schedule in schedules:
        for each in await items(service.store, OCCURRENCES, user, 1_000, schedule_id=schedule.id):
            states[each.state] += 1
            assert (each.due_us > now) == (each.state == "pending")
            assert now - 8 * DAY_US < each.due_us
    assert states["completed"] > 30
    assert states["missed"] > 0
    assert states["failed"] > 0
    media = await items(service.store, MEDIA, user, 100)
    assert {each.filename for each in media} == {file.name for file in FOLDER.iterdir()}


async def test_the_account_has_a_week_of_activity_and_a_key_that_nobody_knows(site: Site) -> None:
    service, user, now = site.service, await user_of(site), site.clock.now_us()
    before = len(await items(service.store, AUDIT, user, 100))
    for _ in range(2):  # the second time adds nothing
        await add_office(service, user, now)
    entries = await items(service.store, AUDIT, user, 100)
    assert len(entries) - before == len(ACTIVITY)
    assert sum(now - 8 * DAY_US < each.at_us < now for each in entries) == len(ACTIVITY)
    (key,) = await items(service.store, API_KEYS, user, 100)
    assert (key.scope, key.name) == ("read", KEY_NAME)


def test_its_media_are_few_bytes_of_types_that_the_library_takes() -> None:
    files = sorted(FOLDER.iterdir())
    assert {play.media for play in PLAYS} <= {file.name for file in files}
    assert sum(file.stat().st_size for file in files) <= FILES_BYTES_MAX
    kinds = set()
    for file in files:
        sniffer = Sniffer()
        sniffer.feed(file.read_bytes())
        kinds.add(sniffer.finish().content_type.partition("/")[0])
    assert kinds == {"image", "video"}
    assert set(SCREENS) == {place.code for place in PLACES if place.is_screen}


def test_the_readme_opens_with_a_small_picture_that_is_there() -> None:
    root = Path(__file__).parents[4]
    first = (root / "README.md").read_text().split("\n\n")[1]
    picture = re.fullmatch(r"!\[[^]]{20,}\]\((docs/\w+\.png)\)", first)
    assert picture is not None
    assert 10_000 < (root / picture[1]).stat().st_size < 200_000
