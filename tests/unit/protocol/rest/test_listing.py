"""Lists over REST: sorting, filters, pages, and foreign cursors."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from protocol.rest.listing import LISTS
from tests.unit.site import Site, open_site
from tests.unit.web.people.test_strangers import ids_of_ada


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as place:
        for n, name in enumerate(("beta", "alpha", "gamma")):
            price = f"{n}.50"
            await place.post("/products", {"name": name, "sku": f"s{n}", "price": price})
            await place.device(f"{name}-{n}")
            await place.post("/feeds", {"key": name, "name": name})
        yield place


async def listed(site: Site, path: str) -> Any:
    status, found = await site.call("GET", path)
    assert status == 200, found
    return found


@pytest.mark.parametrize("noun", ["devices", "feeds", "products"])
async def test_a_list_is_read_in_the_order_asked_for(site: Site, noun: str) -> None:
    for sort, wanted in (
        ("name", ["alpha", "beta", "gamma"]),
        ("-name", ["gamma", "beta", "alpha"]),
        ("-created_at", ["gamma", "alpha", "beta"]),
    ):
        cursor, names = "", []
        while cursor is not None:
            page = await listed(site, f"/{noun}?sort={sort}&limit=1&cursor={cursor}")
            names += [item["name"].partition("-")[0] for item in page["items"]]
            cursor = page["next"]
        assert names == wanted, sort
    found = await listed(site, f"/{noun}?q=AMM")
    assert [item["name"].partition("-")[0] for item in found["items"]] == ["gamma"]


async def test_filters_are_checked(site: Site) -> None:
    assert len((await listed(site, "/devices?status=offline"))["items"]) == 3
    assert (await listed(site, "/devices?status=online"))["items"] == []
    assert (await listed(site, "/products?in_stock=true"))["items"] == []
    assert len((await listed(site, "/products?in_stock=false&sort=-price"))["items"]) == 3
    assert len((await listed(site, "/feeds?kind=number"))["items"]) == 3
    for path in (
        "/devices?status=asleep",
        "/devices?sort=colour",
        "/devices?sort=--name",
        "/feeds?kind=picture",
        "/feeds?device_id=x",
        "/products?in_stock=perhaps",
        "/orders?status=lost",
        "/orders?sort=name",
        "/devices?q=%00",
    ):
        assert (await site.call("GET", path))[0] == 422, path


def written(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!",
        written("{}"),
        written('["name","a",1]'),
        written('["price","NaN",1]'),
        written('["price","1e999999999",1]'),
        written('["price","1.5",-1]'),
        written('["price","1.5",99999999999999999999]'),
        written('["price","1.5"]'),
        written('["-price","1.5",1]'),
        "A" * 3_000,
    ],
)
async def test_a_cursor_of_another_list_is_refused(site: Site, cursor: str) -> None:
    status, problem = await site.call("GET", f"/products?sort=price&cursor={cursor}")
    assert (status, list(problem["errors"])) == (422, ["cursor"])


async def test_a_cursor_goes_on_where_it_was_whatever_came_between(site: Site) -> None:
    first = await listed(site, "/products?sort=price&limit=2")
    await site.post("/products", {"name": "cheap", "sku": "c", "price": "0.01"})
    (gone, *_) = first["items"]
    await site.call("DELETE", f"/products/{gone['id']}")
    rest = await listed(site, f"/products?sort=price&limit=2&cursor={first['next']}")
    assert [item["name"] for item in rest["items"]] == ["gamma"]
    assert rest["next"] is None


async def test_every_list_is_sorted_by_what_its_noun_says(site: Site) -> None:
    ids = await ids_of_ada(site)
    paths = {
        "commands": "/devices/{device_id}/commands",
        "occurrences": "/media-schedules/{schedule_id}/occurrences",
        "deliveries": "/webhooks/{webhook_id}/deliveries",
    }
    for noun in LISTS:
        path = paths.get(noun.name, f"/{noun.name}").format(**ids)
        usual = await listed(site, path)
        assert await listed(site, f"{path}?sort={noun.usual}") == usual
        for sort in noun.sorts:
            for way in ("", "-"):
                cursor, found = "", []
                while cursor is not None:
                    page = await listed(site, f"{path}?sort={way}{sort}&limit=1&cursor={cursor}")
                    found += page["items"]
                    cursor = page["next"]
                assert len(found) == len(usual["items"]), (path, sort)
        status, problem = await site.call("GET", f"{path}?sort=colour")
        assert (status, list(problem["errors"])) == (422, ["sort"])
