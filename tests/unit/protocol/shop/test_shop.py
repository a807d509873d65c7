"""Products and orders through the REST API, and repeated requests."""

from decimal import Decimal
from typing import Any

import pytest

from protocol.shop.views import price_of
from tests.unit.site import ACCOUNT, Site

LAMP = {"name": "Lamp", "sku": "L-1", "price": "9.90", "stock": 10}


async def product(site: Site, **changes: Any) -> Any:
    status, made = await site.post("/products", {**LAMP, **changes})
    assert status == 201, made
    return made


async def order(site: Site, lamp: Any, quantity: int = 1, **options: Any) -> Any:
    body = {"items": [{"product_id": lamp["id"], "quantity": quantity}], **options.pop("more", {})}
    return await site.call("POST", "/orders", json=body, **options)


async def as_bob(site: Site) -> None:
    await site.post("/users", {**ACCOUNT, "email": "bob@example.org"})
    _, token = await site.post("/login/access-token", {**ACCOUNT, "email": "bob@example.org"})
    site.headers = {"x-auth-token": token["access_token"]}


async def test_an_order_takes_stock_and_a_cancelled_one_gives_it_back(site: Site) -> None:
    lamp = await product(site)
    status, made = await order(site, lamp, 3)
    assert (status, made["total"], made["status"], made["state"]) == (201, "29.70", *["placed"] * 2)
    assert made["items"] == [
        {"product_id": lamp["id"], "name": "Lamp", "sku": "L-1", "price": "9.90", "quantity": 3}
    ]
    assert (await site.call("GET", f"/products/{lamp['id']}"))[1]["stock"] == 7
    assert (await order(site, lamp, 8))[0] == 409
    status, ended = await site.call("PATCH", f"/orders/{made['id']}", json={"status": "cancelled"})
    assert (status, ended["status"]) == (200, "cancelled")
    assert (await site.call("DELETE", f"/orders/{made['id']}"))[1] == ended
    assert (await site.call("GET", f"/products/{lamp['id']}"))[1]["stock"] == 10
    done = await site.call("PATCH", f"/orders/{made['id']}", json={"status": "completed"})
    assert done[0] == 409


async def test_strangers_see_and_order_nothing(site: Site) -> None:
    lamp = await product(site)
    _, made = await order(site, lamp)
    await as_bob(site)
    for method, path in (
        ("GET", f"/products/{lamp['id']}"),
        ("PATCH", f"/products/{lamp['id']}"),
        ("DELETE", f"/products/{lamp['id']}"),
        ("GET", f"/orders/{made['id']}"),
        ("DELETE", f"/orders/{made['id']}"),
    ):
        body = {"json": {"name": "x"}} if method == "PATCH" else {}
        assert (await site.call(method, path, **body))[0] == 404
    status, problem = await order(site, lamp)
    assert (status, list(problem["errors"])) == (422, ["items"])
    for path in ("/products", "/orders"):
        assert (await site.call("GET", path))[1]["items"] == []
    site.headers = {}
    for method, path in (("GET", "/orders"), ("POST", "/orders"), ("GET", "/products/stats")):
        assert (await site.call(method, path))[0] == 401


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/products", {**LAMP, "price": "1,5"}, "price"),
        ("/products", {**LAMP, "price": -1}, "price"),
        ("/products", {**LAMP, "price": 0.00001}, "price"),
        ("/products", {**LAMP, "price": "1e3"}, "price"),
        ("/products", {**LAMP, "stock": -1}, "stock"),
        ("/products", {**LAMP, "sku": ""}, "sku"),
        ("/products", {**LAMP, "colour": "red"}, "colour"),
        ("/orders", {"items": []}, "items"),
        ("/orders", {"items": [{"product_id": "x", "quantity": 0}]}, "items"),
        ("/orders", {"items": [{"product_id": "no uuid"}]}, "items"),
        ("/orders", {}, "items"),
    ],
)
async def test_rubbish_is_refused_by_field(site: Site, path: str, body: Any, field: str) -> None:
    status, problem = await site.post(path, body)
    assert status == 422
    assert any(name.startswith(field) for name in problem["errors"]), problem


