"""Names that people choose, wherever they are shown later: on pages, terminals, in logs."""

from typing import Any

import pytest

from tests.unit.site import Site

EVIL = ["\x1b[2Jx", "a\nb", "\x7f", "\x9b31m", "a\tb", "\x00"]


@pytest.mark.parametrize("name", EVIL)
async def test_control_characters_are_refused_in_every_name(site: Site, name: str) -> None:
    device = await site.device()
    feed = {"device_id": device["id"], "key": "t", "name": name, "kind": "number"}
    product = {"sku": "S1", "name": name, "price": "1", "stock": 1}
    hook = {"url": "https://example.org/", "description": name}
    tried: list[tuple[str, str, Any, str]] = [
        ("POST", "/devices", {"device_code": "d2", "name": name}, "name"),
        ("PATCH", f"/devices/{device['id']}", {"name": name}, "name"),
        ("POST", "/feeds", feed, "name"),
        ("POST", "/feeds", {**feed, "name": "t", "unit": name}, "unit"),
        ("POST", "/products", product, "name"),
        ("POST", "/products", {**product, "name": "p", "sku": name}, "sku"),
        ("POST", "/webhooks", hook, "description"),
        ("POST", "/api-keys", {"name": name}, "name"),
        ("PATCH", "/users/me", {"full_name": name}, "full_name"),
    ]
    for method, path, body, field in tried:
        status, problem = await site.call(method, path, json=body)
        assert (status, list(problem["errors"])) == (422, [field]), path


async def test_what_people_write_in_their_language_is_a_name(site: Site) -> None:
    for name in ("Nhà kính số 1", "温室", "دفيئة", "👩‍🌾 greenhouse", "Zürich – Süd"):
        _, made = await site.post("/devices", {"device_code": f"d{len(name)}", "name": name})
        assert made["name"] == name
