"""Every page in both themes, wide and on a phone: readable for everybody (axe-core), and a picture.

The pictures are for people: `ROOST_PICTURES=folder` keeps them.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize

from tests.dashboard.screen import Screens, go
from tests.dashboard.test_plans import PNG
from tests.real.harness import DeviceClient, Person, Roost, eventually

AXE = Path(__file__).parents[2] / "web/dashboard/node_modules/axe-core/axe.min.js"
RUN = """
async () => (await axe.run(document, {
  resultTypes: ["violations"],
  rules: { "target-size": { enabled: true } },
})).violations.map(
  (each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`)
"""
WIDE: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def paths(roost: Roost, ada: Person) -> dict[str, str]:
    """Something on every page."""
    device = ada.device("seen", "temperature", min_value=0, max_value=30)
    client = DeviceClient(roost, device["mqtt"])
    client.publish("status", {"status": "online", "latitude": 21, "longitude": 105.8})
    for value in (20, 21, 99):
        client.publish("feeds/temperature", value)
    client.close()
    files = {"file": ("a.png", PNG, "image/png")}
    media = ada.call("POST", "/media", files=files).json()
    plan = {"media_id": media["id"], "device_id": device["id"], "recurrence": "FREQ=DAILY"}
    schedule = ada.post("/media-schedules", {**plan, "trigger_time": "2026-01-01T08:00:00Z"})
    product = ada.post("/products", {"name": "Lamp", "sku": "L", "price": "9.90", "stock": 5})
    ada.post("/orders", {"items": [{"product_id": product["id"], "quantity": 1}]})
    eventually(lambda: ada.get("/alarms")["items"])
    return {
        "overview": "/",
        "map": "/map",
        "devices": "/devices",
        "device": f"/devices/{device['id']}",
        "feed": f"/feeds/{device['feeds']['temperature']}",
        "feeds": "/feeds",
        "schedules": "/schedules",
        "week": "/schedules?view=week",
        "agenda": "/schedules?view=agenda",
        "schedule": f"/schedules/{schedule['id']}",
        "media": "/media",
        "alarms": "/alarms",
        "shop": "/shop",
        "products": "/shop?tab=products",
        "settings": "/settings",
        "nothing": "/nothing",
    }


def violations(page: Page) -> Any:
    page.evaluate(AXE.read_text())
    return page.evaluate(RUN)


@pytest.mark.parametrize(
    ("theme", "size"),
    [("light", WIDE), ("dark", WIDE), ("light", PHONE)],
    ids=["light", "dark", "phone"],
)
def test_every_page_is_readable(
    screens: Screens, ada: Person, paths: dict[str, str], theme: Any, size: ViewportSize
) -> None:
    pictures = os.environ.get("ROOST_PICTURES")
    stranger = screens.new(color_scheme=theme, viewport=size)
    stranger.wait_for_selector("form")
    assert violations(stranger) == []
    page = screens.of(ada, color_scheme=theme, viewport=size)
    for name, path in paths.items():
        go(page, path)
        page.wait_for_load_state("networkidle")
        page.wait_for_selector("h1")
        assert violations(page) == [], name
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{name} scrolls sideways"
        if pictures:
            target = Path(pictures) / f"{name}-{theme}-{size['width']}.png"
            page.screenshot(path=target, full_page=True)


def test_dialogs_are_readable_and_keep_the_keyboard(
    screens: Screens, ada: Person, paths: dict[str, str]
) -> None:
    page = screens.of(ada, "/devices")
    page.get_by_role("button", name="Add device").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    go(page, "/schedules")
    page.get_by_role("button", name="New schedule").click()
    page.get_by_test_id("preview").get_by_role("listitem").first.wait_for()
    assert violations(page) == []
