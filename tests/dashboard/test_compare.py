"""Several feeds in one chart: each in its unit and colour, and the address keeps which."""

import re

import pytest
from playwright.sync_api import expect

from tests.dashboard.screen import Screens, go, sees
from tests.dashboard.test_charts import IS_DRAWN, measured
from tests.dashboard.test_live import BRAND
from tests.real.harness import Person


@pytest.fixture(scope="module")
def feeds(ada: Person) -> list[str]:
    """A temperature in two rooms, and a humidity: two units."""
    made = []
    for code, unit, value in (("hall", "°C", 20), ("cellar", "°C", 12), ("roof", "%", 65)):
        limits = {} if code == "hall" else {"min_value": 0, "max_value": 90}
        device = ada.device(f"cmp-{code}", "t", unit=unit, **limits)
        feed = str(device["feeds"]["t"])
        # Not at the same times, and with a gap of twenty minutes.
        moments = (n * 20 + value % 7 for n in range(1, 150) if not 40 < n < 100)
        measured(ada, feed, *moments, value=value)
        made.append(feed)
    return made


def test_feeds_are_compared_from_a_feeds_page(
    screens: Screens, ada: Person, feeds: list[str]
) -> None:
    page = screens.of(ada, f"/feeds/{feeds[0]}?last=3600")
    page.get_by_role("button", name="Compare with…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", checked=True)).to_have_count(1)
    dialog.locator("li", has_text="cmp-roof").get_by_role("checkbox").click()
    dialog.get_by_role("button", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile(r"compare\?feeds=.*last=3600"))
    table = page.get_by_role("table", name="Statistics")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table).to_contain_text("20 °C")
    expect(table).to_contain_text("65 %")
    expect(page.locator(".chart")).to_have_attribute("data-gaps", "2")
    expect(page.locator(".chart")).to_have_attribute("data-bands", "1")
    page.wait_for_function(IS_DRAWN, arg=[0.2, 0.4, *BRAND])
    assert not page.evaluate(IS_DRAWN, [0.5, 0.7, *BRAND])
    # A value of each at the pointer, though no two readings have one time.
    page.locator(".u-over").hover(position={"x": 300, "y": 100})
    expect(page.locator(".u-legend .u-series").nth(1)).to_contain_text("20 °C")
    expect(page.locator(".u-legend .u-series").nth(2)).to_contain_text("65 %")
    page.reload()
    expect(table.get_by_role("row")).to_have_count(3)
    table.get_by_role("button", name="Remove").first.click()
    expect(table.get_by_role("row")).to_have_count(2)
    page.go_back()
    expect(table.get_by_role("row")).to_have_count(3)


def test_feeds_are_compared_from_their_list(
    screens: Screens, ada: Person, feeds: list[str]
) -> None:
    page = screens.of(ada, "/feeds")
    for code in ("cmp-hall", "cmp-cellar"):
        row = page.get_by_role("row").filter(has_text=code)
        row.get_by_role("checkbox", name="Compare").click()
    page.get_by_role("link", name="Compare selected (2)").click()
    expect(page.get_by_role("table", name="Statistics")).to_contain_text("12 °C")


def test_an_unknown_feed_is_named_and_each_is_asked_for_once(
    screens: Screens, ada: Person, feeds: list[str]
) -> None:
    page = screens.of(ada, "/settings")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    unknown = "0198c0de-0000-7000-8000-000000000000"
    go(page, f"/compare?feeds={feeds[0]},{unknown},{feeds[1]},../users/me&last=3600")
    sees(page, "2 feeds of this address were not found")
    table = page.get_by_role("table", name="Statistics")
    expect(table).to_contain_text("12 °C")
    values = [url for url in asked if "/feed-values/" in url]
    assert len(values) == 2, values
    page.get_by_role("button", name="Remove from the comparison").click()
    expect(page.get_by_text("not found")).to_have_count(0)
    go(page, "/compare")
    sees(page, "Nothing to compare yet")
