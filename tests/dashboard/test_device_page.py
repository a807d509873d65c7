"""A device's page: what it measured last at a glance, and each of its parts behind a tab."""

import pytest
from playwright.sync_api import expect

from tests.dashboard.screen import Screens, go, sees
from tests.dashboard.test_charts import measured
from tests.real.harness import DeviceClient, Person, Roost, eventually

FEEDS = [f"f{n:02}" for n in range(14)]


@pytest.fixture(scope="module")
def device(roost: Roost, ada: Person) -> dict[str, str]:
    """Fourteen feeds; the last one never said anything."""
    made = ada.device("tiles", *FEEDS, unit="°C", max_value=30, on_violation="flag")
    measured(ada, made["feeds"]["f00"], *range(600, 80_000, 1_800), value=21)
    client = DeviceClient(roost, made["mqtt"])
    for feed in FEEDS[:-1]:
        client.publish(f"feeds/{feed}", 99 if feed == "f01" else 20)
    eventually(lambda: ada.get(f"/feeds/{made['feeds']['f12']}")["last_value"])
    client.close()
    return {"id": made["id"], "f01": made["feeds"]["f01"]}


def test_the_latest_feeds_are_tiles_that_ask_once(
    screens: Screens, ada: Person, device: dict[str, str]
) -> None:
    page = screens.of(ada, "/devices")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    go(page, f"/devices/{device['id']}")
    tiles = page.get_by_role("region", name="Latest values")
    expect(tiles.locator("a.card")).to_have_count(12)
    expect(tiles.get_by_role("link", name="All feeds")).to_be_visible()
    expect(tiles.locator(".card", has_text="f01")).to_contain_text("Out of range")
    expect(tiles.get_by_text("Out of range")).to_have_count(1)
    expect(tiles.locator(".spark")).to_have_count(12)
    go(page, "/devices")
    expect(tiles).to_have_count(0)
    go(page, f"/devices/{device['id']}")
    expect(tiles.locator(".spark")).to_have_count(12)
    curves = [url for url in asked if "/feed-values/" in url]
    assert len(curves) == len(set(curves)) == 12, curves
    tiles.locator(".card", has_text="f01").click()
    expect(page.get_by_test_id("last-value")).to_have_text("99 °C")


def test_the_parts_of_a_device_are_tabs_of_its_address(
    screens: Screens, ada: Person, device: dict[str, str]
) -> None:
    page = screens.of(ada, f"/devices/{device['id']}")
    expect(page.get_by_role("table", name="Feeds")).to_be_visible()
    tabs = page.get_by_role("tablist", name="Device")
    tabs.get_by_role("tab", name="Feeds").press("ArrowRight")
    tabs.get_by_role("tab", name="Alarms").press("Enter")
    expect(page.get_by_role("table", name="Alarms")).to_contain_text("99 °C (max 30 °C)")
    # Open alarms are seen from every other tab.
    tabs.get_by_role("tab", name="Schedules").click()
    expect(page.get_by_test_id("alarms-here")).to_contain_text("99 °C")
    sees(page, "No schedules yet")
    tabs.get_by_role("tab", name="Settings").click()
    page.get_by_label("Name", exact=True).fill("Half a name")
    page.go_back()
    sees(page, "No schedules yet")
    page.go_forward()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half a name")
    page.get_by_role("button", name="Discard changes").click()
