"""Every page in both themes and languages, on a phone, a desk and a wall: readable for everybody
(axe-core), nothing cut, and a picture.

The pictures are for people: `ROOST_PICTURES=folder` keeps them.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.dashboard.screen import Screens, from_menu, go, is_live
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
# What stands in a button, a card or a cell, and is wider than that; what reaches out of the menu.
CUT = """
() => {
  const cells = "button, .button, .card, .badge, h1, h2, dt, dd, label";
  const wide = [...document.querySelectorAll(cells)]
    .filter((it) => it.clientWidth > 1 && it.scrollWidth > it.clientWidth + 1);
  const edge = document.querySelector(".side").getBoundingClientRect().right + 1;
  const beside = [...document.querySelectorAll(".side *")]
    .filter((it) => it.getBoundingClientRect().right > edge);
  return [...wide, ...beside].map((it) => `${it.tagName} ${it.textContent}`);
}
"""
WIDTH = "() => document.querySelector('main').getBoundingClientRect().width"
CONTENT_MAX = 1440
# What reaches out of the open dialog.
BESIDE = """
() => {
  const dialog = document.querySelector("[role=dialog]");
  const edge = dialog.getBoundingClientRect().right - 8;
  return [...dialog.querySelectorAll("input:not([aria-hidden]), button")]
    .filter((it) => it.getBoundingClientRect().right > edge)
    .map((it) => it.outerHTML);
}
"""
WALL: ViewportSize = {"width": 2560, "height": 1440}
DESK: ViewportSize = {"width": 1360, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def paths(roost: Roost, ada: Person) -> dict[str, str]:
    """Something on every page."""
    device = ada.device("seen", "temperature", min_value=0, max_value=30)
    name = {"name": "Cảm biến nhiệt độ và độ ẩm ở kho lạnh số 10, cạnh cửa hàng phía tây"}
    ada.call("PATCH", f"/devices/{device['id']}", json=name)
    ada.post("/api-keys", {"name": "backup-script-of-the-warehouse", "scope": "read"})
    ada.post("/webhooks", {"url": "https://receiver.example/hooks/alarms-of-the-cold-store"})
    ada.post("/mqtt-listener", {"home_assistant": True})
    client = DeviceClient(roost, device["mqtt"])
    client.publish("status", {"status": "online", "latitude": 21, "longitude": 105.8})
    for value in (20, 21, 99):
        client.publish("feeds/temperature", value)
    client.close()
    ada.post(f"/devices/{device['id']}/commands", {"type": "reboot", "payload": {"in_s": 5}})
    files = {"file": ("a.png", PNG, "image/png")}
    media = ada.call("POST", "/media", files=files).json()
    plan = {"media_id": media["id"], "device_id": device["id"], "recurrence": "FREQ=DAILY"}
    schedule = ada.post("/media-schedules", {**plan, "trigger_time": "2026-01-01T08:00:00Z"})
    product = ada.post("/products", {"name": "Lamp", "sku": "L", "price": "9.90", "stock": 5})
    ada.post("/products", {"name": "Bánh mì Hòa Mã", "sku": "B-1", "price": "25000", "stock": 0})
    order = {"items": [{"product_id": product["id"], "quantity": 1}]}
    ada.post("/orders", {**order, "note": "Giao trước 8 giờ, gọi cổng số 2"})
    eventually(lambda: ada.get("/alarms")["items"])
    return {
        "overview": "/",
        "map": "/map",
        "devices": "/devices",
        "device": f"/devices/{device['id']}",
        "device's commands": f"/devices/{device['id']}?tab=commands",
        "device's settings": f"/devices/{device['id']}?tab=settings",
        "comparison": f"/compare?feeds={device['feeds']['temperature']}&last=3600",
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
        "sessions": "/settings?tab=sessions",
        "keys": "/settings?tab=keys",
        "webhooks": "/settings?tab=webhooks",
        "listener": "/settings?tab=listener",
        "audit": "/settings?tab=audit",
        "list": "/schedules?view=list",
        "nothing": "/nothing",
    }


def violations(page: Page) -> Any:
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    return page.evaluate(RUN)


# Buttons that open a dialog, by the page.
DIALOGS = {
    "devices": ("Add device",),
    "device": ("Add feed", "Delete Cảm biến", "Regenerate credentials"),
    "schedules": ("New schedule",),
    "shop": ("New order",),
    "products": ("Add product",),
    "settings": ("Delete account",),
}

# Each theme and each language at each width once; what axe finds does not depend on much width.
# The last three are for people who look, and take a minute.
LOOKS = {
    "phone": ("light", PHONE, "en", True),
    "desk-vi": ("light", DESK, "vi", True),
    "desk": ("dark", DESK, "en", True),
    "phone-vi": ("dark", PHONE, "vi", False),
    "wall": ("light", WALL, "en", False),
    "wall-vi": ("dark", WALL, "vi", False),
}
SEEN = list(LOOKS) if "ROOST_PICTURES" in os.environ else list(LOOKS)[:3]


@pytest.mark.parametrize("look", SEEN)
def test_every_page_is_readable(
    screens: Screens, ada: Person, paths: dict[str, str], look: str
) -> None:
    theme, size, language, with_axe = LOOKS[look]
    pictures = os.environ.get("ROOST_PICTURES")
    options: dict[str, Any] = {"color_scheme": theme, "viewport": size}
    if with_axe:
        stranger = screens.new(**options)
        stranger.wait_for_selector("form")
        assert violations(stranger) == []
    page = screens.of(ada, **options)
    page.evaluate("language => { localStorage.setItem('roost.language', language) }", language)
    page.reload()
    is_live(page)
    for name, path in paths.items():
        go(page, path)
        page.wait_for_selector("h1")
        expect(page.locator(".loading")).to_have_count(0)
        if with_axe:
            assert violations(page) == [], name
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{name} scrolls sideways"
        assert page.evaluate(CUT) == [], name
        assert page.evaluate(WIDTH) <= CONTENT_MAX, name
        if pictures:
            page.wait_for_load_state("networkidle")
            page.screenshot(path=Path(pictures) / f"{name}-{look}.png", full_page=True)


WATCH = """
() => {
  window.refusedByPolicy = [];
  const note = (event) => refusedByPolicy.push(`${event.effectiveDirective} ${event.sourceFile}`);
  document.addEventListener("securitypolicyviolation", note);
}
"""
# What shows that something opened.
OPENED = ".popup[data-open], .dialog"
HAS_FOCUS = "opened => document.activeElement.closest(opened) !== null"


def opens(page: Page, opener: Locator) -> None:
    """It opens what it has, which Escape closes again."""
    opener.click()
    page.wait_for_function(HAS_FOCUS, arg=OPENED)
    page.keyboard.press("Escape")
    expect(page.locator(OPENED)).to_have_count(0)


def test_nothing_that_opens_breaks_the_policy(
    screens: Screens, ada: Person, paths: dict[str, str]
) -> None:
    page = screens.of(ada, viewport=DESK)
    page.evaluate(WATCH)
    opened: set[str] = set()
    for name, path in paths.items():
        go(page, path)
        page.wait_for_selector("h1")
        expect(page.locator(".loading")).to_have_count(0)
        # Lists, menus, the bell: one of each name is as good as all.
        for opener in page.locator("button[aria-haspopup]").all():
            label = opener.get_attribute("aria-label") or opener.inner_text()
            if label not in opened:
                opened.add(label)
                opens(page, opener)
        for button in DIALOGS.get(name, ()):
            opens(page, page.get_by_role("button", name=button).first)
    assert len(opened) > 15, opened
    go(page, paths["products"])
    from_menu(page, "Lamp", "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".toast")).to_contain_text("Deleted")
    # A phone has one more: all pages.
    page.set_viewport_size(PHONE)
    opens(page, page.get_by_role("button", name="Menu"))
    assert page.evaluate("window.refusedByPolicy") == []


def test_dialogs_are_readable_and_keep_the_keyboard(
    screens: Screens, ada: Person, paths: dict[str, str]
) -> None:
    page = screens.of(ada, "/devices", viewport=DESK)
    page.get_by_role("button", name="Add device").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    go(page, "/schedules")
    page.get_by_role("button", name="New schedule").click()
    page.get_by_test_id("preview").get_by_role("listitem").first.wait_for()
    assert violations(page) == []
    assert page.evaluate(BESIDE) == []
    page.keyboard.press("Escape")
    go(page, paths["device"])
    page.get_by_role("button", name="Delete Cảm biến").click()
    title = page.get_by_role("dialog").get_by_role("heading").bounding_box()
    close = page.get_by_role("dialog").get_by_role("button", name="Close").bounding_box()
    assert title
    assert close
    assert close["x"] > title["x"] + title["width"]
    assert violations(page) == []
