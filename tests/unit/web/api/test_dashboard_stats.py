"""The figures of the first page, as a black box."""

from tests.unit.site import Site
from tests.unit.web.api.test_readings import START, feed, fill

PATH = "/dashboard/stats"


async def test_nothing_is_a_page_of_zeros(site: Site) -> None:
    status, stats = await site.call("GET", PATH)
    assert status == 200
    assert (stats["total_devices"], stats["online_devices"], stats["open_alarms"]) == (0, 0, 0)
    assert stats["recent_orders"] == {"count": 0, "total": "0", "items": 0}
    assert stats["feed_values"]["points"] == []
    assert stats["products"]["count"] == stats["media"]["count"] == stats["schedules"]["count"] == 0
    assert [day["count"] for day in stats["orders_by_day"]] == [0, 0]


async def test_figures_are_of_what_there_is(site: Site) -> None:
    await site.device("d1")
    await site.device("d2")
    made = await feed(site)
    await fill(site, made, [1.0, 5.0, 3.0])
    _, lamp = await site.post("/products", {"name": "Lamp", "sku": "L", "price": "2", "stock": 9})
    await site.post("/orders", {"items": [{"product_id": lamp["id"], "quantity": 4}]})
    _, stats = await site.call("GET", PATH)
    assert (stats["total_devices"], stats["online_devices"]) == (2, 0)
    assert stats["recent_orders"] == {"count": 1, "total": "8", "items": 4}
    assert stats["products"] == {"count": 1, "stock": 5, "out_of_stock": 0, "worth": "10"}
    values = stats["feed_values"]
    assert sum(point["count"] for point in values["points"]) == 3
    assert values["bucket_s"] == 600
    only = values["points"][0]
    assert (only["min"], only["max"], only["avg"]) == (1.0, 5.0, 3.0)
    assert sum(day["count"] for day in stats["orders_by_day"]) == 1


async def test_orders_are_counted_by_the_days_of_a_place(site: Site) -> None:
    """The site's clock shows 14:13 UTC, which is the next day in Kiritimati."""
    for query in (
        "tz=Pacific/Kiritimati",
        "timezone=Pacific/Kiritimati",
        "tz=Pacific/Kiritimati&timezone=UTC",
    ):
        _, stats = await site.call("GET", f"{PATH}?{query}")
        assert stats["orders_by_day"][-1]["day"] == "2026-09-22"
        _, orders = await site.call("GET", f"/orders/stats?days=1&{query}")
        assert [day["day"] for day in orders["by_day"]] == ["2026-09-22"]
        assert orders["timezone"] == "Pacific/Kiritimati"


async def test_the_time_may_be_chosen(site: Site) -> None:
    await fill(site, await feed(site), [1.0, 2.0], every_s=60)
    day = "start=2026-09-21T00:00:00Z&end=2026-09-22T00:00:00Z"
    _, stats = await site.call("GET", f"{PATH}?{day}")
    assert stats["feed_values"]["start"] == "2026-09-21T00:00:00.000000Z"
    assert stats["feed_values"]["end"] == "2026-09-22T00:00:00.000000Z"
    assert START > 0
    for wrong in (
        "start=2026-09-21T00:00:00Z&end=2026-09-21T00:00:00Z",
        "start=1990-01-01T00:00:00Z",
        "start=yesterday",
        "timezone=Nowhere/Land",
        "tz=Nowhere/Land",
        "zone=UTC",
    ):
        assert (await site.call("GET", f"{PATH}?{wrong}"))[0] == 422
    site.headers = {}
    assert (await site.call("GET", PATH))[0] == 401