@pytest.mark.parametrize(
    ("said", "price"),
    [
        ("10", "10"),
        ("0.5000", "0.5000"),
        (12, "12"),
        (9.9, "9.9"),
        (1e8, "100000000"),
        (5e-5, None),
    ],
)
def test_a_price_is_exact(said: Any, price: str | None) -> None:
    found = price_of(float(said) if isinstance(said, int) else said)
    wanted = None if price is None else Decimal(price)
    assert found == wanted
    if found is not None and isinstance(said, str):
        assert str(found) == price


async def test_an_order_that_is_sent_again_is_made_once(site: Site) -> None:
    lamp = await product(site)
    key = {"Idempotency-Key": "cart-17"}
    first = await order(site, lamp, 2, headers=key)
    assert await order(site, lamp, 2, headers=key) == first
    assert (await site.call("GET", f"/products/{lamp['id']}"))[1]["stock"] == 8
    status, problem = await order(site, lamp, 3, headers=key)
    assert (status, list(problem["errors"])) == (422, ["Idempotency-Key"])
    assert (await order(site, lamp, 2, headers={"Idempotency-Key": "x" * 256}))[0] == 422
    assert (await order(site, lamp, 2))[1]["id"] != first[1]["id"]
    await as_bob(site)
    other = await product(site)
    assert (await order(site, other, 2, headers=key))[0] == 201


async def test_a_command_that_is_sent_again_is_made_once(site: Site) -> None:
    one, two = await site.device("d1"), await site.device("d2")
    key = {"headers": {"Idempotency-Key": "k"}}
    path = f"/devices/{one['id']}/commands"
    first = await site.call("POST", path, json={"type": "beep"}, **key)
    assert first[0] == 201
    assert (await site.call("POST", path, json={"type": "beep"}, **key))[1]["id"] == first[1]["id"]
    assert (await site.call("POST", path, json={"type": "boop"}, **key))[0] == 422
    other = await site.call("POST", f"/devices/{two['id']}/commands", json={"type": "beep"}, **key)
    assert other[0] == 201
    assert len((await site.call("GET", path))[1]["items"]) == 1


async def test_a_change_says_which_version_it_changes(site: Site) -> None:
    lamp = await product(site)
    path = f"/api/v1/products/{lamp['id']}"
    first = (await site.raw("GET", path)).headers["ETag"]
    changed = await site.raw("PATCH", path, json={"name": "Sun"}, headers={"If-Match": first})
    assert (changed.status_code, changed.headers["ETag"] != first) == (200, True)
    stale = await site.raw("PATCH", path, json={"name": "Moon"}, headers={"If-Match": first})
    assert (stale.status_code, stale.content_type) == (412, "application/problem+json")
    assert (await site.raw("GET", path)).headers["ETag"] == changed.headers["ETag"]
    anything = await site.raw("PATCH", path, json={"stock": 5}, headers={"If-Match": "*"})
    assert (await anything.get_json())["stock"] == 5


async def test_stats_tell_of_orders_by_day_and_of_stock(site: Site) -> None:
    lamp = await product(site)
    await order(site, lamp, 2)
    _, over = await order(site, lamp)
    await site.call("DELETE", f"/orders/{over['id']}")
    site.clock.advance(25 * 3600)
    await order(site, lamp, 1)
    status, stats = await site.call("GET", "/orders/stats?days=3&timezone=Asia/Ho_Chi_Minh")
    assert (status, stats["recent"]) == (200, {"count": 1, "total": "9.90", "items": 1})
    assert [(day["count"], day["total"]) for day in stats["by_day"]] == [
        (0, "0"),
        (1, "19.80"),
        (1, "9.90"),
    ]
    assert (await site.call("GET", "/products/stats"))[1] == {
        "count": 1,
        "stock": 7,
        "out_of_stock": 0,
        "worth": "69.30",
    }
    assert (await site.call("GET", "/orders/stats?timezone=Mars/Base"))[0] == 422
    assert (await site.call("GET", "/orders?status=lost"))[0] == 422
    assert len((await site.call("GET", "/orders?status=placed"))[1]["items"]) == 2
