"""ETag and If-Match on everything that can be changed, as a black box."""

from typing import Any

import pytest
import trio

from tests.unit.site import Site

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "devices": ({"name": "one"}, {"name": "two"}),
    "feeds": ({"name": "one"}, {"unit": "two"}),
    "webhooks": ({"description": "one"}, {"enabled": False}),
    "products": ({"name": "one"}, {"stock": 2}),
    "users": ({"full_name": "one"}, {"full_name": "two"}),
}


async def path_of(site: Site, noun: str) -> str:
    bodies = {
        "devices": {"device_code": "d1", "name": "d1"},
        "feeds": {"key": "t", "name": "t"},
        "webhooks": {"url": "https://receiver.example/"},
        "products": {"name": "Lamp", "sku": "L", "price": "1"},
    }
    if noun == "users":
        return "/api/v1/users/me"
    status, made = await site.post(f"/{noun}", bodies[noun])
    assert status == 201, made
    return f"/api/v1/{noun}/{made['id']}"


@pytest.mark.parametrize("noun", CHANGES)
async def test_a_change_of_something_that_changed_meanwhile_is_refused(
    site: Site, noun: str
) -> None:
    path = await path_of(site, noun)
    seen = (await site.raw("GET", path)).headers["ETag"]
    one, two = CHANGES[noun]
    changed = await site.raw("PATCH", path, json=one, headers={"If-Match": seen})
    assert (changed.status_code, changed.headers["ETag"] == seen) == (200, False)
    late = await site.raw("PATCH", path, json=two, headers={"If-Match": seen})
    assert (late.status_code, late.content_type) == (412, "application/problem+json")
    now = await site.raw("GET", path)
    assert now.headers["ETag"] == changed.headers["ETag"]
    both = f'"x", {now.headers["ETag"]}'
    assert (await site.raw("PATCH", path, json=two, headers={"If-Match": both})).status_code == 200
    assert (await site.raw("PATCH", path, json=one)).status_code == 200
    weak = await site.raw("GET", path)
    headers = {"If-Match": f"W/{weak.headers['ETag']}"}
    assert (await site.raw("PATCH", path, json=two, headers=headers)).status_code == 412


async def test_changes_at_the_same_time_are_all_made(site: Site) -> None:
    path = await path_of(site, "feeds")
    bodies: list[dict[str, Any]] = [
        {"name": "one"},
        {"unit": "K"},
        {"min_value": 1.5},
        {"retain_days": 3},
    ]
    statuses = []

    async def change(body: dict[str, Any]) -> None:
        statuses.append((await site.raw("PATCH", path, json=body)).status_code)

    async with trio.open_nursery() as nursery:
        for body in bodies:
            nursery.start_soon(change, body)
    assert statuses == [200] * 4
    found = await (await site.raw("GET", path)).get_json()
    assert [found[name] for name in ("name", "unit", "min_value", "retain_days")] == [
        "one",
        "K",
        1.5,
        3,
    ]
